#!/usr/bin/env bash
# traces.sh POTSTILL MAKE_STORE EXTENSION: the commands that look into a store.
set -u
potstill=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
store=$folder/a.db
"$2" "$store" || exit 1
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

# lines NUMBER COMMAND...: so many lines of stdout.
lines() {
    local wanted=$1 got
    shift
    got=$("$potstill" "$@" | wc -l)
    if [ "$got" != "$wanted" ]; then
        echo "potstill $*: $got lines instead of $wanted"
        failures=$((failures + 1))
    fi
}

lines 7 traces list "$store"
lines 4 traces list "$store" --dataset sums/test
lines 3 traces list "$store" --finish length
lines 5 traces list "$store" --verdict correct
lines 2 traces list "$store" --limit 1
expect 0 'sums/train:4 +0 +tiny +stop +3 +correct' traces list "$store"
expect 0 '"dataset":"sums","split":"train","row":4,"gold":"2","verdict":"truncated"' traces list "$store" --json
expect 0 '^What is 1 \+ 1\?' traces show "$store" 1
expect 0 '^One and one\.' traces show "$store" 1
expect 0 '1000 +-1\.25000' traces show "$store" 1 --tokens
expect 0 '"ids":\[7,1000,3\],"logprobs":\[-0\.5,-1\.25,0\]' traces show "$store" 1 --tokens --json
expect 0 '^The texts of the tokens are not known' traces show "$store" 1 --tokens
expect 0 '"token_texts":null' traces show "$store" 1 --tokens --json
expect 0 '"verdicts":\[\{"grader":"math 1","verdict":"correct","gold":"2","extracted":null' traces show "$store" 1 --json
expect 2 'no trace 99' traces show "$store" 99
expect 2 "'x' is no trace id" traces show "$store" x
expect 0 '"traces":6,"prompts":2,"tokens":18' traces stats "$store" --json
expect 0 '"verdicts":\{"correct":4,"truncated":2\},"finish_reasons":\{"length":2,"stop":4\}' traces stats "$store" --json
expect 0 'correct 2, truncated 1' traces stats "$store" --dataset sums/train
lines 4 traces list "$store" --dataset sums/train --row 4
lines 1 traces list "$store" --dataset sums/train --row 5
expect 2 'of which --dataset' traces list "$store" --row 5
lines 4 traces list "$store" --text 'ONE AND' --dataset sums/train
lines 1 traces list "$store" --text 'one or'
lines 7 traces list "$store" --difficulty 0.5..0.8
lines 1 traces list "$store" --difficulty ..0.5
lines 1 traces list "$store" --difficulty 0.7..1
prompt=$("$potstill" traces list "$store" --dataset sums/train --json | grep -oE '"prompt":"[0-9a-f]{9}' | head -1)
lines 4 traces list "$store" --prompt "${prompt#*:\"}"

# the samples of a prompt, found in three ways
show="traces show $store"
# shellcheck disable=SC2086
{
    expect 0 '^ +2 +1  tiny +stop +3  sums/train:4 +2 +correct' $show --dataset sums/train --row 4
    lines 28 $show --dataset sums/train --row 4
    lines 28 $show 2 --samples
    lines 28 $show --prompt "${prompt#*:\"}"
    expect 0 '^\[\{"prompt":"[0-9a-f]{64}","conversation":.*"samples":\[\{"id":1,.*"content":"' $show 2 --samples --json
    expect 2 'there is no trace of that prompt' $show --prompt 0
    expect 2 'give the id of a trace, or --prompt' $show
    expect 2 'give the id of a trace, or --prompt' $show --dataset sums/train
    expect 2 'give the id of a trace, or --prompt' $show 2 --prompt 0
}
cat >"$folder/wide.jsonl" <<'EOT'
{"prompt":"q","completion":"A first line, then\n\na-word-that-is-wider-than-a-column \u6f22\u5b57\u6f22\u5b57\u6f22\u5b57\u6f22 e\u0301\u0007\tz"}
{"prompt":"q","completion":"Short."}
EOT
"$potstill" traces import "$folder/wide.db" "$folder/wide.jsonl" --quiet >/dev/null
COLUMNS=35 "$potstill" traces show "$folder/wide.db" 1 --samples --columns 2 | tail -11 |
    sed 's/ *$//' >"$folder/got"
diff - "$folder/got" <<'EOT' || failures=$((failures + 1))
trace 1, sample  | trace 2, sample
0 of import: not | 1 of import: not
graded           | graded
A first line,    | Short.
then             |
                 |
