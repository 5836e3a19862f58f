#!/usr/bin/env bash
# Makes the corpora that fuzzing starts from: the first bytes of the test sounds, and the sidecars of the models.
set -euo pipefail
cd "$(dirname "$0")"
mkdir -p corpus/{riff,edits,manifest}
for sound in ../tests/audio/*.wav; do
    head -c 2048 "$sound" > "corpus/riff/$(basename "$sound")"
done
# Boxes that say what to hear may stand behind the sound; of a longer file, its end would not be found.
for sound in ../tests/audio/*.m4a; do
    [ "$(stat -c %s "$sound")" -gt 8192 ] || cp "$sound" "corpus/edits/$(basename "$sound")"
done
printf ' 00000000 00000840 000001CA 00000000003F31F6 00000000' > corpus/edits/itunes
for sidecar in ../models/*.json; do
    cp "$sidecar" "corpus/manifest/$(basename "$sidecar")"
done
