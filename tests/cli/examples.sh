#!/usr/bin/env bash
# examples.sh MODELS MAKE_STORE ASK_MODEL GRADE_ANSWER READ_TRACES: the programs of examples/.
models=$1 make_store=$(realpath "$2")
ask_model=$(realpath "$3") grade_answer=$(realpath "$4") read_traces=$(realpath "$5")
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
"$make_store" a.db || exit 1

run() {
    "$@" 2>&1
    local code=$?
    [ $code = 0 ] || echo "exit code $code"
}

{
    run "$grade_answer" 1/2 '\frac{2}{4}'
    run "$grade_answer" 1/2 0.25
    run "$read_traces" a.db | head -8
    run "$read_traces" absent.db
    run "$ask_model" "$models/teacher" "Ben has 7 dollars. A month later he has 5 times as much money. \
At the market he spends 19 dollars. How much money does Ben have now?"
    run "$ask_model" absent hello
} >got
diff -u - got <<'EXPECTED'
correct: the same number
wrong: different numbers
exit code 1
== trace 4 by tiny, 3 tokens ==

One and one.


\boxed{2}
== trace 5 by tiny, 3 tokens ==

absent.db: no such store
exit code 2
5 times as much: 7 * 5 = 35
He spends 19: 35 - 19 = 16
Answer: \boxed{16}
absent: no such folder
exit code 2
EXPECTED
