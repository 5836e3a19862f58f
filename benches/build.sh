#!/usr/bin/env bash
# What building costs, on this machine and in this order: `cargo build` from nothing, `cargo test --no-run` after it, and
# one changed line in src/ui until the window is there (needs Xvfb and xdotool). Usage: benches/build.sh [COMMIT...]
set -euo pipefail
cd "$(git rev-parse --show-toplevel)"
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

# Runs a command, its output into a file; prints CPU minutes and seconds by the clock.
cost() {
    local out=$1 TIMEFORMAT='%U %S %R'
    shift
    { time "$@" >"$out" 2>&1; } 2>"$root/time" || { cat "$out" >&2; exit 1; }
    awk '{ printf "%5.1f CPU-minutes, %5.0f s by the clock", ($1 + $2) / 60, $3 }' "$root/time"
}

started_window() {
    local display=:$((200 + RANDOM % 800)) server program began
    Xvfb "$display" -screen 0 1440x900x24 >/dev/null 2>&1 & server=$!
    until DISPLAY=$display xdotool getdisplaygeometry >/dev/null 2>&1; do sleep 0.05; done
    began=$(date +%s.%N)
    cargo build -q
    DISPLAY=$display "$CARGO_TARGET_DIR/debug/soundkin" --library "$root/library.db" >/dev/null 2>&1 & program=$!
    until DISPLAY=$display xdotool search --onlyvisible --name Soundkin >/dev/null 2>&1; do
        kill -0 $program || exit 1
        sleep 0.05
    done
    awk -v a="$began" -v b="$(date +%s.%N)" 'BEGIN { printf "%.1f s", b - a }'
    kill $program $server
}

for commit in "${@:-HEAD}"; do
    git clone -q . "$root/clone"
    cd "$root/clone"
    git checkout -q "$(git -C "$OLDPWD" rev-parse "$commit")"
    export CARGO_TARGET_DIR="$root/target"
    cargo fetch -q
    echo "$(git log -1 --format='%h %s'), $(nproc) cores of $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)"
    echo "  cargo build from nothing:          $(cost "$root/build" cargo build)"
    echo "  cargo test --no-run after it:      $(cost "$root/test" cargo test --workspace --no-run)"
    compiled() { sed -n 's/^ *Compiling \([^ ]* [^ ]*\).*/\1/p' "$1" | grep -v '^soundkin' | sort -u; }
    echo "  crates that both have compiled:    $(comm -12 <(compiled "$root/build") <(compiled "$root/test") | paste -sd, | sed 's/^$/none/')"
    sed -i 's/^    let theme = view.theme;/    let theme = view.theme; \/\/ changed/' src/ui/status.rs
    git diff --quiet && { echo 'no line was changed' >&2; exit 1; }
    echo "  one changed line until the window: $(started_window)"
    cd "$OLDPWD"
    rm -rf "$root/clone" "$root/target" "$root/library.db"
done
