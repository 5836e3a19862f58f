#!/usr/bin/env python3
"""Checks models against the golden vectors: the whole path from 16-bit samples to pooled vectors.

Prints the cosine of each model with the PyTorch vectors of every case, and between models, output by output.
"""

import argparse
import json
from pathlib import Path

import numpy as np

import frontend
from make_golden import PRODUCTS
from manifest import load_manifest, model_path, open_session


def embed_cases(golden, names, rates, manifest):
    """Embeds every golden case; returns {array: unit rows `[cases, dim]`} by the names of the golden arrays."""
    session, rows = open_session(model_path(manifest)), []
    for name in names:
        pcm = golden[f"{name}__pcm16"]
        mono = pcm.reshape(len(pcm), -1).astype(np.float32).mean(axis=1) / np.float32(32768)
        conditioned, _ = frontend.condition(mono, rates[name], manifest["audio"])
        batch = frontend.model_input(conditioned, manifest)
        rows.append(frontend.pooled_outputs(session, batch, manifest))
    outputs = {part: np.array([row[output] for row in rows], np.float64) for part, output in PRODUCTS.items()}
    return {part: values / np.linalg.norm(values, axis=1, keepdims=True) for part, values in outputs.items()}


def report(title, left, right, names):
    """Prints mean and minimum cosine of unit rows, with the case of the minimum."""
    cosines = (left * right).sum(axis=1)
    print(f"{title}: cosine mean {cosines.mean():.7f} min {cosines.min():.7f} ({names[int(cosines.argmin())]})")
    return float(cosines.min())


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs="+", required=True, help="manifests")
    parser.add_argument("--golden", default=Path(__file__).resolve().parents[1] / "tests/golden", type=Path)
    parser.add_argument("--min-cosine", type=float, default=0.99, help="fail below this")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    meta = json.loads((arguments.golden / "aisfx.json").read_text(encoding="utf-8"))
    # Silence has no embedding in the product.
    names = [name for name in meta if meta[name]["peak"] >= frontend.SILENCE_PEAK]
    rates = {name: meta[name]["sample_rate"] for name in names}
    with np.load(arguments.golden / "aisfx.npz") as golden:
        expected = {part: np.array([golden[f"{name}__{part}"] for name in names], np.float64) for part in PRODUCTS}
        manifests = [load_manifest(path) for path in arguments.model]
        vectors = {m["id"]: embed_cases(golden, names, rates, m) for m in manifests}
    first, worst = next(iter(vectors)), 1.0
    for part, rows in expected.items():
        for name, ours in vectors.items():
            worst = min(worst, report(f"{name} {part} against torch", ours[part], rows, names))
        for name, ours in list(vectors.items())[1:]:
            report(f"{name} {part} against {first}", ours[part], vectors[first][part], names)
    if worst < arguments.min_cosine:
        raise SystemExit(f"check_golden: cosine {worst:.5f} is below {arguments.min_cosine}")


if __name__ == "__main__":
    main()
