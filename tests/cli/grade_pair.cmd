potstill grade-pair 1/2 '\boxed{0.50}'
potstill grade-pair --explain 0.333 1/3
potstill grade-pair 5 -- -5
potstill grade-pair --json --output --profile gsm8k 18 'The answer is 18 eggs.'
potstill grade-pair --jsonl <<'LINES'
{"gold": "1/2", "output": "<think>\\boxed{3}</think>so \\boxed{0.5}"}
{"gold": null, "answer": "7"}
{"gold": 145.0, "answer": 145}
{"gold": "7", "output": "\\boxed{7}", "finish_reason": "length"}
{"gold": "7", "output": "seven, I guess"}
no JSON
{"gold": "7"}
{"output": "7"}
{"gold": "7", "answer": "7", "profile": "gsm"}
{"gold": "7", "answer": "8"}
LINES
echo "exit code $?"
potstill grade-pair 1 2>&1
echo "exit code $?"
potstill grade-pair --profile gsm 1 1 2>&1
echo "exit code $?"
