#!/usr/bin/env bash
# From a fresh clone to a report: installs what is missing (it asks first), builds, and runs
# pipelines/quickstart.yaml: a small mixture-of-experts teacher is sampled, graded and distilled
# into a dense student, which is then compared with teacher, base and a control.
#
#   examples/quickstart.sh            about five minutes on two cores
#   examples/quickstart.sh --yes      installs without asking
#   examples/quickstart.sh --short    a smoke run of 96 prompts and steps
set -euo pipefail
cd "$(dirname "$0")/.."

yes=false limit=()
for argument; do
    case $argument in
    --yes) yes=true ;;
    --short) limit=(--limit 96) ;;
    *) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 2 ;;
    esac
done
say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[[ -t 1 && -z ${NO_COLOR:-} ]] || say() { printf '\n%s\n' "$*"; }

# ---- packages ----

packages=(gcc libc6-dev meson ninja-build pkg-config libzstd-dev zlib1g-dev libsqlite3-dev
    libjansson-dev libfyaml-dev libpcre2-dev libutf8proc-dev libgmp-dev libflint-dev libssl-dev
    sqlite3)
# FLINT 3 has Calcium inside; Debian 12 has FLINT 2.
grep -q bookworm /etc/os-release && packages+=(libcalcium-dev libflint-arb-dev libantic-dev)
missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if ((${#missing[@]})); then
    root=()
    [[ $(id -u) == 0 ]] || root=(sudo)
    echo "To be installed with ${root[*]:+${root[*]} }apt-get: ${missing[*]}"
    if ! $yes; then
        read -rp "Go on? [Y/n] " answer </dev/tty || answer=n
        [[ $answer == [nN]* ]] && exit 3
    fi
    "${root[@]}" apt-get update -qq
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null
fi

# ---- build ----

say "Building"
if [[ ! -f build/build.ninja ]]; then
    log=$(meson setup build -Dtests=false) || { echo "$log"; exit 1; }
fi
ninja -C build --quiet
potstill=build/pipelines/potstill

# ---- the main job ----

say "Running pipelines/quickstart.yaml"
"$potstill" run pipelines/quickstart.yaml "${limit[@]}"
run=runs/quickstart${limit[1]:+-limit-${limit[1]}}

# ---- one problem, three answers ----

question="Ben has 7 dollars. A month later he has 5 times as much money. At the market he spends 19 dollars. How much money does Ben have now?"
say "$question"
answers=$(mktemp -d)
trap 'rm -rf "$answers"' EXIT
for name in teacher base student; do
    model=examples/models/$name
    [[ $name == student ]] && model=$run/student/model
    { echo "$name"; echo "-------"; "$potstill" ask "$model" "$question" --temperature 0 --max-tokens 160 --quiet; } >"$answers/$name"
done
pr -mtw 120 "$answers"/{teacher,base,student}

say "The traces are in one SQLite file; try:"
echo "  sqlite3 runs/quickstart/traces.db \"SELECT dataset, verdict, count(*) FROM item JOIN latest_verdict v ON v.item = item.id GROUP BY 1, 2\""
say "The report: $run/report.html"
