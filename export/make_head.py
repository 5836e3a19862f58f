#!/usr/bin/env python3
"""Packs a learned head for the app: `--from head.npz` becomes the file that the manifest template names.

The .npz holds what a fit gave, by the names of the template's groups: `GROUP_mean`, `GROUP_deviation` where the scaling
takes one, `offset [H]`, `matrix [inputs, H]` and `basis [B, H + raw]`. The file holds the same as little-endian f32, in
the order of `stage.head_layout`. What the app computes from it is in `stage.py`; the recipe of the fit is in
`models/LICENSE-aisfx-head.txt`.

The file's SHA-256 is written into the template and into the models beside the file that name it: sidecar and metadata.
"""

import argparse
import hashlib
import json
import re
from pathlib import Path

import numpy as np
import onnx

import stage
from manifest import TEMPLATES, replace_file, write_model

KINDS = ("mean", "deviation")


def array_names(head):
    """Returns the names of a head's arrays in the order of its file."""
    statistics = [f"{g['of']}_{kind}" for g in head["groups"] for kind in KINDS[: stage.statistics_of(g)]]
    return [*statistics, "offset", "matrix", "basis"]


def pack(arrays, head):
    """Returns the bytes of a head's file; ends the program when an array has another shape than the manifest says."""
    content = b""
    for name, shape in zip(array_names(head), stage.head_layout(head), strict=True):
        if arrays[name].shape != shape:
            raise SystemExit(f"make_head: {name} is {arrays[name].shape}, not {shape}")
        content += np.ascontiguousarray(arrays[name], "<f4").tobytes()
    return content


def main_directions(rows, count):
    """Returns the orthonormal directions `[count, dim]` in which rows vary most, with a fixed sign."""
    _, _, basis = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    basis = basis[:count]
    strongest = basis[np.arange(len(basis)), np.abs(basis).argmax(axis=1)]
    return basis * np.sign(strongest)[:, None]


def restate(template, folder, sha256):
    """Writes a head's SHA-256 into the template and into every model of a folder that was made from it."""
    text = template.read_text(encoding="utf-8")
    name = json.loads(text)["head"]["file"]
    before, after = text.split('"head": {', 1)
    after = re.sub(r'("sha256": )"[0-9a-f]*"', rf'\g<1>"{sha256}"', after, count=1)
    replace_file(template, (before + '"head": {' + after).encode("utf-8"))
    head = json.loads(template.read_text(encoding="utf-8"))["head"]
    for sidecar in sorted(folder.glob("*.json")):
        manifest = json.loads(sidecar.read_text(encoding="utf-8"))
        if manifest.get("head", {}).get("file") == name:
            del manifest["sha256"]
            write_model(onnx.load(folder / manifest["file"]), dict(manifest, head=head), folder)
            print(f"restated {sidecar.name}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="source", type=Path, required=True, help="the fit's .npz")
    parser.add_argument("--template", type=Path, default=TEMPLATES / "aisfx.json")
    parser.add_argument("--models", type=Path, default=Path(__file__).resolve().parents[1] / "models")
    arguments = parser.parse_args()
    head = json.loads(arguments.template.read_text(encoding="utf-8"))["head"]
    with np.load(arguments.source) as fit:
        content = pack(fit, head)
    replace_file(arguments.models / head["file"], content)
    sha256 = hashlib.sha256(content).hexdigest()
    print(f"{sha256}  {head['file']}")
    restate(arguments.template, arguments.models, sha256)


if __name__ == "__main__":
    main()
