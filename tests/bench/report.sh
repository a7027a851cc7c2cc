#!/usr/bin/env bash
# How long the report of a large evaluation takes to make and to open, and how large it is.
#
#   tests/bench/report.sh BUILD [PROBLEMS MODELS SAMPLES BYTES]
#
# By default 2,000 problems x 3 models x 8 samples of about 3 KB. Opening is measured in headless
# Chromium, five times: the milliseconds until the page's script has run, until the first paint, until
# the whole file is read, and until a problem that is asked for is open. Needs some 300 MB in $TMPDIR.
set -euo pipefail
build=$(realpath "$1") here=$(dirname "$(realpath "$0")")
shift
size=("${@:-2000}")
((${#size[@]} > 1)) || size=(2000 3 8 2000)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

"$build/tests/bench/make_evals" evals.db "${size[@]}"
TIMEFORMAT="made in %R s (%U s of one processor)"
time "$build/pipelines/potstill" report evals.db --out page --quiet >/dev/null
echo "store $(stat -c %s evals.db) bytes, page $(stat -c %s page/report.html) bytes"

for browser in chromium chromium-browser google-chrome; do command -v $browser >/dev/null && break; done
echo "script  paint  loaded  problem (ms)"
for run in 1 2 3 4 5; do
    # The browser stays open until it has said what it measured.
    coproc opened { exec timeout 120 $browser --headless --no-sandbox --disable-gpu \
        --allow-file-access-from-files --enable-logging=stderr --user-data-dir="$work/browser" \
        "file://$here/report_time.html?page=file://$work/page/report.html" 2>&1; }
    pid=$opened_PID
    sed -nE '/MEASURED/{s/.*MEASURED ([0-9]+) ([0-9]+|NaN) ([0-9]+) ([0-9]+).*/\1 \2 \3 \4/p;q}' <&"${opened[0]}"
    kill "$pid" && wait "$pid" 2>/dev/null || true
done | sort -n | awk '{printf "%6s %6s %7s %8s\n", $1, $2, $3, $4}'
