#!/usr/bin/env bash
# traces_curate.sh POTSTILL MAKE_STORE: the commands that change a store by hand.
set -u
potstill=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
store=$folder/a.db
"$2" "$store" || exit 1
failures=0

# expect CODE PATTERN COMMAND...: the exit code, and a line of stdout or stderr that the pattern finds.
expect() {
    local code=$1 pattern=$2 output got
    shift 2
    output=$("$potstill" "$@" 2>&1 </dev/null)
    got=$?
    if [ $got != "$code" ] || ! grep -qE -- "$pattern" <<<"$output"; then
        echo "potstill $*: exit code $got (wanted $code), no line with /$pattern/ in:"
        echo "$output"
        failures=$((failures + 1))
    fi
}

expect 0 '' traces backup "$store" "$folder/b.db"
expect 2 'exists already' traces backup "$store" "$folder/b.db"
expect 0 '^6 traces the same, 0 only in the first, 0 only in the second, 0 differ$' \
    traces diff "$store" "$folder/b.db"

# by hand beats the grader, and the grader's verdict stays
expect 0 'trace 1 was correct, is wrong by ada' \
    traces override "$store" 1 wrong --who ada --why 'the gold is for another question'
expect 0 '^verdict +wrong' traces show "$store" 1
expect 2 "'rong' is no verdict" traces override "$store" 1 rong --who ada --why x
expect 2 'no trace 99' traces override "$store" 99 wrong --who ada --why x
expect 2 "'why' is missing" traces override "$store" 1 wrong --who ada

# a corrected gold grades again what it touches: all but the verdict by hand
expect 0 'the gold of sums/train:4 is 3; 3 traces graded again' traces gold "$store" sums/train:4 3
expect 0 '2 were correct, are wrong' traces gold "$folder/b.db" sums/test:4 3
expect 2 'no item sums/train:5' traces gold "$store" sums/train:5 3
expect 2 "'sums:5' is no item" traces gold "$store" sums:5 3

expect 2 'delete 2 of 6 traces .* there is no terminal|no terminal to ask' \
    traces delete "$store" --finish length
expect 0 '^2 traces deleted, 4 are left' traces delete "$store" --finish length --yes
expect 2 'limit' traces delete "$store" --limit 1 --yes
expect 0 '"deleted":2,"left":2' traces delete "$store" --dataset sums/train --verdict wrong --yes --json

# what was deleted comes back from the copy; a second merge adds nothing
expect 0 '^> sums/train:4 .* sample 2 ' traces diff "$store" "$folder/b.db"
expect 0 '"a":null,"b":\{"id":' traces diff "$store" "$folder/b.db" --json
expect 0 '4 traces added, 2 were here already, 0 differ' traces merge "$store" "$folder/b.db"
expect 0 '"added":0,"same":6,"conflicts":0' traces merge "$store" "$folder/b.db" --json
expect 2 'cannot be merged into itself' traces merge "$store" "$store"
expect 2 'no such store' traces merge "$store" "$folder/absent.db"
[ "$("$potstill" traces hash "$store")" = "$("$potstill" traces hash "$folder/b.db")" ] || {
    echo "the merged store has other traces"
    failures=$((failures + 1))
}
[ $failures = 0 ]
