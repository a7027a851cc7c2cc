echo '{"problem": "1 + 1?", "answr": "2"}' >problems.jsonl
ln -s "$FILES/../../examples/models/base" model
cat >p.yaml <<'END'
potstill: 1
name: x
store: x.db
models:
  m: {path: model}
datasets:
  mine: {file: problems.jsonl, question: problem, answer: answer}
stages:
  - sample: {models: [m], dataset: mine}
END
potstill check p.yaml; echo "exit code $?"
potstill run p.yaml
