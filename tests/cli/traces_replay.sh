#!/usr/bin/env bash
# traces_replay.sh POTSTILL MODELS: traces of the examples' teacher, generated again.
set -u
command -v sqlite3 >/dev/null || { echo "skipped: there is no sqlite3"; exit 77; }
potstill=$(realpath "$1")
teacher=$(realpath "$2")/teacher
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
failures=0

fail() {
    echo "$*"
    failures=$((failures + 1))
}

# expect CODE PATTERN COMMAND...: the exit code, and a line of stdout or stderr that the pattern finds.
expect() {
    local code=$1 pattern=$2 output got
    shift 2
    output=$("$potstill" "$@" 2>&1 </dev/null)
    got=$?
    if [ $got != "$code" ] || ! grep -qE -- "$pattern" <<<"$output"; then
        fail "potstill $*: exit code $got (wanted $code), no line with /$pattern/ in:" "$output"
    fi
}

# change STORE SQL: what nobody is to do.
change() {
    sqlite3 "$1" "$2" || fail "$2"
}

sample() { # STORE FLAGS...
    local store=$1
    shift
    "$potstill" sample --model "$teacher" --dataset arith/test --temperature 1 --seed 4 \
        "$store" --quiet "$@" >/dev/null || fail "sample $store $*"
}

# All of them, whether they ended or were cut, kept at once or after a resume, packed or not.
sample a.db --limit 3 --samples 3 --max-tokens 40
expect 0 '^9 of 9 traces are the same to the bit$' traces replay a.db
sample a.db --limit 3 --samples 4 --max-tokens 120
"$potstill" traces pack a.db --quiet >/dev/null
expect 0 '^12 of 12 traces are the same to the bit$' traces replay a.db --sequences 5 --threads 1
expect 0 '^2 of 2 traces are the same to the bit$' traces replay a.db --sample 2 --backend reference
trace=$("$potstill" traces list a.db | awk 'NR == 8 {print $1}')
expect 0 '^1 of 1 traces are the same to the bit$' traces replay a.db "$trace" --model "$teacher"
expect 0 '"traces":12,"equal":12,"different":0,"impossible":0,"left_out":0\}$' traces replay a.db --json
POTSTILL_CPU=plain expect 0 '^4 of 4 traces are the same' traces replay a.db --sample 4
ids() { "$potstill" traces replay a.db --sample 5 --seed "$1" --json --quiet | grep -oE '"id":[0-9]+' | tr '\n' ' '; }
[ "$(ids 1)" = "$(ids 1)" ] && [ "$(ids 1)" != "$(ids 2)" ] || fail "chosen by lot: $(ids 1), $(ids 1), $(ids 2)"
expect 2 'no such trace' traces replay a.db 99
expect 2 'only one trace of that id' traces replay a.db "$trace" --sample 2

