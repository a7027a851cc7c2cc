#!/usr/bin/env python3
"""Little tokenizers, one or more for each feature of a tokenizer.json and each family's form of it,
with what the `tokenizers` library (0.23.3) makes of some texts. Writes tokenizers.json beside this
script, which tokenizers.c compares:

    python3 tests/golden/make_tokenizers.py
"""
import json
import pathlib
import sys

from tokenizers import Tokenizer

SPACE = "\u2581"

WORDS = ("the cat sat on the mat then there was a hat and that is it's don't we'll hello Hello "
         "world WORLD cafe\u0301 caf\u00e9 na\u00efve 2024 12 345 1 + 2 = 3 x y foo_bar \u4e2d\u6587 \u4e2d \u65e5\u672c\u8a9e "
         "\u0440\u0443\u0441\u0441\u043a\u0438\u0439 \u00fc\u00df \U0001f600 tokenization token").split()

TEXTS = [
    "", " ", "  ", "\n", "a", " a", "a ", "  a  b  ", "hello world", " hello world", "Hello  world ",
    "the cat sat on the mat", "It's we'll don't DON'T 'S", "caf\u00e9 cafe\u0301 na\u00efve \u01c5",
    "1234567 12 3a4 \u0663\u0664 \u00bd x\u00b2", "foo_bar, (baz)! a-b--c \u2014 \u00abq\u00bb",
    "line\n\nline\r\n\ttab  \n end", "\u4e2d\u6587\u65e5\u672c\u8a9e \u3042\u30a2 \ud55c\uad6d\uc5b4", "\U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467 ok",
    "<s>hello</s> <x> <y>the", "a <x> b", "<x>  <x>", "  <y>  <y> ", "<x>", "the<x>the", "<s>", "<s> hello",
    "</s>a</s>b", "then the other", "\u2581a \u2581 \u2581\u2581b", "a\u00a0b\u3000c\u2003d\u180ee\u200bf", "\u0130I\u03a3 \u00c4\u00d6 \ufb01 \u2460 \uff21",
    "x" * 40, " " * 17 + "x", "the" * 12, "a\0b", "\ufffd \u00e9\u00e9 \u00ff", "<0x41> <0xE4>", "\u0915\u094d\u0937\u093f \u0e20\u0e32\u0e29\u0e32",
    "a  <y>", "<|user|>\nhi <|end|>  x", "ABC abc Abc ABc", "!!! ??? ...", "`` '' $5.00 #1 @me", "hello-world the_end",
]

QWEN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
        r"\s*[\r\n]+|\s+(?!\S)|\s+")
LLAMA3 = QWEN.replace(r"\p{N}|", r"\p{N}{1,3}|", 1)
DEEPSEEK = [r"\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
            r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|"
            r" ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"]
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
         r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+"
         r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}|"
         r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def byte_names():
    printable = list(range(0x21, 0x7F)) + list(range(0xA1, 0xAD)) + list(range(0xAE, 0x100))
    names, more = {}, 0
    for byte in range(256):
        names[byte] = chr(byte) if byte in printable else chr(0x100 + more)
        more += byte not in printable
    return names


BYTE_NAMES = byte_names()


def learn(words, symbols, count):
    """Plain BPE over the words' symbols: merges, most frequent pair first."""
    words = [list(word) for word in words]
    merges = []
    while len(merges) < count:
        pairs = {}
        for word in words:
            for pair in zip(word, word[1:]):
                pairs[pair] = pairs.get(pair, 0) + 1
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        for word in words:
            i = 0
            while i + 1 < len(word):
                if (word[i], word[i + 1]) == best:
                    word[i:i + 2] = ["".join(best)]
                i += 1
    return merges


def bpe(vocabulary, merges, pairs=False, **more):
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
             "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
             "ignore_merges": False, "vocab": vocabulary,
             "merges": [list(m) if pairs else " ".join(m) for m in merges]}
    model.update(more)
    return model


def byte_bpe(count=60, pairs=False, **more):
    words = [[BYTE_NAMES[b] for b in (" " + word).encode()] for word in WORDS]
    merges = learn(words, None, count)
    vocabulary = {}
    for name in list(BYTE_NAMES.values()) + ["".join(m) for m in merges]:
        vocabulary.setdefault(name, len(vocabulary))
    return bpe(vocabulary, merges, pairs, **more)


