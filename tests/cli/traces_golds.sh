#!/usr/bin/env bash
# traces_golds.sh POTSTILL CONFIG: two data sets that ask the same and differ in their golds. CONFIG:
# see evaluate.sh.
set -u
potstill=$(realpath "$1")
config=$(realpath "$2")
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
failures=0

fail() {
    echo "$*"
    failures=$((failures + 1))
}

# expect CODE PATTERN COMMAND...: the exit code, and a line of stdout or stderr that the pattern finds.
expect() {
    local code=$1 pattern=$2 output got
    shift 2
    output=$("$potstill" "$@" 2>&1 </dev/null)
    got=$?
    if [ $got != "$code" ] || ! grep -qE -- "$pattern" <<<"$output"; then
        fail "potstill $*: exit code $got (wanted $code), no line with /$pattern/ in:" "$output"
    fi
}

# ---- traces that are there ----

line() { # QUESTION ANSWER GOLD DATASET ID
    echo "{\"prompt\":\"$1\",\"completion\":\"\\\\boxed{$2}\",\"gold\":\"$3\",\"dataset\":\"$4\",\"id\":\"$5\"}"
}
for i in 1 2 3; do line "What is 4 plus $i?" $((4 + i)) $((4 + i)) one/train $i; done >one.jsonl
for i in 1 2 3; do line "What is 4 plus $i?" $((5 + i)) $((5 + i)) two/train $i; done >two.jsonl
expect 0 '3 traces added' traces import a.db one.jsonl
expect 0 '3 traces added' traces import a.db two.jsonl
expect 0 'graded 12 ' grade a.db
expect 0 'graded 0 ' grade a.db
# Each of the six traces is right for one of them.
for set in one two; do
    expect 0 '"traces":6,.*"verdicts":\{"correct":3,"wrong":3\}' traces stats a.db --dataset $set --json
    [ "$("$potstill" traces list a.db --dataset $set --verdict correct | grep -c "$set/train")" = 3 ] ||
        fail "$set: $("$potstill" traces list a.db --dataset $set)"
    expect 0 '^kept +3 of 3 questions' select a.db --dataset $set --name $set
done
expect 0 '^\{"messages":.*boxed\{7\}"\}\],.*"dataset":"two/train","gold":"7","verdict":"correct"' \
    traces export a.db --dataset two --selection two --metadata
expect 0 '^kept +6 of 6 questions' select a.db
expect 0 '^one +correct +3$' traces sql a.db \
    'SELECT dataset, verdict, count(*) FROM item JOIN latest_verdict v ON v.item = item.id GROUP BY 1, 2'
expect 0 '^two +6 +0\.5$' traces sql a.db \
    'SELECT dataset, sum(graded), avg(share) FROM item JOIN difficulty d ON d.item = item.id GROUP BY 1'

# A verdict by hand says which gold it is about where there are several.
trace=$("$potstill" traces list a.db --dataset two --verdict correct | awk 'NR == 2 {print $1}')
expect 2 'has 2 golds: [5-8] of one/train, [5-8] of two/train; say against which' \
    traces override a.db "$trace" wrong --who ada --why 'a slip'
expect 0 'was correct, is wrong by ada' \
    traces override a.db "$trace" wrong --dataset two --who ada --why 'a slip'
expect 0 'correct 2, wrong 4' traces stats a.db --dataset two
expect 0 'correct 3, wrong 3' traces stats a.db --dataset one
expect 0 '^item +one/train, row [1-3], gold [5-7]$' traces show a.db "$trace"
expect 0 '^also +two/train, row [1-3], gold [6-8]: wrong$' traces show a.db "$trace"
expect 0 ' ada +wrong, gold [6-8]: a slip$' traces show a.db "$trace"
[ "$("$potstill" traces show a.db "$trace" --samples | grep -cE '^ +[0-9]+ +[0-9] .* (one|two)/train:[1-3] ')" = 4 ] ||
    fail "two samples with two golds: $("$potstill" traces show a.db "$trace" --samples)"

