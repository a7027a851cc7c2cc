#!/bin/sh
# text render: exact output. $1: the potstill program.
potstill=$(realpath "$1")
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1

cat >chat.jinja <<'TEMPLATE'
{{ bos_token }}{% for message in messages %}
    {%- if message.role not in ['user', 'assistant'] %}
        {{- raise_exception('no role ' ~ message.role) }}
    {%- endif %}
<{{ message.role }}>{{ message.content | trim }}
{% endfor %}
{{ '<assistant>' if add_generation_prompt }}{{ tools is none }}
TEMPLATE
echo '{{ strftime_now("%d %B %Y") }}' >date.jinja
mkdir model old
cp chat.jinja model/chat_template.jinja
printf '{"chat_template": "old", "bos_token": {"content": "<s>"}, "eos_token": null}' >model/tokenizer_config.json
printf '{"chat_template": [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "{{ eos_token }}{{ n }}"}], "eos_token": "</s>"}' >old/tokenizer_config.json
{
    "$potstill" text render --template chat.jinja '{"messages": [{"role": "user", "content": " Hi\n"}]}'
    echo
    "$potstill" text render --template model --json '{"messages": [], "add_generation_prompt": true}'
    "$potstill" text render --template old '{"n": 1.0}'
    echo
    "$potstill" text render --template old/tokenizer_config.json '{"n": null, "eos_token": "E"}'
    echo
    "$potstill" text render --template date.jinja --date 2026-11-22 '{}'
    echo
    test "$("$potstill" text render --template date.jinja '{}' | wc -w)" = 3 && echo "today has three words"
    "$potstill" text render --template model --jsonl <<'LINES'
{"context": {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "é"}], "bos_token": "B"}}
{"context": {"messages": [{"role": "system", "content": "a"}]}}
{"context": {"messages": [{"role": "user", "content": 5}]}}
{"messages": []}
{"context": 1}
no JSON
{"context": {"messages": [], "tools": []}}
LINES
    echo "exit code $?"
    "$potstill" text render --template ./nowhere.jinja '{}' 2>&1
    echo "exit code $?"
    "$potstill" text render --template chat.jinja 2>&1
    echo "exit code $?"
    echo '{% if x %}' >broken.jinja
    "$potstill" text render --template broken.jinja '{}' 2>&1
    echo "exit code $?"
    "$potstill" text render --template date.jinja --date tomorrow '{}' 2>&1
    echo "exit code $?"
    rm model/chat_template.jinja
    echo '{}' >model/tokenizer_config.json
    "$potstill" text render --template model '{}' 2>&1
    echo "exit code $?"
} >got

cat >expected <<'EXPECTED'
<user>Hi
True
{"text":"<s><assistant>True"}
</s>1.0
ENone
22 November 2026
today has three words
{"text":"B<user>a\n<assistant>é\nTrue"}
{"error":"model:3:28: no role system"}
{"text":"<s><user>5\nTrue"}
{"error":"'context' is missing or no object"}
{"error":"'context' is missing or no object"}
{"error":"stdin:6:2: invalid token near 'no'"}
{"text":"<s>False"}
exit code 0
potstill: ./nowhere.jinja: no such file or folder
exit code 2
potstill: text render takes a context as its argument, or --jsonl and contexts on stdin
exit code 2
potstill: broken.jinja:1:9: the template ends before {% endif %}
exit code 2
potstill: --date tomorrow: write a day as YYYY-MM-DD
exit code 2
potstill: model has no chat template
exit code 2
EXPECTED
diff -u expected got
