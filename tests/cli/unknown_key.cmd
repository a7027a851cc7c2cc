cat >p.yaml <<'YAML'
potstill: 1
name: p
stages:
  - import: {path: traces.jsonl}
YAML
potstill check p.yaml
