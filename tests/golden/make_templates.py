#!/usr/bin/env python3
"""templates.json: small templates, their contexts, and what jinja2 renders under the settings of
transformers (or that it fails). Needs jinja2 3.1.6 and transformers; only to make the file anew:

    python tests/golden/make_templates.py

Templates of the size of real ones stand in templates/*.jinja, rendered with CONVERSATIONS.
"""
import datetime
import json
import pathlib

from transformers.utils import chat_template_utils

HERE = pathlib.Path(__file__).parent
DATE = datetime.datetime(2026, 11, 22)


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return DATE


chat_template_utils.datetime = Clock

MESSAGES = [
    {"role": "system", "content": "  Be brief.\n"},
    {"role": "user", "content": "Hi <b>&'\"\n"},
    {"role": "assistant", "content": "<think>\nhm\n</think>\n\nHello", "tool_calls": None},
    {"role": "user", "content": "¿Qué? 数学 😀"},
]
CONTEXT = {
    "messages": MESSAGES,
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {
        "type": "object", "properties": {"x": {"type": "number", "enum": [1, 2.5, None, True]}}}}}],
    "add_generation_prompt": True,
    "bos_token": "<s>",
    "n": 7, "x": 3.5, "none_value": None, "t": True, "f": False, "empty": [], "s": "abc déf",
    "d": {"b": 1, "a": "two", "C": None, "items": "shadow"},
    "l": [3, 1, 2], "words": ["b", "A", "c", "a"],
    "people": [{"name": "Bo", "age": 3, "tag": {"k": "z"}}, {"name": "al", "age": 1},
               {"name": "Cy", "age": 2, "tag": {"k": "y"}}],
    "tree": [{"v": 1, "c": [{"v": 2, "c": [{"v": 3}]}, {"v": 4}]}, {"v": 5}],
    "big": 2**53 + 1, "tiny": 1e-7, "huge": 1e22, "text": "a\n  b\n\nc\n", "nested": {"a": {"b": [1, {"c": 2}]}},
}

