#!/bin/sh
# text train, encode, decode: exact output. $1: the potstill program.
potstill=$(realpath "$1")
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
export HF_HUB_CACHE=cache

printf 'the cat and the hat\nthe end 12\n' >texts.txt
printf '{"question": "the hat\\nthe cat", "level": 3}\n' >texts.jsonl
{
    "$potstill" text train texts.txt texts.jsonl --out tiny --size 270 | sed 's/sha256 .*/sha256/'
    "$potstill" text encode --tokenizer tiny 'the hat 12<|im_end|>'
    printf 'the hat 12<|im_end|>' | "$potstill" text encode --tokenizer tiny/tokenizer.json --json
    "$potstill" text encode --tokenizer tiny --ordinary '<think>'
    "$potstill" text decode --tokenizer tiny 256 104 267,267
    "$potstill" text decode --tokenizer tiny --skip-special --json 256 104 267 195
    "$potstill" text encode --tokenizer tiny --jsonl <<'LINES'
{"text": "caf\u00e9"}
{"text": "<|im_end|>"}
{"text": "<|im_end|>", "ordinary": true}
{"text": "a\u0000b", "special": true}
{"text": 5}
no JSON
{"text": ""}
LINES
    printf '{"ids": [99, 97, 102, 195, 169]}\n{"ids": [-1]}\n{}\n' |
        "$potstill" text decode --tokenizer tiny --jsonl
    echo "exit code $?"
    printf 'the hat\nthe cat' >texts.txt
    "$potstill" bench text --tokenizer tiny --rounds 1 --json texts.txt texts.jsonl |
        sed 's/,"first_mb.*"mb_per_second":[0-9.]*/,/'
    "$potstill" text encode --tokenizer nowhere.json x 2>&1
    echo "exit code $?"
    "$potstill" text encode x 2>&1
    echo "exit code $?"
    echo '{"normalizer": {"type": "Precompiled"}}' >other.json
    "$potstill" text encode --tokenizer other.json x 2>&1
    echo "exit code $?"
} >got

cat >expected <<'EXPECTED'
3 texts, 269 entries, sha256
257 263 32 49 50 266
{"ids":[257,263,32,49,50,266]}
60 116 104 105 110 107 62
heh<think><think>
{"text":"heh<think>�"}
{"ids":[99,97,102,195,169]}
{"ids":[266]}
{"ids":[60,124,105,109,95,101,261,124,62]}
{"ids":[97,0,98]}
{"error":"'text' is missing or no string"}
{"error":"stdin:6:2: invalid token near 'no'"}
{"ids":[]}
{"text":"café"}
{"error":"-1 is no token id"}
{"error":"'ids' is missing"}
exit code 0
{"texts":2,"bytes":30,"tokens":10,}
potstill: nowhere.json: no such file or folder, and the Hugging Face cache cache has no models--nowhere.json
exit code 2
potstill: text encode: 'tokenizer' is missing (a tokenizer.json, the folder that has one, or the id of a model in the cache)
exit code 2
potstill: other.json: this tokenizer needs a feature that is not built: normalizer 'Precompiled'
exit code 2
EXPECTED
diff -u expected got
