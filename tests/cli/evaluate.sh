#!/usr/bin/env bash
# evaluate.sh POTSTILL CONFIG: two models with random weights through evaluate, and through a pipeline
# of all stages up to it. CONFIG: a config.json of a tiny model, whose vocabulary is the 261 entries
# of a tokenizer without merges.
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
    output=$("$potstill" "$@" 2>&1)
    got=$?
    if [ $got != "$code" ] || ! grep -qE -- "$pattern" <<<"$output"; then
        fail "potstill $*: exit code $got (wanted $code), no line with /$pattern/ in:" "$output"
    fi
}

for i in $(seq 0 23); do
    a=$((i % 5)) b=$((i % 3))
    echo "{\"id\": \"$i\", \"question\": \"What is $a plus $b? ($i)\", \"answer\": \"$((a + b))\"," \
        "\"solution\": \"We add $a and $b: \\\\boxed{$((a + b))}\"}"
done >sums.jsonl
for text in a b c d e; do echo "$text"; done >plain.txt
"$potstill" text train plain.txt --out tokenizer --quiet >/dev/null || exit 1
for seed in 1 2; do
    "$potstill" model init "$config" --seed $seed --out m$seed --dtype f32 --quiet >/dev/null || exit 1
    cp tokenizer/* m$seed/
done

# ---- the command ----

evaluate=(evaluate --model base=m1 --model student=m2 --max-tokens 8 --limit 3 --out evals.db --seed 5)
expect 2 'at temperature 0 all 2 samples' "${evaluate[@]}" --dataset arith/test=2 --temperature 0
expect 2 'write NAME=MODEL' evaluate --model m1 --dataset arith/test=1 --out evals.db
expect 2 "'dataset' is missing" evaluate --model a=m1 --out evals.db
expect 2 'number of samples' "${evaluate[@]}" --dataset arith/test=1.5
[ -e evals.db ] && fail 'a refused evaluation left a store'
expect 0 '^arith/test +student +student +3 +2 ' "${evaluate[@]}" --dataset arith/test=2
"$potstill" "${evaluate[@]}" --dataset arith/test=2 --json --quiet >first.json
"$potstill" "${evaluate[@]}" --dataset arith/test=2 --json --quiet >second.json
cmp first.json second.json || fail 'evaluating again gives other numbers'
grep -q '"model":"base","role":"base","dataset":"arith/test","problems":3,"samples":2,"max_tokens":8,"pass_at_1":' \
    first.json || fail "results: $(cat first.json)"
grep -q '"a":"base","b":"student","dataset":"arith/test","difference":' first.json ||
    fail "pairs: $(cat first.json)"
expect 0 '"traces":12,' traces stats evals.db --json
expect 0 '^arith/test +base +base +3 +3 ' "${evaluate[@]}" --dataset arith/test=3
expect 0 '"traces":18,' traces stats evals.db --json

expect 0 'arith/test: the first 3 of its 500 problems' "${evaluate[@]}" --dataset arith/test=2
expect 0 '"high":0.7075982261' "${evaluate[@]}" --dataset arith/test=1 --interval exact --json
expect 2 'interval.*wilson, exact' "${evaluate[@]}" --dataset arith/test=1 --interval student

# A sweep gives what sampling with each limit gives, and samples nothing for it.
sweep=(evaluate --model base=m1 --dataset arith/test=2 --limit 8 --temperature 1 --seed 2)
expect 0 '16 replies, 16 of them sampled now' "${sweep[@]}" --max-tokens 200 --out long.db
expect 0 '^arith/test +base +100 ' "${sweep[@]}" --max-tokens 200 --max-tokens-sweep 100,40 --out long.db
expect 0 '16 replies, 0 of them sampled now' "${sweep[@]}" --max-tokens 200 --max-tokens-sweep 40,100 --out long.db
expect 2 "'300' is no number of tokens" "${sweep[@]}" --max-tokens 200 --max-tokens-sweep 300 --out long.db
"$potstill" "${sweep[@]}" --max-tokens 200 --max-tokens-sweep 40,100 --out long.db --json --quiet >swept.json
"$potstill" "${sweep[@]}" --max-tokens 100 --out short.db --json --quiet >short.json
grep -o '"limits":\[.*' swept.json | grep -oE '"max_tokens":100,[^}]*' >swept
sed 's/,"pass_at":.*//' short.json | grep -oE '"max_tokens":100,.*' >short
cmp swept short || fail "a sweep says $(cat swept), sampling $(cat short)"
grep -qE '"truncated":0\.[0-9]' short || fail "all replies or none are cut: $(cat short)"
# Replies of a larger limit count as cut at a smaller one.
"$potstill" "${sweep[@]}" --max-tokens 100 --out long.db --json --quiet | cmp - short.json ||
    fail 'long replies change the score at a smaller limit'