# Expressions, each printed; on one line each.
EXPRESSIONS = r"""
1
1.0
-1
1e16
1e15
1.5e300
0.1 + 0.2
1e-5
123456789.123
tiny
huge
big
7 // 2
-7 // 2
7 % 3
-7 % 3
7 % -3
7.5 // 2
-7.5 % 2
7 / 2
6 / 2
1 / 0
1 // 0
1 % 0
2 ** 10
2 ** -1
2 ** 3 ** 2
-2 ** 2
2 ** 0.5
1 + 2 * 3
(1 + 2) * 3
1 + true
true + true
"a" + 1
1 + "a"
"a" + "b"
"a" * 3
3 * "ab"
"a" * -1
[1] * 2
[1] + [2]
(1,) + (2,)
[1] + (2,)
"a" ~ 1 ~ none ~ true ~ 1.5
"a" ~ [1, "b"]
none + "a"
none ~ "a"
undefined_name
undefined_name + 1
undefined_name ~ "x"
"x" + undefined_name
undefined_name.attribute
undefined_name["x"]
undefined_name()
undefined_name == undefined_other
undefined_name == none
undefined_name is none
not undefined_name
undefined_name or "else"
undefined_name and "else"
undefined_name | length
undefined_name | default("d")
none_value | default("d")
none_value | default("d", true)
none_value | d("d", boolean=true)
"" | default("x")
"" | default("x", true)
d.missing
d.missing.more
d.a
d["a"]
d["missing"] is defined
d.items
d.items()
d["items"]
d.keys()
d.values()
d.get("a")
d.get("zz")
d.get("zz", 5)
d | length
d | list
d | items | list
d | dictsort
d | dictsort(true)
d | dictsort(by="value")
{"b": 2, "a": 3} | dictsort(false, "value")
{"b": 2, "a": 3} | dictsort(reverse=true)
{"b": 2, "a": 3} | dictsort(by="zzz")
d.copy()
d.update({"x": 1})
d.pop("a")
d.pop
d.clear()
l.append(1)
l.append
l.sort()
l.index(2)
l.index(9)
l.count(1)
l[0]
l[-1]
l[5]
l[5] is defined
l[5].x
l.0
l[1:]
l[:-1]
l[::-1]
l[::2]
l[5:]
l[-2:]
l[1:1]
l[::0]
l["x"]
l.x is defined
"abc"[1]
"abc"[-1]
"abc"[9]
"abc"[::-1]
"abcdef"[1:4]
"abcdef"[::2]
"abcdef"[-3:]
"abcdef"[4:1:-1]
"héllo"[1]
"héllo"[::-1]
s[4:]
s | length
none_value[1:]
none_value.x
none_value["x"]
none_value.x.y
n[0]
n.x
messages[0].role
messages[0]["content"]
messages[-1].content
messages[1:][0].role
messages | length
messages[0].content | trim
messages[0].content.strip()
"  x  " | trim
"xxaxx" | trim("x")
"xxaxx" | trim(chars="x")
"a" + " b " | trim + "c"
"a" ~ " b " | trim ~ "c"
1 + 2 | string
-1 | abs
(-1) | abs
-1.5 | abs
n is defined and n > 5
n is number
x is number
t is number
t is integer
n is integer
x is float
"a" is string
l is iterable
s is iterable
n is iterable
d is iterable
none is iterable
l is sequence
d is sequence
s is sequence
n is sequence
d is mapping
l is mapping
none is none
none is defined
undefined_name is defined
undefined_name is undefined
undefined_name is string
undefined_name is iterable
undefined_name is sequence
t is true
f is false
1 is true
t is boolean
0 is boolean
3 is odd
3 is even
4 is divisibleby 2
4 is divisibleby(3)
3 is eq 3
3 is equalto(3)
3 is == 3
3 is ne 4
3 is gt 2
3 is lt(2)
3 is ge 3
3 is le 3
3 is greaterthan 1
3 is lessthan 1
1 is in [1, 2]
1 is in(l)
"a" is in "abc"
"a" is not in "abc"
1 is not none
x is not string
n is sameas n
none is sameas none
1 is sameas true
"ABC" is upper
"abc" is lower
"aBc" is lower
"" is lower
range is callable
n is callable
"x" is filter
"trim" is filter
"odd" is test
"a"|e is escaped
"a" is escaped
1 is defined is true
1 is zork
"a" | zork
1 < 2
1 < 2 < 3
1 < 2 > 3
1 == 1.0
1 == true
"a" == "a"
"a" < "b"
"a" < 1
none < 1
[1, 2] < [1, 3]
[1, 2] == [1, 2]
(1, 2) == [1, 2]
{"a": 1} == {"a": 1.0}
1 != 2
undefined_name < 1
1 in l
9 in l
9 not in l
"b" in "abc"
"" in "abc"
1 in "abc"
"a" in d
"zz" in d
1 in none
1 in undefined_name
1 in 5
2 in range(3)
not 1
not not 1
not 1 == 2
1 and 2
0 and 2
0 or "x"
"" or []
1 or undefined_name.x
true and false or true
1 if true else 2
1 if false else 2
1 if false
(1 if false) is defined
1 if false else 2 if false else 3
"a" if n > 5 else "b"
[1, 2, 3]
[1, "a", none, true, 1.5]
(1, 2)
(1,)
()
[]
{}
{"a": 1, "b": [1, 2]}
{"a": {"b": "c"}}
{1: 2, none: 3, true: 4}
{[1]: 2}
{"a": 1, "a": 2}
[1, [2, [3]]]
[1, 2,]
{"a": 1,}
"it's"
["it's"]
['say "hi"']
['it\'s "x"']
["a\nb\tc\\d"]
["é数😀"]
["\x00\x1f\x7f\u00a0\u200b\ufeff"]
'\x41\u00e9\U0001F600\101\n|'
'\q\é'
'a' 'b' "c"
"tab\there"
"line\
next"
"\'"
0x1F
0b101
0o17
1_000
1_0.5_0
007
1.
.5
true
True
none
None
false
False
None is none
"abc".upper()
"ABC".lower()
"hello world".title()
"hello world".capitalize()
"Hello".swapcase()
"  a ".strip()
"  a ".lstrip() ~ "|"
"  a ".rstrip() ~ "|"
"xyaxy".strip("xy")
"xyaxy".lstrip("xy")
"xyaxy".rstrip("yx")
"a b  c".split()
" a b ".split()
"a,b,,c".split(",")
"a,b,c".split(",", 1)
"a,b,c".split(sep=",", maxsplit=1)
"a b c d".split(none, 2)
"a b c ".split(none, 1)
"a b c".rsplit(" ", 1)
"a b c d".rsplit(none, 1)
"a,b,c".rsplit(",")
"".split()
"".split(",")
"abc".split("")
"a</think>b".split("</think>")[-1]
"a</think>b".split("</think>")[0].split("<think>")[-1].lstrip("\n")
"a\nb\r\nc\n".splitlines()
"a\nb".splitlines(true)
"a-b".partition("-")
"ab".partition("-")
"a-b-c".rpartition("-")
"ab".rpartition("-")
"abc".startswith("a")
"abc".startswith(("x", "a"))
"abc".startswith("b", 1)
"abc".endswith("c")
"abc".endswith("b", 0, 2)
"abc".startswith(1)
"abc".find("c")
"abc".find("z")
"héa".find("a")
"abcabc".rfind("b")
"abc".index("z")
"abcabc".count("b")
"aaa".count("aa")
"abc".count("")
"abc".replace("b", "X")
"aaa".replace("a", "b", 2)
"abc".replace("", "-")
"abc".replace("", "-", 2)
",".join(["a", "b"])
",".join(words)
",".join([1])
"".join(["a"])
"abc".join("xyz")
"{} {}".format(1, "a")
"{0} {1} {0}".format("a", "b")
"{a} {b}".format(a=1, b=2)
"{a.b[0]}".format(a=nested.a)
"{:>5}|{:<5}|{:^5}".format("a", "b", "c")
"{:05d}|{:.2f}|{:,}|{:x}|{:e}".format(42, 3.14159, 1234567, 255, 12345.678)
"{:*^7}".format("x")
"{!r}".format("x")
"{{}}".format()
"{}".format()
"{:+d} {:5.1f}".format(3, 2.25)
"{:.3}".format("abcdef")
"{:%}".format(0.25)
"%s %d %5.2f" % ("a", 3, 2.5)
"%s" % "x"
"%s" % [1]
"%s" % none
"%s" % undefined_name
"%d" % "x"
"%(a)s" % {"a": 1}
"%s %s" % "x"
"%s" % (1, 2)
"%%"  % ()
"%05d|%-5s|%+d|%x" % (42, "a", 3, 255)
"%r" % "a"
"%c" % "a"
"%.2s" % "abc"
"%g %e" % (0.0001, 12345.678)
"abc".isdigit()
"123".isdigit()
"abc".isalpha()
"ab1".isalnum()
" ".isspace()
"A".isupper()
"a".islower()
"1".isnumeric()
"a".center(5) ~ "|"
"a".ljust(3, ".")
"a".rjust(3, ".")
"7".zfill(3)
"-7".zfill(4)
"abc".removeprefix("a")
"abc".removesuffix("bc")
"abc".nomethod
"abc".nomethod()
"abc"["upper"]()
"abc".__class__
"abc".__class__.__mro__
d.__class__ is defined
"abc"._x is defined
"straße".upper()
"ΑΣ".lower()
"İ".lower()
"ǆ".title()
"they're bill's".title()
"they're bill's" | title
"a-b c(d" | title
"HELLO wORLD" | title
"hello World" | capitalize
"éa" | capitalize
"abc" | upper
"ABC" | lower
5 | upper
l | upper
"abc" | replace("b", "X")
"aaa" | replace("a", "b", 2)
"aaa" | replace("a", "b", count=1)
12321 | replace(2, "x")
"abc" | reverse
l | reverse | list
l | reverse
l | first
l | last
[] | first
[] | last
[] | first | default("none")
"abc" | first
"abc" | last
d | first
5 | first
none | first
undefined_name | first
undefined_name | last
l | join
l | join(", ")
l | join("-") | upper
people | join(", ", attribute="name")
people | map(attribute="name") | join(",")
people | map(attribute="tag.k") | list
people | map(attribute="tag.k", default="?") | list
people | map(attribute="tag") | list
people | map(attribute="tag", default="none") | list
words | map("upper") | list
words | map("replace", "a", "z") | list
l | map("string") | join("+")
words | map("zork") | list
l | map | list
none | map("upper") | list
undefined_name | map("upper") | list
l | map(foo=1) | list
words | map("upper")
people | selectattr("age", "gt", 1) | map(attribute="name") | list
people | selectattr("tag") | list | length
people | selectattr("tag", "defined") | list | length
people | rejectattr("tag", "defined") | map(attribute="name") | list
people | selectattr("name", "equalto", "al") | first
people | selectattr("age", "in", [1, 2]) | list | length
people | selectattr("tag.k", "==", "z") | list | length
l | select("odd") | list
l | select | list
[0, 1, "", "a"] | select | list
l | reject("odd") | list
l | select("gt", 1) | list
l | select(">", 1) | list
l | select("zork") | list
messages | selectattr("role", "equalto", "user") | list | length
messages | selectattr("role", "equalto", "user") | length
messages | rejectattr("role", "in", ["system"]) | map(attribute="role") | join(" ")
words | sort
words | sort(reverse=true)
words | sort(case_sensitive=true)
l | sort
l | sort(true)
[1, "a"] | sort
people | sort(attribute="age") | map(attribute="name") | list
people | sort(attribute="name") | map(attribute="name") | list
people | sort(attribute="age,name") | map(attribute="name") | list
people | sort(attribute="tag.k") | length
["a", "b", "A", "c", "b"] | unique | list
["a", "b", "A"] | unique(true) | list
[1, 2, 1, 3.0, 3] | unique | list
people | unique(attribute="age") | list | length
l | min
l | max
words | min
words | max
people | max(attribute="age")
[] | min
l | sum
[1.5, 2] | sum
people | sum(attribute="age")
l | sum(start=10)
["a"] | sum
[[1], [2]] | sum(start=[])
l | length
l | count
"héllo" | length
none | length
5 | length
range(5) | length
range(5)
range(1, 5)
range(1, 9, 3)
range(5, 0, -2) | list
range(3) | list
range(0)
range(100001)
range(1, 2, 0)
range("a")
range(5)[2]
range(5)[1:3]
range(10)[::2] | list
"3" | int
"3.7" | int
"x" | int
"x" | int(5)
"0x1f" | int(base=16)
"1f" | int(0, 16)
"101" | int(0, 2)
" 42 " | int
"1_000" | int
3.9 | int
-3.9 | int
none | int
true | int
[] | int
"3" | int + 1
"3.5" | float
"x" | float
"x" | float(1.5)
3 | float
" 2.5 " | float
"1e3" | float
"inf" | float
3.14159 | round(2)
3.5 | round
2.5 | round
2.675 | round(2)
3 | round
3.2 | round(0, "ceil")
3.7 | round(method="floor")
3.14159 | round(2, "ceil")
3.2 | round(0, "zork")
1234 | round(-2)
1250.0 | round(-2)
"x" | round
[1, 2, 3, 4, 5] | batch(2) | list
[1, 2, 3, 4, 5] | batch(2, "x") | list
[1, 2, 3, 4, 5] | slice(2) | list
[1, 2, 3, 4, 5] | slice(3, "x") | list
people | groupby("age") | list
people | groupby("age") | map(attribute=0) | list
people | groupby("name") | map("first") | list
text | indent
text | indent(2)
text | indent(2, true)
text | indent(2, first=true, blank=true)
text | indent("> ")
text | indent(width=1)
"" | indent(2, true)
"a" | indent
5 | indent
"a b c-d" | wordcount
"hello world" | truncate(5)
"hello world foo bar" | truncate(11)
"hello world foo bar" | truncate(11, true)
"hello world foo bar" | truncate(11, false, "!", 0)
"a" | center(5) ~ "|"
"%s-%s" | format(1, "b")
"%(a)s" | format(a=3)
"<a href='x'>&\"" | e
"<b>" | escape | string
"<b>" | safe
"<b>" | safe + "<i>"
"<b>" | e + "<i>"
"<i>" + ("<b>" | safe)
"<b>" | safe ~ "<i>"
("<b>" | safe).upper() + "<i>"
("<b>" | safe) | upper ~ "<"
["<b>" | safe]
("<b>" | safe) | list
("<b>" | safe) | first + "<"
"<" | safe | first + "<"
l | truncate(3)
undefined_name | truncate(3)
"<b>" | e | e
"<b>" | e | forceescape
("<b>" | safe).replace("b", "<")
("<b>" | safe) * 2
("<b>"|safe).join(["<", "x"])
5 | string
none | string
[1, "a"] | string
"abc" | list
"abc" | string
n | string + "x"
l | tojson
d | tojson
s | tojson
"é\n\t\"\\/<>&'\x00\x1f\x7f" | tojson
"é😀" | tojson(ensure_ascii=true)
x | tojson
1.0 | tojson
1e22 | tojson
none | tojson
true | tojson
undefined_name | tojson
(1, 2) | tojson
range(3) | tojson
{"b": 1, "a": [1, {}], "c": []} | tojson(indent=2)
{"b": 1, "a": [1, {}], "c": []} | tojson(indent=2, sort_keys=true)
{"b": 1, "a": 2} | tojson(separators=(",", ":"))
{"b": 1, "a": 2} | tojson(indent="\t")
{"b": [1, 2]} | tojson(indent=0)
{1: 2, none: 3, true: 4, 1.5: 5} | tojson
{(1, 2): 3} | tojson
{1: 2, "a": 3} | tojson(sort_keys=true)
tools | tojson
tools[0] | tojson(indent=4)
tools | tojson(true)
"inf" | float | tojson
namespace(a=1) | tojson
nested.a.b[1].c
nested["a"]["b"][0]
nested.a.b.1.c
nested | attr("a") is defined
"x" | attr("upper") is defined
namespace(a=1).a
namespace(a=1).b
namespace(a=1).b is defined
namespace({"a": 1}).a
namespace(a=1)["a"]
namespace(_a=1)
namespace(a=1)
namespace()
dict(a=1, b=2)
dict({"a": 1}, b=2)
dict([("a", 1)])
dict(**d) | length
dict(*[[("a", 1)]])
dict
cycler("a", "b").next()
cycler("a", "b").current
cycler()
joiner(",")()
raise_exception("boom")
raise_exception()
strftime_now("%Y-%m-%d")
strftime_now("%d %b %Y")
strftime_now("%A, %B %d, %Y")
strftime_now("%a %b %e %j %U %W %V %G %u %w %y %C %D %F %T %R %H:%M:%S %I %p %n%t%% %-d %-m")
strftime_now("%Y") | int + 1
strftime_now(5)
strftime_now()
loop
loop.index
messages | map(attribute="content") | join("|") | length
(messages | last).content
messages|map(attribute='role')|unique|list
messages[0]['content'] | trim | length
"abc" | map("upper") | join
d.items() | list
d.items() | length
d | items | length
d.keys() | list | join(",")
d.keys() | first
d.keys()[0]
d.values() | list
"a" in d.keys()
("a", "two") in d.items()
dict(a=1).items() | sort
l == [3, 1, 2]
(l | sort)[0]
l | sort | first
- 5
+ 5
- "a"
not none
1 if undefined_name else 2
undefined_name.x if undefined_name is defined else "no"
"a" "b" | upper
"a" is in ["a"] and "b" is in ["b"]
n is defined if true else false
1 is eq 1 and 2 is eq 2
not n is defined
not (n is not defined)
n is not defined or true
f or none_value
[1,2,3][1:] | join(",")
{"a": [1, 2]}.a[1]
{"a": 1}["a"] + 1
(1, 2)[0]
(1, 2, 3)[1:]
"a,b".split(",") | map("upper") | join(";")
"x" * n
n * "x"
[[1, 2], [3]] | map("first") | list
[[1, 2], [3]] | map("length") | sum
[[1, 2], [3]] | map("join", "-") | list
9223372036854775807
-9223372036854775807
1.0 == 1
0.1
1/3
100.0
1e100
123456789012345680.0
-0.0
"nan" | float
0.00001
0.0001
5e-324
1.7976931348623157e308
2 ** 62
10 // 3.0
-7 // 2.0
1e308 * 10
"%s" % 1.0
[1.0, 2.50]
[none, undefined_name]
"\u2028" in "a\u2028b"
"a\u2028b".splitlines()
"\u00a0 x\u3000".strip()
"\u200bx".strip() | length
"a" < "B"
"é" > "z"
[true, false] | sort
[1.5, 1] | sort
messages | tojson | length
{"role": "user"} in [{"role": "user"}]
x.y.z
"a".b.c
l.first
l | first.x
people[0].tag.k
people[1].tag.k
people[1].tag is defined
people[1].tag.k is defined
("a" if true else "b") ~ "c"
"a" if true else "b" ~ "c"
1 == 1 == true
(1 == 1) == true
"abc"[1:][0]
"abc"[none:2]
"abc"[1.5]
[1][true]
[1, 2][-2]
{"a":1}.a.b
{1: "x"}[1]
{1: "x"}[1.0]
{"1": "x"}[1] is defined
{1: "x"}.1
"%d%%" % 5
"a%sb" % "<"
"%s %s" | format("a")
"{}" | format(1)
namespace(x=[1]).x[0]
range(3) is iterable
range(3) is sequence
range(3) == range(3)
dict(a=1) is mapping
namespace() is mapping
"abc" is sameas "abc"
[1] is sameas [1]
loop is defined
caller is defined
"" is string
1.0 is integer
1.0 is number
true is integer
"a" is number
none is boolean
true is sameas true
d is sameas d
"a" is eq("a")
"a" is ne "b"
5 is divisibleby 0
"x" is odd
undefined_name is odd
undefined_name is eq undefined_other
undefined_name is number
1 is number is string
"Hello".casefold()
"ﬁ ŉ ǰ ß".upper()
"straße" | capitalize
"ßa" | title
""".strip("\n").split("\n")