def text_bpe(count=60, fallback=True, words=None, letters=None, **more):
    words = words or [SPACE + word for word in WORDS]
    merges = learn(words, None, count)
    vocabulary = {"<unk>": 0, "<s>": 1, "</s>": 2}
    if fallback:
        for byte in range(256):
            vocabulary[f"<0x{byte:02X}>"] = len(vocabulary)
    letters = letters or sorted(set("".join(words)) - set("\u65e5\u672c\u0440\U0001f600"))
    for name in letters + ["".join(m) for m in merges]:
        vocabulary.setdefault(name, len(vocabulary))
    merges = [m for m in merges if m[0] in vocabulary and m[1] in vocabulary]
    return bpe(vocabulary, merges, **{"unk_token": "<unk>", "fuse_unk": True,
                                      "byte_fallback": fallback, **more})


def token(content, **more):
    return {"content": content, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": False, "special": True, **more}


def sequence(key, *steps):
    return {"type": "Sequence", key: list(steps)}


def regex_split(pattern, behavior="Isolated", invert=False):
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": behavior, "invert": invert}


def string_split(pattern, behavior="Isolated", invert=False):
    return {"type": "Split", "pattern": {"String": pattern}, "behavior": behavior, "invert": invert}


def byte_level(use_regex=False, blank=False):
    return {"type": "ByteLevel", "add_prefix_space": blank, "trim_offsets": True,
            "use_regex": use_regex}


def metaspace(scheme="always", split=True):
    return {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": scheme, "split": split}


def replace(pattern, content, kind="String"):
    return {"type": "Replace", "pattern": {kind: pattern}, "content": content}


def template(before=(), behind=()):
    def special(name):
        return {"SpecialToken": {"id": name, "type_id": 0}}
    return {"type": "TemplateProcessing",
            "single": [*map(special, before), {"Sequence": {"id": "A", "type_id": 0}},
                       *map(special, behind)],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "names": sorted({*before, *behind})}


LLAMA_NORMALIZER = sequence("normalizers", {"type": "Prepend", "prepend": SPACE}, replace(" ", SPACE))
LLAMA_DECODER = sequence("decoders", replace(SPACE, " "), {"type": "ByteFallback"}, {"type": "Fuse"},
                         {"type": "Strip", "content": " ", "start": 1, "stop": 0})
S = [token("<unk>"), token("<s>"), token("</s>")]
X = [token("<s>"), token("</s>"), token("<x>"), token("<y>", special=False)]
CHAT = [token("<s>"), token("</s>"), token("<|user|>", rstrip=True), token("<|end|>", rstrip=True),
        token("<x>", lstrip=True, rstrip=True), token("<y>", lstrip=True, special=False)]


def byte_tokenizer(*steps, added=X, **parts):
    model = parts.pop("model", None) or byte_bpe()
    return {"added_tokens": added, "pre_tokenizer": sequence("pretokenizers", *steps),
            "decoder": byte_level(), "model": model, **parts}


def text_tokenizer(added=S, decoder=LLAMA_DECODER, model=None, **parts):
    return {"added_tokens": added, "decoder": decoder, "model": model or text_bpe(), **parts}


NFC = {"type": "NFC"}
FAMILIES = {
    "gpt2": {"added_tokens": [token("<s>")], "pre_tokenizer": byte_level(True), "decoder": byte_level(),
             "post_processor": byte_level(), "model": byte_bpe()},
    "gpt_neox": {"added_tokens": [token("<s>"), token("  ", special=False, normalized=True),
                                  token("    ", special=False, normalized=True)],
                 "normalizer": NFC, "pre_tokenizer": byte_level(True), "decoder": byte_level(),
                 "model": byte_bpe()},
    "roberta": {"added_tokens": X, "pre_tokenizer": byte_level(True, True), "decoder": byte_level(),
                "post_processor": {"type": "RobertaProcessing", "sep": "</s>", "cls": "<s>",
                                   "trim_offsets": True, "add_prefix_space": False},
                "model": byte_bpe()},
    "qwen": byte_tokenizer(regex_split(QWEN), byte_level(), normalizer=NFC),
    "llama3": byte_tokenizer(regex_split(LLAMA3), byte_level(),
                             model=byte_bpe(pairs=True, ignore_merges=True),
                             post_processor=sequence("processors", byte_level(), template(["<s>"]))),
    "deepseek_v3": byte_tokenizer(*map(regex_split, DEEPSEEK), byte_level(),
                                  post_processor=byte_level()),
    "o200k": byte_tokenizer(regex_split(O200K), byte_level(), model=byte_bpe(ignore_merges=True)),
    "tekken": byte_tokenizer(regex_split(O200K.replace("(?i:'s|'t|'re|'ve|'m|'ll|'d)?", "")
                                         .replace("{1,3}", "")), byte_level(),
                             model=byte_bpe(ignore_merges=True),
                             post_processor=template(["<s>"], ["</s>"])),
    "starcoder": byte_tokenizer({"type": "Digits", "individual_digits": True}, byte_level(True)),
    "falcon": byte_tokenizer({"type": "Punctuation", "behavior": "Contiguous"}, byte_level(True),
                             {"type": "Digits", "individual_digits": False},
                             regex_split("[0-9][0-9][0-9]")),
    "glm4": byte_tokenizer(regex_split(LLAMA3), byte_level(), post_processor=template(["<s>", "<x>"])),
    "llama2": text_tokenizer(normalizer=LLAMA_NORMALIZER, post_processor=template(["<s>"])),
    "llama2_normalized": text_tokenizer([token("<unk>"), token("<s>", normalized=True),
                                         token("</s>", normalized=True)],
                                        normalizer=LLAMA_NORMALIZER),
    "mistral_v3": text_tokenizer(S + [token("<x>"), token("<y>", special=False)],
                                 pre_tokenizer=metaspace("first", False),
                                 post_processor=template(["<s>"])),
    "phi3": text_tokenizer([token("<unk>"), token("<s>"), token("</s>", rstrip=True), *CHAT[2:]],
                           normalizer=LLAMA_NORMALIZER),
    "yi": text_tokenizer(normalizer=sequence("normalizers", replace(" ", SPACE)),
                         decoder=sequence("decoders", replace(SPACE, " "), {"type": "ByteFallback"},
                                          {"type": "Fuse"})),
    "gemma": text_tokenizer(normalizer=replace(" ", SPACE),
                            pre_tokenizer=string_split(" ", "MergedWithPrevious"),
                            decoder=sequence("decoders", replace(SPACE, " "), {"type": "ByteFallback"},
                                             {"type": "Fuse"}), post_processor=template(["<s>"])),
    "minicpm": text_tokenizer(normalizer=LLAMA_NORMALIZER, model=text_bpe(fuse_unk=False)),
    "ernie": text_tokenizer(pre_tokenizer=metaspace("never", False)),
    "clip": {"added_tokens": [token("<s>"), token("</s>")],
             "normalizer": sequence("normalizers", NFC, replace(r"\s+", " ", "Regex"),
                                    {"type": "Lowercase"}),
             "pre_tokenizer": sequence("pretokenizers",
                                       regex_split(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+",
                                                   "Removed", True), byte_level()),
             "decoder": {"type": "BPEDecoder", "suffix": "</w>"},
             "model": None},
}


def suffixed():
    words = [[*map(BYTE_NAMES.get, word.encode())] for word in WORDS]
    for word in words:
        word[-1] += "</w>"
    merges = learn(words, None, 60)
    vocabulary = {}
    names = [*BYTE_NAMES.values()]
    for name in names + [name + "</w>" for name in names] + ["".join(m) for m in merges]:
        vocabulary.setdefault(name, len(vocabulary))
    return bpe(vocabulary, merges, end_of_word_suffix="</w>", unk_token="!")


FAMILIES["clip"]["model"] = suffixed()


def features():
    result = dict(FAMILIES)
    behaviors = ["Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
    plain = lambda **parts: text_tokenizer(decoder=None, model=text_bpe(words=WORDS, fallback=False), **parts)
    for behavior in behaviors:
        for invert in (False, True):
            name = behavior.lower() + ("_inverted" if invert else "")
            result["split_" + name] = plain(pre_tokenizer=regex_split(r"\s|[a-d]", behavior, invert))
            result["split_bytes_" + name] = byte_tokenizer(regex_split(r"\p{N}|-| ?\p{P}", behavior, invert),
                                                           byte_level())
            result["split_string_" + name] = plain(pre_tokenizer=string_split("th", behavior, invert))
        result["split_empty_" + behavior.lower()] = plain(pre_tokenizer=regex_split("t*|(?= )", behavior))
        result["punctuation_" + behavior.lower()] = plain(
            pre_tokenizer={"type": "Punctuation", "behavior": behavior})
    result["split_nothing"] = plain(pre_tokenizer=string_split("", "Removed"))
    for name in ["Whitespace", "WhitespaceSplit", "BertPreTokenizer"]:
        result[name.lower()] = plain(pre_tokenizer={"type": name})
    result["delimiter"] = plain(pre_tokenizer={"type": "CharDelimiterSplit", "delimiter": "a"})
    result["digits"] = plain(pre_tokenizer={"type": "Digits", "individual_digits": False})
    result["digits_each"] = plain(pre_tokenizer={"type": "Digits", "individual_digits": True})
    for scheme in ("first", "always", "never"):
        for split in (False, True):
            result[f"metaspace_{scheme}_{'split' if split else 'whole'}"] = text_tokenizer(
                X[:2] + [token("<x>"), token("<y>", special=False, lstrip=True)],
                pre_tokenizer=metaspace(scheme, split),
                decoder={"type": "Metaspace", "replacement": SPACE, "prepend_scheme": scheme,
                         "split": split})
        result[f"metaspace_{scheme}_later"] = text_tokenizer(
            normalizer={"type": "Strip", "strip_left": True, "strip_right": False},
            pre_tokenizer=sequence("pretokenizers", {"type": "WhitespaceSplit"}, metaspace(scheme)))
        result[f"metaspace_{scheme}_replaced"] = text_tokenizer(
            normalizer=replace("he|t", "h", "Regex"), pre_tokenizer=metaspace(scheme, False))
    for name in ["NFC", "NFD", "NFKC", "NFKD", "Lowercase"]:
        result[name.lower()] = byte_tokenizer(byte_level(True), normalizer={"type": name})
    for left in (False, True):
        for right in (False, True):
            result[f"strip_{left:d}{right:d}"] = byte_tokenizer(
                byte_level(True), normalizer={"type": "Strip", "strip_left": left, "strip_right": right})
    result["replace_regex"] = byte_tokenizer(byte_level(), normalizer=replace(r"\d+|aa?", "0", "Regex"))
    result["replace_string"] = byte_tokenizer(byte_level(), normalizer=replace("a", ""))
    result["byte_level_normalizer"] = {"added_tokens": X, "normalizer": {"type": "ByteLevel"},
                                       "decoder": byte_level(), "model": byte_bpe()}
    result["byte_level_normalizer_split"] = {
        "added_tokens": X + [token("hat", normalized=True)],
        "normalizer": sequence("normalizers", {"type": "Lowercase"}, {"type": "ByteLevel"}),
        "pre_tokenizer": regex_split("\u0120", "MergedWithNext"), "decoder": byte_level(),
        "model": byte_bpe()}
    result["split_names"] = byte_tokenizer(
        regex_split("[0-9]+"), byte_level(), string_split("\u0120", "MergedWithNext"),
        regex_split("[\u00c0-\u00c3\u0100-\u0110]|at", "Contiguous"), {"type": "Digits", "individual_digits": True})
    result["prefix_blank"] = byte_tokenizer(byte_level(True, True))
    result["null_decoder"] = byte_tokenizer(byte_level(True), decoder=None)
    result["no_pre_tokenizer"] = plain()
    # Merges that reach across the beginning of a word: of letters, of marks, of bytes and the unknown.
    joined = [SPACE + "the" + SPACE + "cat", "e" + SPACE + "t", SPACE * 4 + "x", "." + SPACE, "-" + SPACE + SPACE]
    result["words_joined"] = text_tokenizer(normalizer=LLAMA_NORMALIZER,
                                            model=text_bpe(words=joined * 3 + [SPACE + w for w in WORDS]))
    for left in ("<0x0A>", "<unk>"):
        model = text_bpe(fallback=left != "<unk>")
        model["vocab"][left + SPACE] = len(model["vocab"])
        model["merges"].insert(0, left + " " + SPACE)
        result["words_joined_" + left[1:4]] = text_tokenizer(normalizer=LLAMA_NORMALIZER, model=model)
    result["ignore_merges"] = text_tokenizer(pre_tokenizer=metaspace(), model=text_bpe(ignore_merges=True))
    for fallback in (False, True):
        for fuse in (False, True):
            for unknown in (None, "<unk>"):
                model = text_bpe(fallback=fallback, fuse_unk=fuse, unk_token=unknown,
                                 byte_fallback=fallback)
                for byte in range(0x80, 0x100, 3):
                    model["vocab"].pop(f"<0x{byte:02X}>", None)
                model["vocab"] = {name: i for i, name in enumerate(model["vocab"])}
                result[f"unknown_{fallback:d}{fuse:d}{unknown is not None:d}"] = text_tokenizer(
                    model=model, pre_tokenizer=metaspace("always", False))
    result["byte_level_unknown"] = byte_tokenizer(byte_level(True), model={
        **bpe({name: i for i, name in enumerate(["<unk>", *"abcdehtw", "\u0120", "th", "<0xC3>", "<0x81>"])},
              [("t", "h")], unk_token="<unk>", byte_fallback=True)})
    added = {"lstrip": dict(lstrip=True), "rstrip": dict(rstrip=True), "both": dict(lstrip=True, rstrip=True),
             "single": dict(single_word=True), "all": dict(lstrip=True, rstrip=True, single_word=True)}
    for name, flags in added.items():
        for normalized in (False, True):
            tokens = [token("<s>", **flags), token("<x>", normalized=normalized, **flags),
                      token("the", special=False, normalized=normalized, **flags),
                      token("  ", special=False, normalized=normalized),
                      token("\u00e9", special=False, normalized=normalized, **flags)]
            result[f"added_{name}_{normalized:d}"] = byte_tokenizer(
                byte_level(True), added=tokens, normalizer={"type": "Lowercase"})
            result[f"added_{name}_{normalized:d}_text"] = text_tokenizer(
                [token("<unk>"), *tokens], normalizer=LLAMA_NORMALIZER)
    result["added_longest"] = byte_tokenizer(byte_level(True), added=[
        token("th"), token("the"), token("hello w"), token("lo", special=False),
        token("he", special=False, normalized=True),
        token("ABC", normalized=True)], normalizer={"type": "Lowercase"})
    # White space that one token swallows and another matches; special tokens that are words, too.
    result["added_swallowed"] = byte_tokenizer(byte_level(True), added=[
        token(" ", lstrip=True, rstrip=True), token("<x>", rstrip=True), token("\n", lstrip=True),
        token("  a"), token("he", single_word=True), token("th", single_word=True, normalized=True)])
    affixed = bpe({name: i for i, name in enumerate(
        ["<unk>", *"thecaswo", *("##" + c for c in "thecaswo"), "th", "the", "##at", "cat"])},
        [("t", "##h"), ("th", "##e"), ("##a", "##t"), ("c", "##at")], unk_token="<unk>",
        continuing_subword_prefix="##")
    result["subword_prefix"] = text_tokenizer([token("<unk>")], decoder=None, model=affixed,
                                              pre_tokenizer={"type": "Whitespace"})
    result["affixes_empty"] = text_tokenizer(
        normalizer=LLAMA_NORMALIZER,
        model=text_bpe(continuing_subword_prefix="", end_of_word_suffix="", dropout=0.0))
    for name, steps in {
            "strip_both": [{"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 2, "stop": 1}],
            "strip_each": [replace(SPACE, " "), {"type": "Strip", "content": " ", "start": 1, "stop": 0}],
            "fuse_replace": [{"type": "ByteFallback"}, {"type": "Fuse"}, replace("t\u2581|he", "_", "Regex"),
                             {"type": "Strip", "content": SPACE, "start": 1, "stop": 0}],
            "fallback_metaspace": [{"type": "ByteFallback"}, {"type": "Metaspace", "replacement": SPACE,
                                                             "prepend_scheme": "first", "split": True}],
            "byte_level_late": [replace(SPACE, " "), byte_level()],
            "suffix": [{"type": "BPEDecoder", "suffix": "e"}],
            "empty": []}.items():
        result["decoder_" + name] = text_tokenizer(normalizer=LLAMA_NORMALIZER,
                                                   decoder=sequence("decoders", *steps))
    result["bert_processing"] = byte_tokenizer(byte_level(True), post_processor={
        "type": "BertProcessing", "sep": "</s>", "cls": "<s>"})
    for name, pattern in {"word": r"\w+|\W", "posix": r"\h+|\H", "lines": r"^.|.$|\R", "groups": r"(?:the|cat)(?= )|(?i)h(?-i)e",
                          "possessive": r"[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
                          "han": r"[\p{Han}]+|[^\p{Han}]{1,4}", "names": r"[\p{Lu}\p{Nd}]|\p{Greek}|\P{L}"}.items():
        result["regex_" + name] = byte_tokenizer(regex_split(pattern), byte_level())
    return result


def complete(name, parts):
    """A whole tokenizer.json: added tokens with the ids that the library gives, parts that name them."""
    parts = json.loads(json.dumps(parts))
    vocabulary, ids = parts["model"]["vocab"], {}
    following = len(vocabulary)
    for entry in parts["added_tokens"]:
        entry["id"] = vocabulary.get(entry["content"], following)
        following += entry["id"] == following
        ids[entry["content"]] = entry["id"]
    processor = parts.get("post_processor") or {}
    for step in [processor, *processor.get("processors", [])]:
        if "names" in step:
            step["special_tokens"] = {n: {"id": n, "ids": [ids[n]], "tokens": [n]} for n in step.pop("names")}
        for key in ("sep", "cls"):
            if key in step:
                step[key] = [step[key], ids[step[key]]]
    whole = {"version": "1.0", "truncation": None, "padding": None, "normalizer": None,
             "pre_tokenizer": None, "post_processor": None, "decoder": None, **parts}
    return whole


def shrink(whole):
    """Without what is null, which is the same as missing."""
    return {key: value for key, value in whole.items() if value is not None and key != "version"}


def random_ids(size):
    """Ids in an order that no text gives: halves of characters, runs of bytes."""
    state = 1
    for _ in range(5):
        ids = []
        for _ in range(9):
            state = state * 1103515245 + 12345 & 0x7FFFFFFF
            ids.append((state >> 8) % size)
        yield ids


def cases(name, whole, texts):
    """[text, ids, ids with the post-processor's, decoded, decoded without special tokens]; null is
    the same as what stands before it (decoded: the text)."""
    tokenizer = Tokenizer.from_str(json.dumps(whole))
    result = []
    for text in [*texts, *random_ids(tokenizer.get_vocab_size())]:
        try:
            plain = full = text
            if isinstance(text, str):
                plain = tokenizer.encode(text, add_special_tokens=False).ids
                full = tokenizer.encode(text).ids
            whole = tokenizer.decode(full, skip_special_tokens=False)
            skipped = tokenizer.decode(full, skip_special_tokens=True)
            result.append([TEXTS.index(text) if text in TEXTS else None, plain,
                           full if full != plain else None, whole if whole != text else None,
                           skipped if skipped != whole else None])
        except BaseException as error:  # the library's own panics: it has nothing to compare with
            print(f"{name}: left out {text!r}: {error}", file=sys.stderr)
    return result


def main():
    models, entries = [], []
    for name, parts in features().items():
        whole = complete(name, parts)
        tests = cases(name, whole, TEXTS[::2] if name.startswith("split_") else TEXTS)
        model = whole.pop("model")
        if model not in models:
            models.append(model)
        whole["model"] = models.index(model)
        entries.append({"name": name, "tokenizer": shrink(whole), "cases": tests})
    path = pathlib.Path(__file__).parent / "tokenizers.json"
    if len(sys.argv) > 1:
        path = pathlib.Path(sys.argv[1])
    with open(path, "w", encoding="utf-8") as file:
        dump = lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        file.write('{"texts":' + dump(TEXTS) + ',\n"models":[\n' + ",\n".join(map(dump, models)) + '\n],"tokenizers":[\n')
        file.write(",\n".join(map(dump, entries)) + "\n]}\n")
    print(len(entries), "tokenizers,", len(models), "models,", path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
