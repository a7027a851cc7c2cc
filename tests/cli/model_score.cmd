potstill model score "$FILES/../../examples/models/base" --jsonl <<'LINES' | sed 's/null,.*/null, .../'
{"ids": [5, 6, 7], "top": 2}
[]
no JSON
{"ids": [9999999]}
{"ids": "5"}
{"ids": []}
LINES