# Whole templates.
TEMPLATES = [
    # white space
    "a\n", "a\n\n", "\na\n", "a", "", "\n", "\n\n", "a\r\nb\rc\n", "  {{ 1 }}  \n", "{{ 1 }}\n", "{{ 1 }}\n\nb",
    "a\n  {% if true %}\n  b\n  {% endif %}\n c", "a\n  {%+ if true %}\n  b\n  {%+ endif %}\n c",
    "a\n  {%- if true -%}\n  b\n  {%- endif -%}\n c", "a {% if true %} b {% endif %} c",
    "a {%- if true -%} b {%- endif -%} c", "a\n{% if true +%}\nb\n{% endif +%}\nc", "a\n{{- 1 -}}\nb", "a {{- 1 }} b {{ 2 -}} c",
    "a\n  {# c #}\n  b", "a\n  {#- c -#}\n  b", "a  {# c #}  b", "{# c #}\nb", "{# a\n b #}\n\nc", "a\n  {#+ c +#}\n b",
    "{% if true %}\n\nx\n\n{% endif %}\n\ny", "  {% set x = 1 %}\n{{ x }}", "  {% set x = 1 %}  \n{{ x }}", "\t{% set x = 1 %}\nx",
    "x {% set x = 1 %}\n{{ x }}", "{% set x = 1 %}  {% set y = 2 %}\n{{ x }}", "{% set x = 1 %}\n  {% set y = 2 %}\n  {{ y }}",
    "{{ 1 }}  {% set x = 1 %}y", "{{ 1 }}\n  {% set x = 1 %}y", "{{ 1 }}\n\n  {%- set x = 1 %}y", "a\n \n  {%- if true %}b{% endif %}",
    "{% for i in [1,2] %}\n  {{ i }}\n{% endfor %}\nx", "{% for i in [1,2] -%}\n  {{ i }}\n{%- endfor %}\nx",
    "{%- for i in [1,2] %}\n  {{- i }}\n{%- endfor %}\nx", "{% for i in [1,2] %}{{ i }}{% endfor %}\n\n\nx\n\n",
    "{% raw %}{{ x }}{% if %}{% endraw %}", "{% raw %}\n  {{ x }}\n{% endraw %}\n y", "  {% raw -%}\n  a \n {%- endraw %}  b", "{%- raw -%} a {%- endraw -%} b",
    "  {% raw %} {# x #} {% endraw %}\nz", "{% raw %}a", "{% raw %}{% raw %}{% endraw %}", "a\n {%+ raw %}b\n  {%+ endraw +%}\nc", "{%raw%}x{%endraw%}",
    "{% if true %}a{% endif %}\nb{% if true %}c{% endif %}\n", "\u00a0{% if true %}a{% endif %}", "\u3000\n\u3000{%- if true %}a{% endif %}", "a\f{%- if true %}b{% endif %}",
    "{{ '{{' }} {{ '}}' }}", "{{ '%}' }}{% if '%}' %}x{% endif %}", "{{ {'a': {'b': 1}}.a.b }}", "{{{'a': 1}}}", "{{ [[1]][0][0] }}", "{ { } } {", "{%", "{{", "{#", "{# x", "{{ 1 }", "{% if true }", "{{ 'a }}", "{{ ) }}", "{{ ( ] }}", "{{ (1 }}",
    "{{ 1 2 }}", "{{ }}", "{% %}", "{{ a b }}", "{{ ! }}", "{{ a.! }}", "{{ 1 + }}", "{{ @ }}", "{{ a$b }}", "{% unknown %}", "{% endif %}", "{% else %}", "{% if true %}", "{% for x in l %}", "{% if true %}{% endfor %}", "{% for x in l %}{% endif %}", "{% if %}{% endif %}", "{% for in l %}{% endfor %}", "{% for x l %}{% endfor %}", "{% do 1 %}", "{% block a %}x", "{% include 'x' %}",
    "{{ f(a b) }}", "{{ f(a=1, 2) }}", "{{ dict(a=1, a=2) }}", "{{ f(**a, *b) }}", "{{ f(**a, b) }}", "{% set 1 = 2 %}", "{% set 'a' = 2 %}", "{% set true = 2 %}", "{% set none = 2 %}", "{% set a.b.c = 2 %}", "{% set a[0] = 2 %}", "{% for true in l %}{% endfor %}", "{% for a.b in l %}{% endfor %}", "{{ a is b is c }}", "{{ x | }}", "{{ | x }}", "{{ x is }}", "{{ x[ }}", "{{ x. }}", "{{ x.1.2 }}", "{{ {'a'} }}", "{{ {'a': } }}",
    # if
    "{% if n > 5 %}a{% elif n > 3 %}b{% else %}c{% endif %}", "{% if n > 50 %}a{% elif n > 3 %}b{% else %}c{% endif %}", "{% if n > 50 %}a{% elif n > 30 %}b{% else %}c{% endif %}",
    "{% if undefined_name %}a{% else %}b{% endif %}", "{% if empty %}a{% else %}b{% endif %}", "{% if '' %}a{% endif %}", "{% if 0.0 %}a{% else %}z{% endif %}", "{% if true: %}a{% endif %}", "{% if a, b %}x{% endif %}", "{% if true %}{% if false %}a{% else %}b{% endif %}{% else %}c{% endif %}", "{% if false %}{{ 1 | zork }}{% endif %}ok", "{% if false %}{{ 1 is zork }}{% endif %}ok", "{% if true %}{{ 1 | zork }}{% endif %}ok", "{{ 1 | zork if false else 2 }}", "{% if false %}{% for x in l %}{{ x | zork }}{% endfor %}{% endif %}", "{% if 1 | zork %}{% endif %}",
    # for
    "{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.depth }}{{ loop.depth0 }} {% endfor %}",
    "{% for x in l %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }};{% endfor %}", "{% for x in l %}{{ loop.previtem is defined }}{{ loop.nextitem is defined }}{% endfor %}", "{% for x in l %}{{ loop.cycle('a', 'b') }}{% endfor %}", "{% for x in [1,1,2,2,1] %}{{ loop.changed(x) }}{% endfor %}", "{% for x in l %}{{ loop }}{% endfor %}", "{% for x in l %}{{ loop.zork }}{{ loop['index'] }}{% endfor %}", "{% for x in l %}{{ loop | length }}{% endfor %}",
    "{% for x in empty %}a{% else %}b{% endfor %}", "{% for x in l %}a{% else %}b{% endfor %}", "{% for x in l %}{% break %}{% else %}b{% endfor %}", "{% for x in l %}{% continue %}{% else %}b{% endfor %}", "{% for x in l %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% else %}b{% endfor %}", "{% for x in l %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endfor %}", "{% for x in undefined_name %}a{% else %}b{% endfor %}", "{% for x in none %}a{% endfor %}", "{% for x in 5 %}a{% endfor %}", "{% for x in 'abc' %}{{ x }},{% endfor %}", "{% for x in d %}{{ x }},{% endfor %}", "{% for k, v in d.items() %}{{ k }}={{ v }},{% endfor %}", "{% for k, v in d | items %}{{ k }}={{ v }},{% endfor %}", "{% for k, v in d | dictsort %}{{ k }}={{ v }},{% endfor %}", "{% for a, b in [[1, 2], [3, 4]] %}{{ a }}{{ b }}{% endfor %}", "{% for a, b in [[1, 2, 3]] %}{{ a }}{% endfor %}", "{% for a, b in [1] %}{{ a }}{% endfor %}", "{% for (a, b), c in [[[1, 2], 3]] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "{% for x, in [[1]] %}{{ x }}{% endfor %}",
    "{% for x in l if x > 1 %}{{ x }}{{ loop.index }}{{ loop.last }}{% endfor %}", "{% for x in l if x > 9 %}{{ x }}{% else %}none{% endfor %}", "{% for x in l if x > 1 %}{{ loop.length }}{{ x }}{{ loop.revindex }}{% endfor %}", "{% for x in l if loop.index > 1 %}{{ x }}{% endfor %}", "{% set ns = namespace(found=false) %}{% for x in l if not ns.found %}{{ x }}{% set ns.found = true %}{% endfor %}", "{% set ns = namespace(n=0) %}{% for x in l if not ns.n %}{{ x }}{{ loop.last }}{% set ns.n = 1 %}{% endfor %}", "{% for m in messages if m.role == 'user' %}{{ loop.index }}{{ m.content }}{% endfor %}", "{% for x in l | reverse %}{{ x }}{% endfor %}", "{% for x in l | sort %}{{ x }}{{ loop.length }}{% endfor %}", "{% for x in l | select('odd') %}{{ x }}{{ loop.last }}{{ loop.length }}{% endfor %}", "{% set g = l | select('odd') %}{% for x in g %}{{ x }}{% endfor %}|{% for x in g %}{{ x }}{% endfor %}", "{% set g = l | map('string') %}{{ g | first }}{{ g | list }}{{ g | list }}", "{% set g = l | map('string') %}{{ g is iterable }}{{ g is sequence }}{% if g %}yes{% endif %}", "{% for x in range(3) %}{% for y in range(x) %}{{ loop.index }}{{ x }}{{ y }} {% endfor %}{% endfor %}", "{% for x in l %}{% set outer = loop %}{% for y in 'ab' %}{{ outer.index }}{{ loop.index }} {% endfor %}{% endfor %}", "{% for x in l %}{% for y in 'ab' %}{{ x }}{% endfor %}{{ loop.index }}{% endfor %}", "{{ loop }}{% for x in l %}{% endfor %}{{ x }}", "{% for loop in l %}{% endfor %}", "{% for x in l %}{% set loop = 1 %}{% endfor %}", "{% break %}", "{% continue %}", "{% if true %}{% break %}{% endif %}", "{% for x in l %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}", "{% for x in l %}{% else %}{% break %}{% endfor %}", "{% for y in 'ab' %}{{ y }}{% for x in [] %}{% else %}{% break %}{% endfor %}{% endfor %}",
    "{% for i in tree recursive %}{{ i.v }}{% if i.c %}({{ loop(i.c) }}){% endif %}{{ loop.depth }}{% endfor %}", "{% for i in tree recursive %}{{ loop.depth0 }}{{ loop.index }}[{{ loop(i.c or []) }}]{% else %}-{% endfor %}", "{% for i in tree %}{{ loop(i.c) }}{% endfor %}", "{% for i in tree recursive %}{% set x = i.v %}{{ loop(i.c) if i.c }}{{ x }}{% endfor %}", "{% for i in tree if i.v recursive %}{{ i.v }}{{ loop(i.c) if i.c else '' }}{% endfor %}", "{% for x in l: %}{{ x }}{% endfor %}", "{% for x in 1, 2 %}{{ x }}{% endfor %}", "{% for x in (1, 2) %}{{ x }}{% endfor %}", "{% for x in l if x is odd %}{{ x }}{% endfor %}", "{% for x in (l if t else empty) %}{{ x }}{% endfor %}", "{% for x in l + [4] %}{{ x }}{% endfor %}", "{% for x in people %}{{ x.name }}{% if not loop.last %}, {% endif %}{% endfor %}", "{% for x in messages[1:] %}{{ x.role }}{% endfor %}", "{% for x in messages[::-1] %}{{ loop.index0 }}{{ x.role }} {% endfor %}",
    # set and scope
    "{% set x = 1 %}{{ x }}", "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% set a, b = [1] %}", "{% set a = b = 1 %}", "{% set x = 1, 2 %}{{ x }}", "{% set x = 1 if f %}{{ x is defined }}", "{% set x = 0 %}{% for i in l %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}", "{% set ns = namespace(x=0) %}{% for i in l %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}", "{% set ns = namespace() %}{% set ns.a = 1 %}{% set ns.b = ns.a + 1 %}{{ ns.b }}{{ ns }}", "{% set ns.x = 1 %}", "{% set d.x = 1 %}", "{% set x = {} %}{% set x.y = 1 %}", "{% set ns = namespace() %}{% set ns._a = 1 %}", "{% set ns = namespace(a=1) %}{% set ns.a, ns.b = 5, 6 %}{{ ns.a }}{{ ns.b }}", "{% if true %}{% set x = 1 %}{% endif %}{{ x }}", "{% if false %}{% set x = 1 %}{% endif %}{{ x }}|{{ x is defined }}", "{% if false %}{% set n = 1 %}{% endif %}{{ n }}", "{% if true %}{% set n = 1 %}{% endif %}{{ n }}", "{% set n = n + 1 %}{{ n }}", "{% set n = 1 %}{{ n }}", "{% for i in [1] %}{{ n }}{% endfor %}{% set n = 1 %}{{ n }}", "{{ n }}{% for i in [1] %}{{ n }}{% endfor %}{% set n = 1 %}{{ n }}", "{% macro m() %}{{ n }}{% endmacro %}{{ m() }}{% set n = 1 %}{{ m() }}", "{% macro m() %}{{ q }}{% endmacro %}{% set q = 1 %}{{ m() }}{% set q = 2 %}{{ m() }}", "{% for i in [1, 2] %}{% if i == 1 %}{% set q = 'set' %}{% endif %}{{ q }};{% endfor %}", "{% for i in [1, 2] %}{% if i == 1 %}{% set n = 'set' %}{% endif %}{{ n }};{% endfor %}{{ n }}", "{% for i in [1, 2] %}{% set n = i %}{% for j in [1] %}{% set n = n * 10 %}{{ n }}{% endfor %}{{ n }};{% endfor %}{{ n }}", "{% for n in [1] %}{{ n }}{% endfor %}{{ n }}", "{% set i = 'o' %}{% for i in [1] %}{{ i }}{% endfor %}{{ i }}", "{% for i in [1] %}{% set z = 1 %}{% endfor %}{{ z }}{{ z is defined }}", "{% if f %}{% set a = 1 %}{% else %}{% set a = 2 %}{% endif %}{{ a }}", "{% if t %}{% for i in [1] %}{% set a = 1 %}{% endfor %}{% endif %}{{ a is defined }}", "{% for i in [1,2] %}{{ q is defined }}{% set q = 1 %}{{ q is defined }}{% endfor %}", "{% for i in [1] %}{% if true %}{% if true %}{% set w = 3 %}{% endif %}{{ w }}{% endif %}{{ w }}{% endfor %}", "{% if true %}{{ n }}{% set n = 9 %}{% endif %}{{ n }}", "{% set messages = messages[1:] %}{% for m in messages %}{{ m.role }}{% endfor %}", "{% if messages[0].role == 'system' %}{% set sys = messages[0].content %}{% set rest = messages[1:] %}{% else %}{% set sys = '' %}{% set rest = messages %}{% endif %}{{ sys | trim }}{{ rest | length }}", "{% if not tools is defined %}{% set tools = none %}{% endif %}{{ tools is none }}", "{% if not zork is defined %}{% set zork = none %}{% endif %}{{ zork is none }}", "{% if add_generation_prompt is not defined %}{% set add_generation_prompt = false %}{% endif %}{{ add_generation_prompt }}",
    "{% set x %}a{{ n }}b{% endset %}[{{ x }}]", "{% set x | upper %}abc{% endset %}{{ x }}", "{% set x | trim | upper %} abc {% endset %}{{ x }}", "{% set x %}{% set y = 1 %}{{ y }}{% endset %}{{ x }}{{ y is defined }}", "{% for i in l %}{% set x %}{{ i }}{% if i == 1 %}{% break %}{% endif %}{% endset %}{{ x }}{% endfor %}", "{% set ns = namespace() %}{% set ns.x %}abc{% endset %}{{ ns.x }}", "{% set x %}{% endset %}{{ x | length }}{{ x is string }}", "{% set a, b %}xy{% endset %}{{ a }}{{ b }}", "{% filter upper %}abc{{ n }}{% endfilter %}", "{% filter trim | upper %} abc {% endfilter %}!", "{% filter replace('a', 'b') %}banana{% endfilter %}", "{% filter upper %}{% set q = 1 %}{{ q }}{% endfilter %}{{ q is defined }}", "{% for i in l %}{% filter upper %}x{{ i }}{% if i == 1 %}{% continue %}{% endif %}{% endfilter %}{% endfor %}", "{% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}{{ a is defined }}", "{% with %}{% set a = 1 %}{{ a }}{% endwith %}{{ a is defined }}", "{% set a = 5 %}{% with a = 1, b = a %}{{ a }}{{ b }}{% endwith %}{{ a }}", "{% with n = n + 1 %}{{ n }}{% endwith %}{{ n }}", "{% print 1, 2 %}", "{% generation %}a{{ n }}{% endgeneration %}b", "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{{ loop.index }}{% endgeneration %}{% endif %}{% endfor %}", "{% generation %}{% set q = 1 %}{% endgeneration %}{{ q is defined }}", "{%- generation -%}  a  {%- endgeneration -%}  b", "{% for i in l %}{% generation %}{% break %}{% endgeneration %}{% endfor %}", "{% generation %}",
    # macros
    "{% macro m() %}x{% endmacro %}{{ m() }}{{ m() }}", "{% macro m(a, b=2) %}{{ a }}-{{ b }}{% endmacro %}{{ m(1) }} {{ m(1, 3) }} {{ m(b=4, a=5) }} {{ m() }}", "{% macro m(a) %}{{ a is defined }}{% endmacro %}{{ m() }}", "{% macro m(a) %}{{ a.b }}{% endmacro %}{{ m() }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(zork=2) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, a=2) }}", "{% macro m(a, b=a) %}{{ b }}{% endmacro %}{{ m(1) }}", "{% macro m(a, b=a + 1, c=b + 1) %}{{ c }}{% endmacro %}{{ m(1) }}{{ m(1, c=0) }}", "{% macro m(a=1, b) %}{% endmacro %}", "{% macro m(a, a) %}{% endmacro %}", "{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, x=3) }}", "{% macro m(a) %}{{ a }}{{ varargs | join(',') }}{% endmacro %}{{ m(1, 2, 3) }}", "{% macro m(a) %}{{ kwargs.x }}{% endmacro %}{{ m(1, x=5) }}", "{% macro m(varargs) %}{{ varargs }}{% endmacro %}{{ m(1) }}", "{% macro m(n) %}{% if n > 0 %}{{ n }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(3) }}", "{% macro f(n) %}{% if n < 2 %}{{ n }}{% else %}{{ f(n-1) | int + f(n-2) | int }}{% endif %}{% endmacro %}{{ f(10) }}", "{% macro a() %}A{{ b() }}{% endmacro %}{% macro b() %}B{% endmacro %}{{ a() }}", "{{ m() }}{% macro m() %}x{% endmacro %}", "{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}body{% endcall %}", "{% macro m() %}[{{ caller(1, 2) }}]{% endmacro %}{% call(a, b) m() %}{{ a }}+{{ b }}{% endcall %}", "{% macro m() %}{{ caller is defined }}{% endmacro %}{{ m() }}{% call m() %}{% endcall %}", "{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}", "{% macro m() %}x{% endmacro %}{% call m() %}y{% endcall %}", "{% macro m(x) %}{{ x }}{{ caller() }}{% endmacro %}{% for i in l %}{% call m(i) %}{{ loop.index }};{% endcall %}{% endfor %}", "{% call n() %}{% endcall %}", "{% call n %}{% endcall %}", "{% macro m(caller) %}{{ caller() }}{% endmacro %}", "{% macro m(caller=none) %}{{ caller }}{% endmacro %}{{ m() }}", "{% macro m() %}{% set n = 99 %}{{ n }}{% endmacro %}{{ m() }}{{ n }}", "{% macro m() %}{{ n }}{% endmacro %}{% for n in [1] %}{{ m() }}{% endfor %}", "{% for n in [1, 2] %}{% macro m() %}{{ n }}{% endmacro %}{{ m() }}{% endfor %}", "{% for x in l %}{% macro m() %}{{ loop.index }}{{ x }}{% endmacro %}{{ m() }}{% endfor %}", "{% macro m(x) %}{{ x | upper }}{% endmacro %}{{ m('a') ~ m('b') }}{{ m('c') | length }}", "{% macro m() %}x{% endmacro %}{{ m }}{{ m.name }}", "{% macro m() %}\n  x\n{% endmacro %}\n{{ m() }}", "{%- macro m(x) -%}\n  {{- x -}}\n{%- endmacro -%}\n\n{{ m(1) }}", "{% macro m(x) %}{{ x }}{% endmacro %}{{ m(x=messages[0].role) }}{{ m(*['a']) }}{{ m(**{'x': 'b'}) }}", "{% macro m(l) %}{% for i in l %}{% if i is iterable %}({{ m(i) }}){% else %}{{ i }}{% endif %}{% endfor %}{% endmacro %}{{ m([1, [2, [3]], 4]) }}", "{% if true %}{% macro m() %}x{% endmacro %}{% endif %}{{ m() }}", "{% set ns = namespace(v=0) %}{% macro inc() %}{% set ns.v = ns.v + 1 %}{% endmacro %}{{ inc() }}{{ inc() }}{{ ns.v }}", "{% macro m(a, b='x' * 3) %}{{ b }}{% endmacro %}{{ m(1) }}", "{% macro m(messages) %}{{ messages }}{% endmacro %}{{ m(1) }}", "{% macro m() %}{{ undefined_name.x }}{% endmacro %}ok", "{% macro m() %}{% if true %}a{% else %}b{% endif %}{% endmacro %}{{ m() }}", "{% macro true() %}{% endmacro %}",
    "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.reset() }}{{ c.next() }}", "{% set j = joiner(', ') %}{% for x in l %}{{ j() }}{{ x }}{% endfor %}", "{% set j = joiner() %}{{ j() }}a{{ j() }}b",
    "{% set x = [] %}{{ x.append(1) or '' }}", "{% set _ = d.update({'a': 1}) %}", "{% set x = d.pop %}{{ x is defined }}", "{{ ''.__class__.__mro__[1] }}", "{{ d.__init__ is defined }}", "{{ messages.__len__() }}", "{{ m.a }}", "{{ raise_exception('Roles must ' ~ 'alternate') }}", "{% if messages[0].role != 'user' %}{{ raise_exception('no ' + messages[0].role) }}{% endif %}", "{{ 'x' if messages[0]['role'] == 'system' }}{% for m in messages %}{{ m['zork'] }}{% endfor %}", "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('alternate') }}{% endif %}{% endfor %}", "{% for m in messages %}{% if m.tool_calls is defined %}{{ m.tool_calls is none }}{% endif %}{% if m.tool_calls %}x{% endif %}{% endfor %}", "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content | trim + '<|im_end|>\\n' }}{% endfor %}", "{{ bos_token }}{{ eos_token }}{{ pad_token is defined }}", "{% for m in messages %}{% set content = m.content %}{% if '</think>' in content %}{% set content = content.split('</think>')[-1].lstrip('\\n') %}{% endif %}{{ content }};{% endfor %}", "{% set ns = namespace(multi=true, last=messages|length - 1) %}{% for m in messages[::-1] %}{% set i = messages|length - 1 - loop.index0 %}{% if ns.multi and m.role == 'user' and not (m.content.startswith('<tool>') and m.content.endswith('</tool>')) %}{% set ns.multi = false %}{% set ns.last = i %}{% endif %}{% endfor %}{{ ns.last }}", "{{ (messages|last).role }}{{ messages[-1]['content'][:4] }}{{ (messages|map(attribute='content')|list)[1:3]|length }}",
    "{{ 'a' }}{# {{ b }} #}{{ 'c' }}", "{{\n 1\n +\n 2 }}", "{%\nif true\n%}x{%\nendif\n%}", "{{ 'multi\nline' }}", "{{ 'crlf\r\nline' | length }}", "{{ n }}{{ x }}{{ t }}{{ none_value }}", "{% set x = 'a' -%}  {{ x }}", "{{ ('a', 'b') | join }}{{ 'é' ~ '数' }}", "{{ 1, 2 }}", "{{ 1, }}", "{% for x in l %}{{ x }}{% if loop.index == 2 %}{% break %}{% endif %}{% endfor %}{{ 'after' }}", "{% for x in range(3) %}{% for y in range(3) %}{% if y == 1 %}{% break %}{% endif %}{{ x }}{{ y }} {% endfor %}{% endfor %}", "{% for a in l %}{% if loop.first %}{% continue %}{% endif %}{{ a }}{{ loop.previtem }}{% endfor %}", "{{ é }}", "{% set é = 1 %}{{ é }}", "{{ a.é }}", "{% set 变量 = 'x' %}{{ 变量 }}", "{{ '\\ud83d' }}", "{{ '\\x4' }}", 
    "{%- set d2 = {'a': 1} -%}{% for k in d2 %}{{ k }}{{ d2[k] }}{% endfor %}", "{% set x = namespace(l=[]) %}{% for i in l %}{% set x.l = x.l + [i * 2] %}{% endfor %}{{ x.l }}", "{% set out = namespace(t='') %}{% for m in messages %}{% set out.t = out.t + m.role + ';' %}{% endfor %}{{ out.t }}{{ out.t[3:] }}", "{% set a = 'x' %}{% set b = a + 'y' %}{% set c = b + '1' %}{% set e = b + '2' %}{{ a }}{{ b }}{{ c }}{{ e }}", "{% for p in people|groupby('age') %}{{ p.grouper }}{{ p.list|length }}{% endfor %}", "{% for k, g in people|groupby('age') %}{{ k }}{{ g[0].name }}{% endfor %}",
]

