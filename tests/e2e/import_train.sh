#!/usr/bin/env bash
# import_train.sh POTSTILL CONFIG: a data set's own solutions become traces and train a model, through
# a pipeline: run, run again, killed, stopped, with mistakes in it; and by `potstill train`. CONFIG: a
# config.json of a tiny model, whose vocabulary is the 261 entries of a tokenizer without merges.
set -u
potstill=$(realpath "$1")
config=$(realpath "$2")
memory=/dev/shm
[ -w $memory ] || memory=/tmp
folder=$(mktemp -d $memory/potstill-e2e-XXXXXX) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
export XDG_CACHE_HOME="$folder/cache"
failures=0

fail() {
    echo "$*"
    failures=$((failures + 1))
}

# expect CODE PATTERN COMMAND...: the exit code, and a line of stdout or stderr that the pattern finds.
expect() {
    local code=$1 pattern=$2 output got
    shift 2
    output=$("$@" 2>&1)
    got=$?
    [ $got = "$code" ] || fail "$*: exit code $got instead of $code: $output"
    grep -qE -- "$pattern" <<<"$output" || fail "$*: no '$pattern' in: $output"
}

weights() { sha256sum <"$1/model.safetensors"; }

for i in $(seq 1 120); do
    a=$((i % 17)) b=$((i * 7 % 31))
    echo "{\"question\": \"What is $a + $b? ($i)\", \"solution\": \"$a + $b = $((a + b))\", \"answer\": \"$((a + b))\"}"
done >problems.jsonl
expect 0 '261 entries' "$potstill" text train problems.jsonl --size 261 --out tokenizer
cat >p.yaml <<EOF
potstill: 1
name: e2e
seed: 3
store: t.db
models:
  blank: {config: $config, tokenizer: tokenizer/tokenizer.json, seed: 1}
datasets:
  mine: {file: problems.jsonl}
  dev: {from: mine, sample: 20}
stages:
  - import: {dataset: [mine, dev]}
  - train: {id: student, model: blank, epochs: 2, batch: 16, sequence_length: 128, lr: 1e-2,
            checkpoint: 0s, validate: {dataset: dev, every: 5}}
EOF

expect 0 'once the stages before have run' "$potstill" check p.yaml
expect 0 'student' "$potstill" run p.yaml
expected=$(weights runs/e2e/student/model)
best=$(weights runs/e2e/student/model-best)
expect 0 'parameters' "$potstill" model info runs/e2e/student/model
[ -s runs/e2e/student/model/tokenizer.json ] || fail "the model has no tokenizer"
expect 0 '100 examples of' "$potstill" check p.yaml
expect 0 'yes  *\|«<\|im_end\|>»\|' "$potstill" check p.yaml
expect 0 'student.*up to date' "$potstill" plan p.yaml

TIMEFORMAT='%U %S'
spent=$({ time "$potstill" run p.yaml 2>again; } 2>&1)
grep -q 'everything is up to date' again || fail "a second run does something: $(cat again)"
awk '{ exit !($1 + $2 < 1) }' <<<"$spent" || fail "a second run takes $spent seconds"
expect 0 'memory [0-9.]+ [KM]iB; disk' "$potstill" plan p.yaml --set student.epochs=3

# Killed at random moments, then run to the end.
rm -rf runs t.db*
kills=0
for i in $(seq 1 100); do
    "$potstill" run p.yaml >/dev/null 2>&1 &
    sleep 0.$(((i * 37) % 40 + 10))
    kill -9 $! 2>/dev/null && kills=$((kills + 1))
    wait $! 2>/dev/null
    [ $kills -ge 5 ] && break
    [ -e runs/e2e/student ] && rm -rf runs t.db*
done
expect 0 '' "$potstill" run p.yaml
[ "$(weights runs/e2e/student/model)" = "$expected" ] || fail "killed runs end with other weights"
[ "$(weights runs/e2e/student/model-best)" = "$best" ] || fail "killed runs have another best"

# Stopped.
rm -rf runs/e2e/student*
"$potstill" run p.yaml --set student.epochs=5000 >/dev/null 2>&1 &
sleep 1
start=$(date +%s%N)
kill -TERM $!
wait $!
code=$?
[ $code = 3 ] || fail "SIGTERM: exit code $code"
[ $((($(date +%s%N) - start) / 1000000)) -lt 2000 ] || fail "SIGTERM: more than two seconds"
ls runs/e2e/student-*/checkpoints/step-* >/dev/null || fail "SIGTERM: no checkpoint"

# Weights of a step, for a stage that was added later.
expect 0 '' "$potstill" run p.yaml
cat >q.yaml <<EOF
$(cat p.yaml)
  - train: {id: second, model: student@3, needs: [import], epochs: 1, sequence_length: 128}
EOF
expect 0 'the weights of step 3 were not kept' "$potstill" run q.yaml
[ "$(weights runs/e2e/student/model)" = "$expected" ] || fail "going back changes the weights"
expect 0 'parameters' "$potstill" model info runs/e2e/second/model
sed 's/epochs: 2,/steps: 2,/' q.yaml >r.yaml
expect 2 "'student@3' is asked for; the stage has 2 steps" "$potstill" check r.yaml

# Without a pipeline.
train=("$potstill" train --model "$config" --tokenizer tokenizer --traces t.db --epochs 1
    --sequence-length 128)
expect 0 'out/model: 2 steps on 120 examples' "${train[@]}" --out out
expect 0 '"examples":120' "${train[@]}" --out twice --threads 1 --json
[ "$(weights out/model)" = "$(weights twice/model)" ] || fail "potstill train: other weights"
expect 2 'other settings' "${train[@]}" --out out --lr 1
expect 2 'nothing to train on' "${train[@]}" --out none --dataset other/train
expect 2 "did you mean --epochs" "$potstill" train --epohcs 1

# Answers to a test split, shipped or one's own.
echo '{"prompt":"What is 1 + 1?","completion":"1 + 1 = 2","dataset":"mine/test"}' >mine.jsonl
echo '{"prompt":"What is 1 + 1?","completion":"1 + 1 = 2","dataset":"arith/longer"}' >shipped.jsonl
for set in mine shipped; do
    expect 0 '1 traces added' "$potstill" traces import $set.db $set.jsonl
    train=("$potstill" train --model "$config" --tokenizer tokenizer --traces $set.db --epochs 1
        --sequence-length 128 --out $set)
    expect 2 'a test split and must not be trained on' "${train[@]}"
    expect 0 '1 steps on 1 examples' "${train[@]}" --test
done

# Mistakes.
mistake() { # SED-SCRIPT PATTERN
    sed "$1" p.yaml >bad.yaml
    expect 2 "$2" "$potstill" run bad.yaml
}
mistake "s/epochs/epohcs/" "bad.yaml:12:40: .*did you mean .epochs."
mistake "s/{config.*/{path: nowhere}/" "bad.yaml:6:.*nowhere: no such file or folder"
mistake 's/problems.jsonl}/problems.jsonl, question: problem}/' "problem"
mistake 's/model: blank/model: blnk/' "bad.yaml:12:.*did you mean 'blank'"
mistake 's/dataset: dev, every/dataset: dve, every/' "dve"
mistake 's/problems.jsonl/problems.json/' "bad.yaml:8:.*problems.json"

[ $failures = 0 ]