# A gold that is corrected touches its own data set; what was said about the old one stays.
expect 0 'the gold of one/train:1 is 8; 2 traces graded again' traces gold a.db one/train:1 8
expect 0 '^1 were correct, are wrong' traces gold a.db one/train:2 9
expect 0 '0 traces graded again' traces gold a.db one/train:2 6
expect 0 'correct 2, wrong 4' traces stats a.db --dataset one
expect 0 '^(1[5-9]|2[0-9])$' traces sql a.db 'SELECT count(*) FROM verdict'

# Merging brings the verdicts along, whichever store had them.
expect 0 '3 traces added' traces import b.db one.jsonl
expect 0 'graded 3 ' grade b.db
expect 0 '6 items and .* verdicts added' traces merge c.db a.db
expect 0 '0 traces added, 3 were here' traces merge c.db b.db
expect 0 'correct 2, wrong 4' traces stats c.db --dataset two
expect 0 'graded 0 ' grade c.db

# ---- replies of an evaluation ----

for i in 1 2 3 4; do echo "{\"question\": \"What is 4 plus $i?\", \"answer\": \"$((4 + i))\"}"; done >one.jsonl
for i in 1 2 3 4; do echo "{\"question\": \"What is 4 plus $i?\", \"answer\": \"$((5 + i))\"}"; done >two.jsonl
for text in a b c d e; do echo "$text"; done >plain.txt
"$potstill" text train plain.txt --out tokenizer --quiet >/dev/null || exit 1
"$potstill" model init "$config" --seed 1 --out m --dtype f32 --quiet >/dev/null || exit 1
cp tokenizer/* m/
cat >twins.yaml <<'YAML'
potstill: 1
name: twins
seed: 3
store: traces.db
models:
  base: {path: m}
datasets:
  one: {file: one.jsonl, profile: gsm8k}
  two: {file: two.jsonl, profile: gsm8k}
stages:
  - evaluate: {models: base, datasets: {one: 1, two: 1}, max_tokens: 4}
  - report: {}
YAML
expect 0 '^two +base +[a-z]+ +4 +1 +0\.0 ' run twins.yaml
evals=$(echo runs/twins/evaluate-*/evals.db)
expect 0 '"traces":4,' traces stats "$evals" --json
expect 0 '^8$' traces sql "$evals" 'SELECT count(*) FROM verdict'
expect 0 'by me' traces override "$evals" 2 correct --dataset two --who me --why 'a test'
expect 0 '^two +base +[a-z]+ +4 +1 +25\.0 ' report runs/twins
expect 0 '^one +base +[a-z]+ +4 +1 +0\.0 ' report runs/twins
problems=$(grep -oE '"m":\[\["[a-z-]+"' runs/twins/report.html | sort | uniq -c | tr -d ' \n')
[ "$problems" = '7"m":[["t"1"m":[["c"' ] || [ "$problems" = '1"m":[["c"7"m":[["t"' ] ||
    fail "the page says of 8 problems: $problems"
# ---- two pipelines that share a store ----

for i in 1 2 3 4; do
    echo "{\"question\": \"What is 4 plus $i?\", \"answer\": \"$((4 + i))\", \"solution\": \"\\\\boxed{$((5 + i))}\"}"
done >one.jsonl
sed 's/"answer": "\([0-9]*\)", "solution": "..boxed{\([0-9]*\)}"/"answer": "\2", "solution": "So \\\\boxed{\2}"/' one.jsonl >two.jsonl
for set in two one; do
    cat >$set.yaml <<YAML
potstill: 1
name: $set
store: shared.db
datasets:
  $set: {file: $set.jsonl, profile: gsm8k}
stages:
  - import: {dataset: $set}
  - grade: {}
  - select: {}
YAML
done
expect 0 'grade: 4 of 4 traces are correct' run two.yaml
expect 0 'grade: 0 of 4 traces are correct' run one.yaml
grep -q '"considered":4,.*"kept":4,' runs/two/select/result.json || fail "two: $(cat runs/two/select/result.json)"
grep -q '"considered":4,.*"kept":0,' runs/one/select/result.json || fail "one: $(cat runs/one/select/result.json)"
expect 0 'everything is up to date' run two.yaml
[ $failures = 0 ]