CONVERSATIONS = {
    "one": {"messages": [{"role": "user", "content": "What is 2+2?"}], "add_generation_prompt": True},
    "plain": {"messages": MESSAGES, "add_generation_prompt": True},
    "no_prompt": {"messages": MESSAGES[:3], "add_generation_prompt": False},
    "thinking": {"messages": MESSAGES, "add_generation_prompt": True, "enable_thinking": True, "thinking": True, "reasoning_effort": "high"},
    "no_thinking": {"messages": MESSAGES[1:], "add_generation_prompt": True, "enable_thinking": False, "thinking": False},
    "tools": {"messages": MESSAGES, "tools": CONTEXT["tools"], "add_generation_prompt": True},
    "calls": {"messages": [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "id": "c1", "function": {"name": "get", "arguments": {"city": "Zürich", "n": 1.0, "deep": [True, None]}}}]},
        {"role": "tool", "name": "get", "tool_call_id": "c1", "content": "{\"t\": 7}"},
        {"role": "tool", "content": "more"},
        {"role": "assistant", "content": "7°", "reasoning_content": "\nIt is 7.\n"},
        {"role": "user", "content": "Thanks"}], "tools": CONTEXT["tools"], "add_generation_prompt": True},
    "parts": {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}]}], "add_generation_prompt": True},
    "bad_order": {"messages": [{"role": "assistant", "content": "x"}, {"role": "assistant", "content": "y"}], "add_generation_prompt": True},
    "null": {"messages": [{"role": "user", "content": None}], "add_generation_prompt": True},
}


