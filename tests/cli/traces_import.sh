#!/usr/bin/env bash
# traces_import.sh POTSTILL: replies from files into a store, and out again.
set -u
potstill=$(realpath "$1")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
failures=0

# expect CODE PATTERN COMMAND...: the exit code, and a line of stdout or stderr that the pattern finds.
expect() {
    local code=$1 pattern=$2 output got
    shift 2
    output=$("$potstill" "$@" 2>&1)
    got=$?
    if [ $got != "$code" ] || ! grep -qE -- "$pattern" <<<"$output"; then
        echo "potstill $*: exit code $got (wanted $code), no line with /$pattern/ in:"
        echo "$output"
        failures=$((failures + 1))
    fi
}

cat >mixed.jsonl <<'EOT'
{"messages":[{"role":"user","content":"1 + 1?"},{"role":"assistant","content":"<think>\nhm\n</think>\n\n\\boxed{2}"}],"gold":2,"dataset":"sums/test","id":"q-7"}
{"messages":[{"role":"user","content":"1 + 1?"},{"role":"assistant","content":"2","reasoning_content":"so"}]}
{"conversations":[{"from":"human","value":"1 + 2?"},{"from":"gpt","value":"3"}],"dataset":"math500","model":"m"}
{"prompt":"1 + 3?","completion":"<think>so"}
{"prompt":"1 + 3?"}
nope
{"messages":[{"role":"user","content":"1 + 1?"},{"role":"assistant","content":"2","reasoning_content":"so"}]}
EOT
gzip -k mixed.jsonl
expect 0 'mixed.jsonl:5: neither messages' traces import a.db mixed.jsonl
expect 0 '0 traces added, 5 there already, 0 failed requests, 2 lines rejected' traces import a.db mixed.jsonl
expect 0 '"added":0,"already":5,"failed":0,"rejected":2' traces import a.db mixed.jsonl.gz --json
expect 0 '"traces":5,"prompts":3' traces stats a.db --json
expect 0 '"finish_reasons":\{"length":1,"stop":4\}' traces stats a.db --json
expect 0 '"source":"m",.*"dataset":"math500","split":"test","row":3' traces list a.db --json
expect 0 '"sample":2,"dataset":"sums","split":"test","row":7,"gold":"2"' traces list a.db --json

# Another file with the same prompt appends; so does the same line in a file that has changed.
head -2 mixed.jsonl >two.jsonl
expect 0 '2 traces added' traces import a.db two.jsonl
expect 0 '"traces":7,"prompts":3' traces stats a.db --json

# The order in which files come makes no difference.
expect 0 '2 traces added' traces import b.db two.jsonl
expect 0 '5 traces added' traces import b.db mixed.jsonl.gz
[ "$("$potstill" traces hash a.db)" = "$("$potstill" traces hash b.db)" ] || {
    echo "two orders of importing lead to two stores"
    failures=$((failures + 1))
}

echo '{"question":"Q","answer":"A"}' >own.jsonl
expect 1 'nothing could be imported: all 1 lines were rejected' traces import c.db own.jsonl
expect 0 '1 traces added' traces import c.db own.jsonl --prompt-key question --completion-key answer --source me --dataset own
expect 0 '"source":"me","sample":0,"dataset":"own","split":"train","row":1,"gold":null' traces list c.db --json
expect 2 'absent.jsonl' traces import c.db absent.jsonl
expect 2 'an argument is missing' traces import c.db

cat >requests.jsonl <<'EOT'
{"custom_id":"r1","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"1 + 1?"}]}}
{"custom_id":"r2","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"1 + 2?"}]}}
EOT
cat >results.jsonl <<'EOT'
{"id":"b1","custom_id":"r2","response":{"status_code":200,"body":{"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"3","reasoning_content":"so"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":5}}},"error":null}
{"id":"b2","custom_id":"r1","response":{"status_code":429,"body":{"error":{"message":"slow down"}}},"error":null}
{"id":"b3","custom_id":"r9","response":{"status_code":200,"body":{"choices":[]}}}
EOT
expect 2 'name it with --requests' traces import d.db results.jsonl
expect 0 "results.jsonl:3: requests.jsonl has no request 'r9'" traces import d.db results.jsonl --requests requests.jsonl
expect 0 '0 traces added, 1 there already, 1 failed requests, 1 lines rejected' traces import d.db results.jsonl --requests requests.jsonl
expect 0 '"traces":1,.*"attempts":1,' traces stats d.db --json
expect 0 '"source":"m-1",.*"prompt_tokens":3,"output_tokens":5' traces list d.db --json

# What is exported comes back as it was: texts, and with --metadata what is known about them. (Not
# the sample's number: that is the place in the file.)
content() {
    "$potstill" traces list "$1" --json | grep -oE '"id":[0-9]+' | cut -d: -f2 | while read -r id; do
        "$potstill" traces show "$1" "$id" --json |
            grep -oE '"(prompt|source|dataset|split|gold|finish_reason|reasoning|content)":("([^"\\]|\\.)*"|null)' | tr '\n' ' '
        echo
    done | sort
}
content a.db >before
[ "$(wc -l <before)" = 7 ] || { echo "content: $(cat before)"; failures=$((failures + 1)); }
for format in messages sharegpt prompt-completion; do
    for reasoning in inline apart; do
        rm -f back.db*
        expect 0 '' traces export a.db --test --metadata --format $format --reasoning $reasoning --out back.jsonl
        expect 0 '7 traces added, 0 there already, 0 failed requests, 0 lines rejected' traces import back.db back.jsonl
        content back.db | cmp - before || {
            echo "$format, $reasoning: what comes back differs"
            failures=$((failures + 1))
        }
    done
done
expect 2 'test split' traces export a.db --dataset math500
head -1 mixed.jsonl | sed 's/sums.test/arith\/longer/' >longer.jsonl
expect 0 '1 traces added' traces import longer.db longer.jsonl
expect 2 'test split' traces export longer.db
expect 0 'messages' traces export longer.db --test

# What an import stage takes in, later stages find.
cat >p.yaml <<'EOT'
potstill: 1
name: own
store: p.db
stages:
  - import: {file: mixed.jsonl, source: r1}
  - grade: {}
EOT
expect 0 'import' run p.yaml
expect 0 '"prompts": ?3,' traces stats p.db --json
grep -qE '"traces": ?5' runs/own/import/result.json || { cat runs/own/import/result.json; failures=$((failures + 1)); }
expect 0 'correct 3' traces stats p.db --dataset sums/test
expect 0 'up to date' run p.yaml
head -3 mixed.jsonl >>mixed.jsonl
expect 0 'import' run p.yaml
expect 0 '"traces":13,' traces stats p.db --json
expect 2 "either 'file' or 'dataset'" check p.yaml --set import.dataset=gsm8k/train
[ $failures = 0 ]
