# Mistakes in prompts, each with its place.
models=$(realpath "$FILES/../../examples/models")
mkdir bare && cp "$models"/base/{config.json,generation_config.json,model.safetensors,tokenizer.json} bare
try() { # PROMPTS [MODEL]
    cat >p.yaml <<YAML
potstill: 1
name: p
models:
  m: {path: ${2:-$models/base}}
prompts:
$1
stages:
  - sample: {models: m, dataset: arith/test, prompt: boxed}
YAML
    potstill check p.yaml
}
try '  boxed: {extends: boxd}
  boxed2: {user: x}'
try '  boxed: {extends: other, user: "{question}"}
  other: {extends: boxed}'
try '  boxed: {user: "{questoin}"}'
try '  boxed: {template: chatlm}'
try '  boxed: {template: mine.jinja}'
try '  boxed: {thinkin: true}'
try '  boxed: {shots: {count: 3}}'
try '  boxed: {shots: {dataset: arith/test, count: 501}}'
try '  boxed: {user: "{question}"}' bare
printf "{%% if messages %%}{{ raise_exception('no users here') }}{%% endif %%}" >mine.jinja
try '  boxed: {template: mine.jinja}'
printf '{%% if %%}' >mine.jinja
try '  boxed: {template: mine.jinja}'
potstill ask "$models/base" x --date 2026-02-30