def render(source, context):
    try:
        template = chat_template_utils._compile_jinja_template(source)
        text = template.render(**json.loads(json.dumps(context)))
        text.encode("utf-8")
        assert " at 0x" not in text, "an address cannot be compared"
        return {"expected": text}
    except AssertionError as problem:
        if "an address" in str(problem):
            return {"error": True}
        return {"error": True}
    except Exception:
        return {"error": True}


def main():
    cases = []
    for expression in EXPRESSIONS:
        source = "{{ " + expression + " }}"
        cases.append({"source": source, "context": used(source), **render(source, CONTEXT)})
    for source in TEMPLATES:
        cases.append({"source": source, "context": used(source), **render(source, CONTEXT)})
    for path in sorted((HERE / "templates").glob("*.jinja")):
        source = path.read_text()
        for conversation in CONVERSATIONS.values():
            context = {"bos_token": "<s>", "eos_token": "</s>", **conversation}
            cases.append({"source": source, "context": context, **render(source, context)})
    lines = [json.dumps(case, ensure_ascii=False, separators=(",", ":")) for case in cases]
    (HERE / "templates.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")
    failed = sum("error" in case for case in cases)
    print(f"{len(cases)} cases, {failed} of them errors")


def used(source):
    """The part of the context that a source can name."""
    return {key: value for key, value in CONTEXT.items() if key in source}


if __name__ == "__main__":
    main()