a-word-that-is-w |
ider-than-a-colu |
mn               |
漢字漢字漢字漢   |
é? z             |
EOT
expect 2 "'0.8..0.2' is no range within 0..1" traces list "$store" --difficulty 0.8..0.2
expect 2 "'0.5' is no range" traces list "$store" --difficulty 0.5
expect 2 "'xy' is no beginning of a prompt's hash" traces list "$store" --prompt xy
expect 0 '"ids_bytes_per_token":[0-9.]+,"logprobs_bytes_per_token":[0-9.]+' traces stats "$store" --json
expect 0 '^ +a token: ids [0-9.]+ bytes, log-probabilities [0-9.]+' traces stats "$store"
expect 2 'test split' traces export "$store"
expect 2 'test split' traces export "$store" --out "$folder/out.jsonl"
[ -e "$folder/out.jsonl" ] && { echo "a refused export left its file"; failures=$((failures + 1)); }
lines 3 traces export "$store" --dataset sums/train
lines 6 traces export "$store" --test
expect 0 '"content":"<think>\\nOne and one\.\\n</think>\\n\\n\\\\boxed\{2\}"' traces export "$store" --dataset sums/train
expect 0 '"reasoning_content":"\\nOne and one\.\\n","content"' traces export "$store" --test --reasoning apart
expect 0 '^\{"conversations":\[\{"from":"human","value":"What is 1' traces export "$store" --dataset sums/train --format sharegpt
expect 0 '^\{"prompt":"What is 1 \+ 1\?","completion":"<think>' traces export "$store" --dataset sums/train --format prompt-completion
expect 0 '"id":4,"dataset":"sums/train","gold":"2","verdict":"truncated","finish_reason":"length","model":"tiny"\}$' traces export "$store" --dataset sums/train --metadata
expect 0 '' traces export "$store" --test --out "$folder/out.jsonl"
[ "$(wc -l <"$folder/out.jsonl")" = 6 ] || { echo "export --out wrote something else"; failures=$((failures + 1)); }
expect 0 '^[0-9a-f]{64}$' traces hash "$store"
expect 0 '^\{"hash":"[0-9a-f]{64}"\}$' traces hash "$store" --json
hash=$("$potstill" traces hash "$store")
expect 0 '^6 traces packed: [0-9]+ bytes before, [0-9]+ now$' traces pack "$store"
expect 0 '^\{"packed":0,"file_bytes_before":[0-9]+,"file_bytes":[0-9]+\}$' traces pack "$store" --json
expect 0 "^$hash$" traces hash "$store"
expect 0 '"ids":\[7,1000,3\],"logprobs":\[-0\.5,-1\.25,0\]' traces show "$store" 1 --tokens --json
expect 0 '^ +1  <think>$' traces sql "$store" 'SELECT id, potstill_text(id) FROM trace ORDER BY id LIMIT 1'
expect 0 '^\{"t":"\[7,1000,3\]","n":6,"x":null,"b":"00ff"\}$' traces sql "$store" --json "SELECT potstill_tokens(min(id)) AS t, count(*) AS n, NULL AS x, x'00ff' AS b FROM trace"
expect 2 'would change the store' traces sql "$store" 'DELETE FROM trace'
expect 2 'one statement at a time' traces sql "$store" 'SELECT 1; SELECT 2'
expect 2 'no such column: foo' traces sql "$store" 'SELECT foo FROM trace'
expect 2 'no trace 99' traces sql "$store" 'SELECT potstill_text(99)'
expect 2 'no such store' traces stats "$folder/absent.db"
expect 2 'not a trace store' traces list "$0"
expect 2 'did you mean --verdict' traces list "$store" --verdct correct
expect 2 'neither stop nor length' traces list "$store" --finish foo
expect 0 '^6 traces, 0 of them lost, 0 problems$' traces verify "$store"
sqlite=$(command -v sqlite3) && {
    extension=$("$sqlite" "$store" ".load $3" "SELECT potstill_tokens(id), potstill_text(1) FROM trace WHERE id = 2")
    [ "$extension" = "$(printf '[7,1000,3]|<think>\nOne and one.\n</think>\n\n\\boxed{2}')" ] ||
        { echo "the extension of sqlite3 says: $extension"; failures=$((failures + 1)); }
    "$sqlite" "$store" "UPDATE frame SET data = CAST(x'00' || data AS BLOB)"
    expect 1 'trace [0-9]+ cannot be read: .*frame [0-9]+ is damaged' traces hash "$store"
    expect 1 'lost: trace 2 \(sums/train:4, sample 1 of tiny\)' traces verify "$store"
    expect 1 'damaged; .*traces salvage' traces verify "$store"
    expect 0 '^\{"traces":6,"lost":6,"problems":6\}$' traces salvage "$store" "$folder/saved.db" --json
    expect 0 '^0 traces, 0 of them lost, 0 problems$' traces verify "$folder/saved.db"
}

bench="--traces 300 --bytes 500 --reads 5 --rounds 1"
# shellcheck disable=SC2086
expect 0 '"traces":300,"text_bytes":1[0-9]+,.*"kept_per_second":[1-9].*"command":"list","rows":300' bench store "$folder/bench.db" $bench --json
lines 301 traces list "$folder/bench.db"
expect 0 '^300 traces, 0 of them lost, 0 problems$' traces verify "$folder/bench.db"
# shellcheck disable=SC2086
expect 0 '^random read, median, ms ' bench store "$folder/again.db" $bench
expect 0 "^$("$potstill" traces hash "$folder/bench.db")$" traces hash "$folder/again.db"
expect 2 'exists; name a store that does not' bench store "$folder/again.db"
[ $failures = 0 ]
