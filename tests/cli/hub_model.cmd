cache=$HOME/.cache/huggingface/hub/models--org--tiny
mkdir -p "$cache/refs" "$cache/snapshots/0123abc"
echo 0123abc >"$cache/refs/main"
cp "$FILES/tiny.json" "$cache/snapshots/0123abc/config.json"
potstill model info org/tiny | head -1
potstill ask org/tiny hello 2>&1 | sed "s|$HOME|HOME|g"
potstill ask org/small hello 2>&1 | sed "s|$HOME|HOME|g"
cat >p.yaml <<'YAML'
potstill: 1
name: p
models:
  base: {path: org/small}
stages:
  - sample: {models: base, dataset: arith/test}
YAML
potstill check p.yaml 2>&1 | sed "s|$HOME|HOME|g"
