# What models read: prompts with their control tokens, their end and what the template ignores; then
# the first training example with its loss mask, once there are traces, and a long one in short.
models=$(realpath "$FILES/../../examples/models")
mkdir recipe
cat >questions.jsonl <<'LINES'
{"id": "a", "question": "Is <|im_end|> a word?", "answer": "1"}
{"id": "b", "question": "2+3?", "answer": "5"}
LINES
printf '{"question": "%s", "answer": "5"}' "$(printf '&%.0s' {1..120})" >long.jsonl
cat >recipe/own.jinja <<'JINJA'
{{- messages[-1].content }}
{%- if add_generation_prompt %}{{ '<think>\n' }}{% else %}{{ eos_token }}{% endif %}
JINJA
cat >recipe/p.yaml <<YAML
potstill: 1
name: p
date: 2026-11-22
models:
  teacher: {path: $models/teacher, thinking: true}
  base: {path: $models/base}
datasets:
  few: {file: questions.jsonl}
  long: {file: long.jsonl}
prompts:
  terse: {user: "Q: {question}", system: "Be terse.", prefill: "<think>\n"}
  plain: {extends: terse, prefill: "", template: none, shots: {dataset: few, count: 1}}
  own: {template: own.jinja, thinking: false}
stages:
  - sample: {models: [teacher], dataset: few, prompt: terse}
  - sample: {id: second, models: [teacher, base], dataset: few, prompt: {base: plain, default: own}}
  - import: {dataset: few, target: answer}
  - train: {id: student, model: base, needs: [import], template: own.jinja}
  - import: {id: bare, dataset: long, target: answer, prompt: plain}
  - train: {id: control, model: base, needs: [bare], template: none, thinking: false}
  - evaluate: {models: [student], datasets: {few: 1}}
YAML
potstill check recipe/p.yaml
potstill run recipe/p.yaml --only import 2>run.err || cat run.err
potstill run recipe/p.yaml --only bare 2>run.err || cat run.err
potstill check recipe/p.yaml | sed -n '/^== student/,/^== evaluate/p'
