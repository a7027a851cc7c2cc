#!/usr/bin/env bash
# Makes examples/models/tokenizer: byte-level BPE of about 900 entries from arithmetic stories, each
# digit a token of its own. Needs jq. The same texts give the same tokenizer.
set -euo pipefail
cd "$(dirname "$0")/.."
texts=$(mktemp -d)
trap 'rm -rf "$texts"' EXIT
for set in train one-step chains; do
    build/pipelines/potstill dataset show "arith/$set" --rows 3000 --json |
        jq -r '.first[] | .question, .solution' >"$texts/$set.txt"
done
build/pipelines/potstill text train "$texts"/{train,one-step,chains}.txt --size 1000 --out examples/models/tokenizer
