#!/usr/bin/env python3
"""Packs a learned head for the app: `--from head.npz` becomes `--out FILE.f32`, and its SHA-256 is printed.

The .npz holds what the fit gave: `aisfx_mean [P]`, `classic_mean [D]`, `classic_std [D]`, `b [H]`, `W [P + D, H]` and
`pca [B, H + P + D]`. The file holds the same as little-endian f32, one after the other in this order. What the
app computes from it is in `stage.py`; the recipe of the fit is in `models/LICENSE-aisfx-head.txt`.
"""

import argparse
import hashlib
from pathlib import Path

import numpy as np

from manifest import replace_file

ARRAYS = ("aisfx_mean", "classic_mean", "classic_std", "b", "W", "pca")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="source", type=Path, required=True, help="the fit's .npz")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    with np.load(arguments.source) as fit:
        content = b"".join(np.ascontiguousarray(fit[name], "<f4").tobytes() for name in ARRAYS)
    replace_file(arguments.out, content)
    print(f"{hashlib.sha256(content).hexdigest()}  {arguments.out}")


if __name__ == "__main__":
    main()
