#!/usr/bin/env bash
# report.sh POTSTILL MAKE_EVALS [--accept]: reports of stores of replies, one and two: what the terminal
# shows is report.txt to the letter, and report.json has the same numbers.
set -u
potstill=$(realpath "$1") make_evals=$(realpath "$2") expected=$(dirname "$(realpath "$0")")/report.txt
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
failures=0
fail() {
    echo "$*"
    failures=$((failures + 1))
}

"$make_evals" few.db 12 2 2 1500 && "$make_evals" other.db 10 2 2 1000 || exit 1
{
    "$potstill" report few.db --quiet
    echo
    "$potstill" report few.db other.db --quiet
} >seen || fail "report: exit code $?"
[ "${3:-}" = --accept ] && cp seen "$expected"
diff -u "$expected" seen || fail 'the tables have changed'
for file in few-report report-few-other; do
    [ -s $file/report.html ] && [ -s $file/report.json ] || fail "there is no report in $file"
done

# The same numbers, in full, as JSON.
"$potstill" report few.db other.db --out here --json --quiet >json
[ "$(cat json)" = "$(cat here/report.json)" ] || fail '--json is not report.json'
value() { # KEY of the pair of students
    grep -oE '"a":"other:student","b":"few:student"[^{]*' here/report.json | grep -oE "\"$1\":-?[0-9.]+" | cut -d: -f2
}
awk -v d="$(value difference)" -v p="$(value p)" 'BEGIN { exit !(d > 0.1499 && d < 0.1501 && p > 0.5311 && p < 0.5313) }' ||
    fail "report.json: difference $(value difference), p $(value p)"
[ "$(grep -o '"notes":\[.*\],"groups"' here/report.json | grep -o '"text"' | wc -l)" = 4 ] || fail 'not four notes'

# A grader of another version is said.
cp other.db later.db
"$potstill" grade later.db --profile plain --quiet >/dev/null
"$potstill" report other.db later.db --out graders --quiet >graders.txt
grep -q 'judged by the graders "plain [0-9]*" and "math [0-9]*"' graders.txt || fail "graders: $(cat graders.txt)"

# What is refused.
refused() { # PATTERN ARGUMENT...
    local pattern=$1
    shift
    "$potstill" report "$@" >/dev/null 2>err && fail "report $* does not fail"
    grep -qE "$pattern" err || fail "report $*: $(cat err)"
}
refused 'no such run; give runs/NAME, or the evals.db' nothing
refused 'it has no run.json' .
echo "no store" >text.db
refused 'text.db: .*not a' text.db
[ $failures = 0 ]
