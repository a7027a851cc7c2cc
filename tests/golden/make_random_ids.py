#!/usr/bin/env python3
"""Makes random_ids.txt: ids of a million random strings by the `tokenizers` package, as hashes.

    make_random_ids.py PROGRAM SHARED                               writes random_ids.txt
    make_random_ids.py PROGRAM SHARED --tokenizer NAME --block N    first string of a block that differs
    make_random_ids.py --newer                                      characters left out of the strings

PROGRAM is build/tests/golden/random_ids, SHARED the folder with data/tokenizers. Made with
tokenizers 0.23.3. A line has one CRC-32 a tokenizer for a thousand strings: over the number of ids and
the ids of each, all as 32 bits, little-endian. --newer needs a Python whose unicodedata is 14.0.0.
"""
import argparse
import array
import os
import struct
import subprocess
import unicodedata
import zlib

from tokenizers import Regex, Tokenizer, pre_tokenizers

FILES = {
    "qwen2.5": "qwen2.5/tokenizer.reconstructed.json",
    "llama-3": "llama-3/tokenizer.reconstructed.json",
    "gpt2": "gpt2/tokenizer.reconstructed.json",
    "mistral-7b-v0.x": "mistral-7b-v0.x/tokenizer.json",
}
BLOCK, BLOCKS = 1000, 1000


def frames(data, item):
    """What the program writes: a count, then so many items of so many bytes."""
    at = 0
    while at < len(data):
        (count,) = struct.unpack_from("<I", data, at)
        yield data[at + 4 : at + 4 + count * item]
        at += 4 + count * item


def run(program, *arguments, item=1):
    output = subprocess.run([program, *map(str, arguments)], stdout=subprocess.PIPE, check=True)
    return list(frames(output.stdout, item))


def strings(program, block):
    # A program of its own replaces what is no UTF-8 here: Python.
    return [s.decode("utf-8", "replace") for s in run(program, "--strings", block * BLOCK, BLOCK)]


def ids(tokenizer, texts):
    encodings = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    return [array.array("I", e.ids).tobytes() for e in encodings]


def load(shared, name):
    return Tokenizer.from_file(f"{shared}/data/tokenizers/{FILES[name]}")


def write_hashes(program, shared):
    tokenizers = [load(shared, name) for name in FILES]
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "random_ids.txt")
    with open(path, "w") as out:
        print(*FILES, file=out)
        for block in range(BLOCKS):
            texts = strings(program, block)
            hashes = []
            for tokenizer in tokenizers:
                joined = b"".join(struct.pack("<I", len(i) // 4) + i for i in ids(tokenizer, texts))
                hashes.append(f"{zlib.crc32(joined):08x}")
            print(*hashes, file=out, flush=True)


def show_difference(program, shared, name, block):
    texts = strings(program, block)
    want = ids(load(shared, name), texts)
    have = run(program, "--ids", name, block * BLOCK, BLOCK, item=4)
    for i, text in enumerate(texts):
        if want[i] == have[i]:
            continue
        print(f"string {block * BLOCK + i}: {text!r}")
        print("want", list(array.array("I", want[i])))
        print("have", list(array.array("I", have[i])))
        return
    print("no difference")


def print_newer():
    """Unassigned in Unicode 14, assigned to the regex library of `tokenizers`; as few ranges as can be."""
    assert unicodedata.unidata_version == "14.0.0"
    unassigned = [c for c in range(0x110000) if unicodedata.category(chr(c)) == "Cn"]
    old, ranges = set(unassigned), []
    for begin in range(0, len(unassigned), 1000):
        text = "".join(map(chr, unassigned[begin : begin + 1000]))
        pieces = pre_tokenizers.Split(Regex(r"\p{Cn}"), "removed").pre_tokenize_str(text)
        for c in (ord(c) for piece, _ in pieces for c in piece):
            gap = range(ranges[-1][1] + 1, c) if ranges else []
            if ranges and len(gap) < 300 and old.issuperset(gap):
                ranges[-1][1] = c
            else:
                ranges.append([c, c])
    print(*("{0x%X, 0x%X}," % tuple(r) for r in ranges), sep="\n")


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("program", nargs="?")
parser.add_argument("shared", nargs="?")
parser.add_argument("--tokenizer", choices=FILES, default="qwen2.5")
parser.add_argument("--block", type=int)
parser.add_argument("--newer", action="store_true")
options = parser.parse_args()
if options.shared:
    os.environ["POTSTILL_SHARED"] = os.path.abspath(options.shared)
if options.newer:
    print_newer()
elif not options.shared:
    parser.error("PROGRAM and SHARED are missing")
elif options.block is None:
    write_hashes(options.program, options.shared)
else:
    show_difference(options.program, options.shared, options.tokenizer, options.block)