# Tokens have the texts that the model's tokenizer gives them.
expect 0 '^ +0 +[0-9]+ +-?[0-9.]+  "[^"]+"$' traces show a.db "$trace" --tokens
expect 0 '"token_texts":\["' traces show a.db "$trace" --tokens --json
"$potstill" traces show a.db "$trace" --tokens --json >got
[ "$(grep -oE '"content":"[^"]*","verdicts"' got | cut -d'"' -f4)" = \
    "$(grep -oE '"token_texts":\[.*\]' got | sed 's/"token_texts"://; s/[]["]//g; s/,//g; s/<|im_end|>$//')" ] ||
    fail "the texts of tokens are not the reply: $(cat got)"

# With a budget for the thought, and through templates.
sample thinking.db --limit 2 --samples 2 --max-tokens 60 --prefill '<think>' --thinking-budget 5-9
expect 0 '^4 of 4 traces are the same' traces replay thinking.db
sample chatml.db --limit 2 --max-tokens 30 --template none --prefill 'Well, '
expect 0 '^2 of 2 traces are the same' traces replay chatml.db
# shellcheck disable=SC1083
echo 'On {{ strftime_now("%d %B") }}: {{ messages[0].content }} ' >dated.jinja
sample file.db --limit 2 --max-tokens 30 --template dated.jinja --date 2026-02-03
expect 1 'template file with the hash [0-9a-f]{16}\.\.\.; name it with --template' traces replay file.db
expect 1 '^0 of 2 traces are the same to the bit, 2 could not be compared$' traces replay file.db
expect 0 '^2 of 2 traces are the same' traces replay file.db --template dated.jinja

# Another weight.
cp -r "$teacher" other
chmod u+w other/*
printf '\x45' | dd of=other/model.safetensors bs=1 seek=$(($(stat -c %s other/model.safetensors) / 2 | 1)) \
    conv=notrunc status=none
expect 1 '^    weights: [0-9a-f]{12}\.\.\. then, [0-9a-f]{12}\.\.\. now$' traces replay a.db --model other
expect 1 '^trace [0-9]+ \(arith/test:[0-9]+, sample 3 of teacher\) differs at token [0-9]+ of [0-9]+: [0-9]+ ".*" \(log-probability -' \
    traces replay a.db --model other
expect 1 '"outcome":"(token|logprob)","tokens":[0-9]+,"position":[0-9]+,"was":\{"token":[0-9]+,"logprob":-[^}]*\},"now":\{"token":[0-9]+,"logprob":-' \
    traces replay a.db --model other --json
expect 1 'not all traces are what' traces replay a.db --model other
expect 0 '^12 of 12 ' traces replay a.db --model other,"$teacher"
expect 2 'nowhere: no such file or folder' traces replay a.db --model nowhere

# Another tokenizer file, other end tokens: each is named.
sed -i 's/"eos_token_id": *\[\?[0-9, ]*\]\?/"eos_token_id": [5]/' other/generation_config.json other/config.json
echo >>other/tokenizer.json
expect 1 '^    tokenizer: [0-9a-f]{12}\.\.\. then' traces replay a.db --model other
expect 1 '^    end_ids: \[[0-9,]+\] then, \[5\] now' traces replay a.db --model other

expect 0 'which is not the tokenizer that the trace was made with' traces show a.db "$trace" --tokens --tokenizer other

# What was changed in the store behind its back is named, also where it makes no difference.
cp a.db changed.db
change changed.db "UPDATE sampler SET settings = replace(settings, '\"temperature\":1', '\"temperature\":50')"
expect 1 '^    settings: they were changed in the store' traces replay changed.db
cp a.db changed.db
change changed.db "UPDATE prompt SET conversation = replace(conversation, 'How', 'Now')"
expect 1 '^    prompt: it was changed in the store' traces replay changed.db
cp a.db changed.db
change changed.db "UPDATE source SET identity = replace(identity, '{', '{\"a\":1,')"
expect 0 '^trace [0-9]+ .* is the same, though$' traces replay changed.db
expect 0 '^    source: it was changed' traces replay changed.db
cp a.db changed.db
change changed.db "UPDATE provenance SET facts = json_set(facts, '\$.version', '0.0.1')"
expect 1 '^    version: "0.0.1" then, "[0-9]' traces replay changed.db --model other
expect 0 '^12 of 12 ' traces replay changed.db
change changed.db "UPDATE sampler SET settings = replace(settings, '{', '{\"typical\":1,')"
expect 1 "the setting 'typical' is not known here" traces replay changed.db
cp a.db changed.db
change changed.db "UPDATE sampler SET settings = replace(settings, '\"temperature\":1', '\"temperature\":-1')"
expect 1 'no temperature, top_p or min_p is like that' traces replay changed.db
cp a.db changed.db
change changed.db "UPDATE trace SET checksum = zeroblob(16) WHERE id = $trace"
expect 1 '^11 of 12 traces are the same to the bit, 1 could not be compared$' traces replay changed.db
expect 1 "^trace $trace .* cannot be read$" traces replay changed.db

# What was not generated here, or not from here.
change changed.db "UPDATE provenance SET facts = json_remove(facts, '\$.model')"
expect 2 'does not say where the model lies; name its folder with --model' traces replay changed.db
change changed.db "UPDATE provenance SET facts = json_set(facts, '\$.model', '/nowhere')"
expect 2 'was in /nowhere, which is gone' traces replay changed.db
echo '{"prompt":"1 + 1?","completion":"2"}' >q.jsonl
"$potstill" traces import mixed.db q.jsonl --quiet >/dev/null
expect 2 "the traces of 'import' were not generated here" traces replay mixed.db
"$potstill" traces merge mixed.db a.db --quiet >/dev/null
expect 0 "left out: 1 traces of 'import'" traces replay mixed.db --sample 3
[ $failures = 0 ]
