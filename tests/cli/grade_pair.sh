#!/bin/sh
# grade-pair: exact output for one pair and for JSON lines, good and bad. $1: the potstill program.
potstill=$(realpath "$1")
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1

{
    "$potstill" grade-pair 1/2 '\boxed{0.50}'
    "$potstill" grade-pair --explain 0.333 1/3
    "$potstill" grade-pair 5 -- -5
    "$potstill" grade-pair --json --output --profile gsm8k 18 'The answer is 18 eggs.'
    "$potstill" grade-pair --jsonl <<'LINES'
{"gold": "1/2", "output": "<think>\\boxed{3}</think>so \\boxed{0.5}"}
{"gold": null, "answer": "7"}
{"gold": 145.0, "answer": 145}
{"gold": "7", "output": "\\boxed{7}", "finish_reason": "length"}
{"gold": "7", "output": "seven"}
no JSON
{"gold": "7"}
{"output": "7"}
{"gold": "7", "answer": "7", "profile": "gsm"}
{"gold": "7", "answer": "8"}
LINES
    echo "exit code $?"
    "$potstill" grade-pair 1 2>&1
    echo "exit code $?"
    "$potstill" grade-pair --profile gsm 1 1 2>&1
    echo "exit code $?"
} >got

cat >expected <<'EXPECTED'
correct: the same number
extract: given, bytes 0 to 3 of 3
gold: number "333/1000"
answer: number "1/3"
verdict: correct, rounds to the gold at its last digit
wrong: different numbers
{"verdict":"correct","extracted":"18","rule":"answer_line","reason":"the same number","span":[14,21]}
{"verdict":"correct","extracted":"1/2","rule":"box","reason":"the same number","span":[34,37]}
{"verdict":"no_gold","extracted":"7","rule":"given","reason":"there is no gold","span":[0,1]}
{"verdict":"correct","extracted":"145","rule":"given","reason":"the same number","span":[0,3]}
{"verdict":"truncated","extracted":"7","rule":"box","reason":"cut by the token limit","span":[7,8]}
{"verdict":"no_answer","extracted":null,"rule":"none","reason":"no answer was committed to","span":[0,0]}
{"error":"stdin:6:2: invalid token near 'no'"}
{"error":"a line has either an 'output' or an 'answer'"}
{"error":"'gold' is missing (null if there is none)"}
{"error":"no profile 'gsm'"}
{"verdict":"wrong","extracted":"8","rule":"given","reason":"different numbers","span":[0,1]}
exit code 0
potstill: usage: potstill grade-pair [--explain] GOLD ANSWER, or --jsonl
exit code 2
potstill: --profile gsm: there are gsm8k, math, aime and plain, and each with +last_number behind it
exit code 2
EXPECTED
diff -u expected got
