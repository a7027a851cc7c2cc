#!/usr/bin/env bash
# Installs what the tests need, builds, and runs every test.
#
#   tests/run.sh          the build with gcc and all suites
#   tests/run.sh --all    also: a build with clang, the unit and golden tests under ASan and UBSan,
#                         and every fuzz target for FUZZ_SECONDS (3) over its corpus. CI does this.
#
# The last line is "N passed, N failed, N skipped"; what is skipped is listed with the reason.
set -uo pipefail
cd "$(dirname "$0")/.."
all=false
[[ ${1:-} == --all ]] && all=true
jobs=$(nproc)

# ---- packages ----

packages=(gcc libc6-dev meson ninja-build pkg-config libzstd-dev zlib1g-dev libsqlite3-dev
    libjansson-dev libfyaml-dev libpcre2-dev libutf8proc-dev libgmp-dev libflint-dev libssl-dev
    libcmocka-dev sqlite3 zstd)
# FLINT 3 has Calcium inside; Debian 12 has FLINT 2.
grep -q bookworm /etc/os-release && packages+=(libcalcium-dev libflint-arb-dev libantic-dev)
$all && packages+=(clang libclang-rt-dev libomp-dev)
missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
install() {
    local root=()
    [[ $(id -u) == 0 ]] || root=(sudo)
    "${root[@]}" apt-get update -qq &&
        "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}
if ((${#missing[@]})); then
    echo "installing: ${missing[*]}"
    # What is not packaged may be there all the same: then the build finds it.
    install "${missing[@]}" || echo "could not install all of ${missing[*]}; going on without"
fi

# The page of a report is tested in a browser; any of these will do.
browser() { command -v chromium chromium-browser google-chrome >/dev/null; }
if $all && ! browser; then
    echo "installing: chromium"
    install chromium || echo "could not install chromium; going on without"
fi

# A user's settings are not the tests' business.
for variable in "${!POTSTILL_@}"; do
    [[ $variable == POTSTILL_SHARED ]] || unset "$variable"
done

# ---- builds and suites ----

passed=0 failed=0 skipped=0
reasons=()

build() { # folder, compiler, meson options
    local folder=$1 compiler=$2
    shift 2
    # examples/quickstart.sh leaves the tests out
    [[ ! -f $folder/build.ninja || -d $folder/tests/unit ]] ||
        meson configure "$folder" -Dtests=true || return 1
    [[ -f $folder/build.ninja ]] || CC=$compiler meson setup "$folder" "$@" >"$folder.log" || {
        tail -20 "$folder.log"
        rm -f "$folder.log"
        return 1
    }
    rm -f "$folder.log"
    ninja -C "$folder" -j "$jobs" >"$folder/build.log" 2>&1 || {
        tail -40 "$folder/build.log"
        return 1
    }
    if grep -n 'warning:' "$folder/build.log"; then
        echo "$folder: built with warnings"
        return 1
    fi
}

suites() { # folder, meson test options
    local folder=$1 log=$1/meson-logs/testlog.txt count
    shift
    rm -f "$log"
    meson test -C "$folder" --no-rebuild --print-errorlogs "$@"
    [[ -f $log ]] || {
        echo "FAILED: meson test in $folder"
        failed=$((failed + 1))
        return
    }
    count() { sed -nE "s/^$1: +([0-9]+).*/\1/p" "$log" | tail -1 | grep . || echo 0; }
    passed=$((passed + $(count Ok)))
    failed=$((failed + $(count Fail) + $(count Timeout) + $(count 'Unexpected Pass')))
    skipped=$((skipped + $(count Skipped) + $(grep -c '^\[  SKIPPED \] [a-z_0-9]*$' "$log")))
    while read -r line; do reasons+=("$line"); done < <(grep -h '^skipped: ' "$log" | sort -u)
}

step() { # name, command: one more test
    local name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        echo "FAILED: $name"
        failed=$((failed + 1))
    fi
}

step "build with gcc" build build gcc
[[ -x build/pipelines/potstill ]] && suites build --timeout-multiplier 3

if $all; then
    step "build with clang" build build-clang clang
    sanitize=(-Db_sanitize=address,undefined -Db_lundef=false -Dbuildtype=debugoptimized)
    step "build with sanitizers" build build-sanitize clang "${sanitize[@]}" -Dfuzz=true
    if [[ -x build-sanitize/pipelines/potstill ]]; then
        export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
        suites build-sanitize --suite unit --suite golden --timeout-multiplier 8
        for target in build-sanitize/tests/fuzz/fuzz_*; do
            [[ -f $target && -x $target ]] || continue
            parser=${target##*/fuzz_}
            corpus=$(mktemp -d)
            fuzz() {
                "$target" -max_total_time="${FUZZ_SECONDS:-3}" -artifact_prefix="$corpus/" -verbosity=0 \
                    "$corpus" "tests/fuzz/corpus/$parser" >"$corpus.log" 2>&1 || {
                    tail -30 "$corpus.log"
                    return 1
                }
            }
            step "fuzz $parser" fuzz
            rm -rf "$corpus" "$corpus.log"
        done
    fi
fi

((${#reasons[@]})) && printf '%s\n' "${reasons[@]}" | sort -u
echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0))
