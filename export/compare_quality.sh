#!/usr/bin/env bash
# Retrieval quality of the program against the numpy + ONNX Runtime reference, on the same labelled files.
# Usage: PYTHON=… LABELS=labels.csv export/compare_quality.sh   (make quality does it all)
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
labels=${LABELS:?a CSV with path, coarse and corpus}
program=${SOUNDKIN:-${CARGO_TARGET_DIR:-target}/debug/soundkin}
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

"$python" - "$labels" > "$work/files" <<'END'
import csv, os, sys
for row in csv.DictReader(open(sys.argv[1], newline="")):
    if os.path.isfile(row["path"]):
        sys.stdout.write(row["path"] + "\0")
END
for model in aisfx-int8 aisfx-f16; do
    echo "== $model: reference in numpy and ONNX Runtime"
    "$python" export/evaluate_models.py --labels "$labels" --model "models/$model.json" --vectors "$work/$model.npz"
    echo "== $model: soundkin embed"
    xargs -0 -x -s 1800000 "$program" embed --json --quiet --model "$model" < "$work/files" > "$work/$model.json"
    "$python" export/evaluate_models.py --labels "$labels" --model "models/$model.json" \
        --from-json "$work/$model.json" --reference "$work/$model.npz"
done
echo "== several sounds, and less of one"
"$python" export/measure_blend.py --labels "$labels" --model models/aisfx-int8.json --from-json "$work/aisfx-int8.json"
echo "== altered copies"
"$python" export/measure_robustness.py --labels "$labels" --model models/aisfx-int8.json --from-json "$work/aisfx-int8.json" \
    --program "$program"
