#!/usr/bin/env bash
# The quickstart in small, three times: straight through; again, when nothing is left to do; and
# killed with SIGKILL at random moments, which must give the same traces and the same weights.
#
#   tests/e2e/quickstart.sh POTSTILL SOURCE [KILLS]
set -euo pipefail
potstill=$(realpath "$1") source=$(realpath "$2") kills=${3:-4}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export XDG_CACHE_HOME=$work/cache XDG_STATE_HOME=$work/state
often=(--set student.checkpoint=0.2s --set control.checkpoint=0.2s --set sample.keep=0.1s)
fail() { echo "FAILED: $*"; exit 1; }

prepare() { # a working directory like a clone's
    mkdir "$work/$1"
    ln -s "$source/examples" "$work/$1/"
    cd "$work/$1"
    sed -e 's/count: 6000/count: 600/; s/sample: 300/sample: 40/; s|{arith/test: 1, arith/longer: 1}|{few: 1}|' \
        -e 's|^stages:|  few: {generator: arith/test, count: 60}\nstages:|' "$source/pipelines/quickstart.yaml" >quickstart.yaml
}
run() { "$potstill" run quickstart.yaml "${often[@]}"; }
fingerprint() { # of everything that must not depend on interruptions
    "$potstill" traces hash runs/quickstart/traces.db
    sha256sum <runs/quickstart/student/model/model.safetensors
    sha256sum <runs/quickstart/control/model/model.safetensors
    "$potstill" traces hash runs/quickstart/evaluate/evals.db
}

prepare straight
run >table 2>log || { cat log; fail "the straight run"; }
cat table
straight=$(fingerprint)
for model in teacher base student control; do
    grep -q "\"model\":\"$model\"" runs/quickstart/report/report.json || fail "report.json has no $model"
done
[[ -s runs/quickstart/report/report.html ]] || fail "there is no report.html"
share() { sed -E "s/.*\"model\":\"$1\"[^}]*\"pass_at_1\":([0-9.]+).*/\1/" runs/quickstart/report/report.json; }
awk "BEGIN { exit !($(share teacher) > 0.8 && $(share student) > $(share base)) }" ||
    fail "teacher $(share teacher), student $(share student), base $(share base)"

run >again 2>log || fail "the second run"
grep -q "for the first time\|missing" log && fail "the second run did something: $(cat log)"

prepare killed
for ((i = 0; i < kills; i++)); do
    "$potstill" run quickstart.yaml "${often[@]}" >table 2>log &
    pid=$!
    sleep "$((RANDOM % 4)).$((RANDOM % 10))"
    kill -9 $pid 2>/dev/null || true
    wait $pid 2>/dev/null || true
done
run >table 2>log || { cat log; fail "the run after $kills kills"; }
[[ $(fingerprint) == "$straight" ]] || fail "killed and resumed: $(fingerprint) instead of $straight"
echo "ok: $kills kills"
