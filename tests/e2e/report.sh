#!/usr/bin/env bash
# report.sh POTSTILL MAKE_EVALS DRIVE: the page of a report in headless Chromium: filters, keys,
# an open problem, hostile replies, narrow screens. drive.html does it and says what is wrong.
set -uo pipefail
potstill=$(realpath "$1") make_evals=$(realpath "$2") drive=$(realpath "$3")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export HOME=$work XDG_CONFIG_HOME=$work/config XDG_CACHE_HOME=$work/cache

for browser in chromium chromium-browser google-chrome; do
    command -v $browser >/dev/null && break
    browser=
done
[[ -n $browser ]] || { echo "skipped: there is no chromium to open the report in"; exit 77; }

"$make_evals" few.db 30 3 4 1500 || exit 1
"$potstill" report few.db --out page --quiet >/dev/null || exit 1
for try in 1 2; do # a browser that does not start is tried once more
    timeout 100 $browser --headless --no-sandbox --disable-gpu --allow-file-access-from-files \
        --user-data-dir="$work/browser$try" --virtual-time-budget=60000 --dump-dom \
        "file://$drive?page=file://$work/page/report.html&problems=30&models=3&samples=4" \
        >dom 2>log
    [[ -s dom ]] && break
done
[[ -s dom ]] || { echo "skipped: chromium does not start here: $(tail -1 log)"; exit 77; }
grep -q '<title>passed</title>' dom && exit 0
sed -n 's,.*<body>,,p' dom | tail -1
exit 1
