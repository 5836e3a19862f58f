#!/usr/bin/env python3
"""Makes the golden vectors of the built-in model's head anew: `CASE__joined` in `tests/golden/head.npz`.

They follow from the golden descriptors in the same file, PyTorch's pooled vectors in `aisfx.npz` and the head that the
model's manifest names; descriptors and sounds are kept. To be run whenever the head changes.
"""

import argparse
import io
from pathlib import Path

import numpy as np

import stage
from make_golden import PRODUCTS
from manifest import load_manifest, replace_file


def joined_vectors(known, products, manifest):
    """Returns {case: joined vector} of every case with descriptors."""
    cases = [key.removesuffix("__descriptors") for key in known if key.endswith("__descriptors")]
    values = {name: np.array([products[f"{case}__{part}"] for case in cases]) for part, name in PRODUCTS.items()}
    values["descriptors"] = np.array([known[f"{case}__descriptors"] for case in cases])
    rows = stage.joined(*stage.Head(manifest).parts(values), manifest["head"]["weight"])
    return dict(zip(cases, rows.astype(np.float32)))


def main():
    root = Path(__file__).resolve().parents[1]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--golden", type=Path, default=root / "tests/golden")
    parser.add_argument("--model", default=root / "models/aisfx-f16.json")
    arguments = parser.parse_args()
    path = arguments.golden / "head.npz"
    with np.load(path) as content, np.load(arguments.golden / "aisfx.npz") as products:
        arrays = {key: content[key] for key in content.files}
        vectors = joined_vectors(arrays, products, load_manifest(arguments.model))
    packed = io.BytesIO()
    np.savez_compressed(packed, **{**arrays, **{f"{case}__joined": vector for case, vector in vectors.items()}})
    replace_file(path, packed.getvalue())
    print(f"wrote head.npz: {len(vectors)} cases")


if __name__ == "__main__":
    main()