# ---- thinking budgets ----

thinking=(evaluate --model base=m1 --dataset arith/test=2 --limit 6 --temperature 1.5 --seed 2
    --max-tokens 60 --prefill '<think>
')
expect 0 '36 replies, 36 of them sampled now' "${thinking[@]}" --thinking-budget none,7,20- --out thoughts.db
expect 0 '^arith/test +base, thinking 7 +base +6 +2 ' \
    "${thinking[@]}" --thinking-budget none,7,20- --out thoughts.db
expect 0 '24 replies, 0 of them sampled now' "${thinking[@]}" --thinking-budget 20-,7 --out thoughts.db
"$potstill" "${thinking[@]}" --thinking-budget none,7,20- --out thoughts.db --json --quiet >thoughts.json
grep -q '"model":"base, thinking 7","role":"base","dataset":"arith/test","of":"base","budget":"7"' \
    thoughts.json || fail "no budget in $(cat thoughts.json)"
[ "$(grep -o '"difference"' thoughts.json | wc -l)" = 2 ] || fail "not 2 pairs: $(cat thoughts.json)"
expect 0 '36 of 36 traces are the same to the bit' traces replay thoughts.db --model m1
expect 2 'leaves none of max_tokens, 60' "${thinking[@]}" --thinking-budget 60 --out thoughts.db
expect 2 "'-5' is not understood" "${thinking[@]}" --thinking-budget=-5 --out thoughts.db
expect 2 'must have </think> once' "${thinking[@]}" --thinking-budget 5 --thinking-end so --out thoughts.db
expect 2 'takes several' sample --model m1 --dataset arith/test --limit 2 --thinking-budget 5,6 thoughts.db
expect 2 'thinking is off' evaluate --model base=m1 --dataset arith/test=1 --limit 2 --max-tokens 9 \
    --prefill '<think></think>' --thinking-budget 5 --out thoughts.db
expect 0 'no reply has a thought' evaluate --model base=m1 --dataset arith/test=1 --limit 2 \
    --max-tokens 9 --temperature 0 --thinking-budget 5 --out thoughts.db

# ---- resuming ----

traces_in() {
    "$potstill" traces stats "$1" --json 2>/dev/null | grep -oE '"traces":[0-9]+' | cut -d: -f2
}

# Killed again and again, wherever it is, and run again: the same replies, and none of them twice.
long=(evaluate --model base=m1 --model student=m2 --dataset arith/test=2 --limit 20 --max-tokens 400
    --temperature 1 --keep 0.05s --sequences 8 --prefill '<think>' --thinking-budget none,100-250
    --thinking-wait w)
"$potstill" "${long[@]}" --out whole.db --json --quiet >whole.json 2>/dev/null
kept=0 halfway=0
for delay in 0.05 0.1 0.15 0.2 0.25 0.3 0.35 0.4 0.5 0.6 0.8 1 1.5 2 3 5 8 13 21 34 55; do
    { timeout -s KILL $delay "$potstill" "${long[@]}" --out killed.db && break; } >/dev/null 2>&1
    before=$kept kept=$(traces_in killed.db)
    kept=${kept:-0}
    [ "$kept" -ge "$before" ] || fail "of $before replies a kill left $kept"
    [ "$kept" -ge 1 ] && [ "$kept" -lt 160 ] && halfway=$((halfway + 1))
done
[ $halfway -ge 1 ] || fail 'no kill met the evaluation halfway'
expect 0 '160 replies, 0 of them sampled now' "${long[@]}" --out killed.db
"$potstill" "${long[@]}" --out killed.db --json --quiet | cmp - whole.json ||
    fail 'resuming gives other scores'
[ "$("$potstill" traces hash killed.db)" = "$("$potstill" traces hash whole.db)" ] ||
    fail 'resuming gives other replies'

# ---- what cannot be evaluated ----

echo '{"question": "What is 1 plus 1?", "answer": "2"}
{"question": "What is 1 plus 2?"}' >some.jsonl
: >none.jsonl
for set in some:'no gold answer for 1 of 2 problems, the first of them row 2' none:'has no rows'; do
    cat >odd.yaml <<YAML
potstill: 1
name: odd
store: odd.db
models: {m: {path: m1}}
datasets: {odd: {file: ${set%%:*}.jsonl}}
stages: [{evaluate: {models: [m], datasets: {odd: 1}, max_tokens: 8}}]
YAML
    expect 2 "${set#*:}" run odd.yaml
done
expect 2 "'base' is there twice" evaluate --model base=m1 --model base=m2 --dataset arith/test=1 --out odd.db
expect 2 'no such file or folder' evaluate --model base=m3 --dataset arith/test=1 --out odd.db
cp -r m1 cut && truncate -s 1000 cut/model.safetensors
expect 2 'cut off' evaluate --model base=m1 --model cut=cut --dataset arith/test=1 --out odd.db
[ -e odd.db ] && fail 'what cannot be evaluated left a store'

# ---- the stages ----

cat >tiny.yaml <<'YAML'
potstill: 1
name: tiny
seed: 3
store: traces.db
models:
  teacher: {path: m1}
  base: {path: m2}
datasets:
  sums: {file: sums.jsonl, profile: gsm8k}
  dev: {from: sums, sample: 4}
stages:
  - sample: {models: teacher, dataset: sums, samples: 2, max_tokens: 8}
  - import: {dataset: sums}
  - grade: {}
  - select: {per_question: 1, prefer: shortest}
  - train: {id: control, model: base, steps: 1, batch: 2, sequence_length: 128}
  - train: {id: student, model: base, steps: 2, batch: 2, sequence_length: 128}
  - evaluate: {models: [teacher, base, student, control], datasets: {dev: 1}, max_tokens: 8}
  - report: {}
YAML
expect 0 '^dev +student +student +4 +1 ' run tiny.yaml
for role in teacher:teacher base:base student:student control:other; do
    grep -q "\"model\":\"${role%:*}\",\"role\":\"${role#*:}\"" runs/tiny/evaluate/result.json ||
        fail "no $role in $(cat runs/tiny/evaluate/result.json)"
done
[ "$(grep -o '"difference"' runs/tiny/evaluate/result.json | wc -l)" = 6 ] || fail 'not 6 pairs'
grep -q '"traces":60,"graded":60,' runs/tiny/grade/result.json ||
    fail "grade: $(cat runs/tiny/grade/result.json)"
grep -q '^{"considered":60,.*"kept":20,"questions":20,' runs/tiny/select/result.json ||
    fail "select: $(cat runs/tiny/select/result.json)"
for part in '"headline":{"text":' '"label":"trained on","count":' '"stage":"student","result":{"examples":' \
    '"model":"control","role":"other","dataset":"dev"' '"hash":"'; do
    grep -qF "$part" runs/tiny/report.json || fail "no $part in $(cat runs/tiny/report.json)"
done
grep -qF '"models":["teacher","base","student","control"],"levels":false,"subjects":false,"problems":[{"d":0,' \
    runs/tiny/report.html || fail 'the page has no index of the problems'
expect 0 '^dev +student +student +4 +1 ' report runs/tiny
expect 2 'no run.json' report .

# A verdict that changes changes the report; the reply can be read.
evals=$(echo runs/tiny/evaluate-*/evals.db)
trace=$("$potstill" traces list "$evals" --json | grep -oE '"id":[0-9]+' | head -1 | cut -d: -f2)
expect 0 'student' traces list "$evals"
expect 0 'What is' traces show "$evals" "$trace"
expect 0 '' traces override "$evals" "$trace" correct --who me --why "a test"
expect 0 '^dev +[a-z]+ +[a-z]+ +4 +1 +25\.0 ' report runs/tiny
grep -qE '"pass_at_1":0\.25,' runs/tiny/report.json || fail 'the report has not got the new verdict'
expect 0 'graded' grade "$evals"
expect 0 '^dev +[a-z]+ +[a-z]+ +4 +1 +25\.0 ' report runs/tiny

# Other intervals or another sweep are another result, but no new replies.
sed -i 's/datasets: {dev: 1}, max_tokens: 8/&, interval: exact/' tiny.yaml
expect 0 'evaluate +to run +its interval has changed' plan tiny.yaml
expect 0 '^dev +[a-z]+ +[a-z]+ +4 +1 +25\.0 +0\.6 to +80\.6' run tiny.yaml
sed -i 's/, interval: exact//' tiny.yaml
sed -i 's/datasets: {dev: 1}, max_tokens: 8/&, max_tokens_sweep: [4]/' tiny.yaml
expect 0 'evaluate +to run +its max_tokens_sweep has changed' plan tiny.yaml
expect 0 '^dev +student +4 +0\.0 ' run tiny.yaml
expect 0 'everything is up to date' run tiny.yaml
expect 0 'everything is up to date' run tiny.yaml
rm traces.db
expect 0 'grade +to run +the store is gone' plan tiny.yaml
expect 0 '' run tiny.yaml --only sample
expect 0 'import +to run +the store has 0 of 20 traces' plan tiny.yaml
expect 0 'import: the store has 0 of 20 traces' run tiny.yaml
expect 0 'everything is up to date' run tiny.yaml
[ $failures = 0 ]
