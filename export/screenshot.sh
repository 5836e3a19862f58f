#!/usr/bin/env bash
# Takes the pictures of README.md from the real window: screenshot.sh PROGRAM FOLDER…
# Folders that are not there are left out; without any the demo library is shown.
set -euo pipefail
cd "$(dirname "$0")/.."
program=$1
shift
folders=()
for folder in "$@"; do [ ! -d "$folder" ] || folders+=("$folder"); done
[ ${#folders[@]} -gt 0 ] || folders=(assets/demo)

scratch=$(mktemp -d)
trap 'kill "${window:-}" "${screen:-}" "${sound:-}" 2>/dev/null || true; rm -rf "$scratch"' EXIT
export HOME=$scratch XDG_DATA_HOME=${XDG_DATA_HOME:-$HOME/.local/share}
export XDG_RUNTIME_DIR=$scratch XDG_CONFIG_HOME=$scratch SOUNDKIN_LIBRARY=$scratch/library.db
"$program" index "${folders[@]}" >/dev/null || true

pulseaudio -n --daemonize=no --exit-idle-time=-1 --load=module-native-protocol-unix --load=module-null-sink 2>/dev/null &
sound=$!
printf '</usr/share/alsa/alsa.conf>\npcm.!default pulse\nctl.!default pulse\n' >"$scratch/asound.conf"
export ALSA_CONFIG_PATH=$scratch/asound.conf PULSE_SERVER=unix:$scratch/pulse/native
Xvfb -displayfd 3 -screen 0 1440x900x24 -nolisten tcp 3>"$scratch/display" 2>/dev/null &
screen=$!
until [ -s "$scratch/display" ]; do sleep 0.1; done
DISPLAY=:$(cat "$scratch/display")
export DISPLAY
unset WAYLAND_DISPLAY
"$program" "${folders[@]}" 2>/dev/null &
window=$!
until id=$(xdotool search --name Soundkin 2>/dev/null | tail -1) && [ -n "$id" ]; do sleep 0.2; done
sleep 6
picture() {
    import -window root -depth 8 "$scratch/$1.png"
    convert "$scratch/$1.png" +dither -colors 200 -define png:compression-level=9 "assets/$1.png"
    echo "assets/$1.png: $(du -k "assets/$1.png" | cut -f1) KiB"
}
# Search for a kick, choose the best match, leave the search, ask for its neighbours, and walk to the second.
xdotool windowfocus "$id" sleep 0.3 key ctrl+f sleep 0.5 type kick
xdotool sleep 1 key Return sleep 2.5 key Escape sleep 1 key n sleep 1
xdotool key Down sleep 0.5 key Down sleep 2 mousemove 720 12 sleep 1
picture window
xdotool keydown ctrl sleep 0.2 key t sleep 0.2 keyup ctrl sleep 1
picture window-light
