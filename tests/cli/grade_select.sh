#!/usr/bin/env bash
# grade_select.sh POTSTILL MAKE_STORE: exact output of grade and select on a small store.
potstill=$(realpath "$1")
make_store=$(realpath "$2")
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
"$make_store" a.db || exit 1

run() {
    echo "$ $*"
    "$potstill" "$@" --quiet 2>&1
    local code=$?
    [ $code = 0 ] || echo "exit code $code"
}

{
    run grade a.db --profile plain
    run grade a.db --profile plain
    run grade a.db --dataset sums/train --profile aime --json
    run grade a.db --profile foo
    run grade absent.db
    run select a.db
    run select a.db --keep all --per-question 1 --prefer longest --name best
    run traces export a.db --selection best
    run select a.db --keep all --finish length --json
    run select a.db --share.model nobody
    run select a.db --keep right
    run select a.db --min-tokens 5 --max-tokens 4
} >got

cat >expected <<'EXPECTED'
$ grade a.db --profile plain
graded 6 of 6 traces
  correct                4
  truncated              2
$ grade a.db --profile plain
graded 0 of 6 traces
  correct                4
  truncated              2
$ grade a.db --dataset sums/train --profile aime --json
{"traces":3,"verdicts":{"correct":2,"truncated":1},"graded":3,"changes":[],"changed":[]}
$ grade a.db --profile foo
potstill: --profile foo: there are gsm8k, math, aime, choice and plain, and each with +last_number behind it
exit code 2
$ grade absent.db
potstill: absent.db: no such store
exit code 2
$ select a.db
considered             6
  test_split          -3
  verdict             -1
  repetition          -1
kept                   1 of 1 questions
$ select a.db --keep all --per-question 1 --prefer longest --name best
considered             6
  test_split          -3
  repetition          -1
  per_question        -1
kept                   1 of 1 questions
$ traces export a.db --selection best
{"messages":[{"role":"user","content":"What is 1 + 1?"},{"role":"assistant","content":"<think>\nOne and one.\n</think>\n\n\\boxed{2}"}]}
$ select a.db --keep all --finish length --json
{"considered":6,"dropped":{"test_split":3,"verdict":0,"finish_reason":2,"tokens":0,"share_correct":0,"repetition":0,"per_question":0,"count":0},"kept":1,"questions":1}
$ select a.db --share.model nobody
potstill: share: the store has no traces of a model 'nobody'
exit code 2
$ select a.db --keep right
potstill: keep: there is no verdict 'right'; there are correct, wrong, no_answer, truncated, gold_unreadable, undecided, no_gold, and all
exit code 2
$ select a.db --min-tokens 5 --max-tokens 4
potstill: max_tokens 4 is less than min_tokens 5
exit code 2
EXPECTED
diff -u expected got
