r"""Training text across vocabularies, as jinja2 and the tokenizers library make it.

    python tests/golden/make_student_text.py SHARED        (jinja2, tokenizers)

SHARED holds tokenizers/ and chat_templates/. Writes tests/golden/student_text.json: replies of an
R1-style teacher as training rows of students with other vocabularies and templates: the prompt by
the student's template under the settings of transformers, then <think>\nR\n</think>\n\nC (what the
prompt has of it already is left out; a reply that was cut ends where it was cut), then the token
that ends a turn there.
"""
import datetime
import json
import os
import sys

from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

SHARED = sys.argv[1]
DAY = datetime.date(2026, 11, 21)
QUESTION = "What is $\\frac{3}{4}$ of 28?\n\nReason step by step, and put the final answer within \\boxed{}."
REASONING = "Okay, so 28 / 4 = 7.\n\nThen 7 * 3 = 21. Wait, let me check: 21 + 7 = 28. Yes — fine."
CONTENT = "Three quarters of 28 are\n\\[\n\\boxed{21}\n\\]"
CONVERSATIONS = {
    "plain": [{"role": "user", "content": QUESTION}],
    "system": [{"role": "system", "content": "Be terse."}, {"role": "user", "content": QUESTION}],
    "shots": [{"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "\\boxed{2}"},
              {"role": "user", "content": QUESTION}],
}
REPLIES = {
    "stop": dict(reasoning=REASONING, content=CONTENT, finish="stop"),
    "cut": dict(reasoning=REASONING, content="", finish="length"),
    "answer": dict(reasoning="", content=CONTENT, finish="stop"),
}
# tokenizer, template, the token that ends a turn
STUDENTS = [
    ("qwen2.5", "qwen2.5", "<|im_end|>"),
    ("llama-3", "llama-3.2", "<|eot_id|>"),
    ("qwen2.5", "qwen3", "<|im_end|>"),
    ("qwen2.5", "deepseek-r1-distill", None),  # opens the thought; prints no end that Qwen2.5 has
]


def fail(message):
    raise RuntimeError(message)


def environment():
    made = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    made.globals["raise_exception"] = fail
    made.globals["strftime_now"] = lambda form: DAY.strftime(form)
    made.filters["tojson"] = lambda x, indent=None: json.dumps(x, ensure_ascii=False, indent=indent)
    return made


def read(*path):
    with open(os.path.join(SHARED, *path), encoding="utf-8") as file:
        return file.read()


def special_tokens(tokenizer):
    config = json.loads(read("tokenizers", tokenizer, "tokenizer_config.json"))
    tokens = {}
    for key in ("bos_token", "eos_token", "unk_token", "pad_token"):
        value = config.get(key)
        value = value["content"] if isinstance(value, dict) else value
        if value is not None:
            tokens[key] = value
    return tokens


def reply_text(reply, prompt):
    opened = prompt.rstrip().endswith("<think>")
    if not reply["reasoning"] and not opened:
        return reply["content"]
    text = "" if opened else "<think>\n"
    text += reply["reasoning"]
    if reply["finish"] == "stop":
        text += "\n</think>\n\n" + reply["content"]
    return text


def main():
    cases = []
    for tokenizer, template, end in STUDENTS:
        encoder = Tokenizer.from_file(os.path.join(SHARED, "tokenizers", tokenizer, "tokenizer.reconstructed.json"))
        jinja = environment().from_string(read("chat_templates", template + ".jinja"))
        for name, messages in CONVERSATIONS.items():
            prompt = jinja.render(messages=messages, tools=None, documents=None, add_generation_prompt=True,
                                  **special_tokens(tokenizer))
            for kind, reply in REPLIES.items():
                ids = encoder.encode(prompt, add_special_tokens=False).ids
                first = len(ids)
                ids += encoder.encode(reply_text(reply, prompt), add_special_tokens=False).ids
                if reply["finish"] == "stop":
                    ids.append(encoder.token_to_id(end or "<|endoftext|>"))
                cases.append(dict(name=f"{tokenizer} {template} {name} {kind}", tokenizer=tokenizer,
                                  template=template, messages=messages, end=end, first_target=first, ids=ids, **reply))
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "student_text.json")
    with open(path, "w", encoding="utf-8") as out:
        out.write(json.dumps({"date": DAY.isoformat(), "cases": cases}, ensure_ascii=False, separators=(",", ":"))
                  .replace('{"name"', '\n{"name"') + "\n")
    print(len(cases), "cases")


main()
