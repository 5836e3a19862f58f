#!/usr/bin/env python3
"""Checks models against the golden vectors: the whole path from 16-bit samples to pooled vector.

Prints the cosine of each model with the PyTorch vector of every case, and between models.
"""

import argparse
import json
from pathlib import Path

import numpy as np

import frontend
from manifest import load_manifest, model_path, open_session


def embed_cases(golden, names, rates, manifest):
    """Embeds every golden case; returns `[cases, dim]`."""
    session, rows = open_session(model_path(manifest)), []
    for name in names:
        pcm = golden[f"{name}__pcm16"]
        mono = pcm.reshape(len(pcm), -1).astype(np.float32).mean(axis=1) / np.float32(32768)
        conditioned, _ = frontend.condition(mono, rates[name], manifest["audio"])
        batch = frontend.model_input(conditioned, manifest)
        rows.append(frontend.pool(frontend.run_blocks(session, batch), manifest["output"]))
    return np.array(rows, np.float64)


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
        expected = np.array([golden[f"{name}__emb_product"] for name in names], np.float64)
        manifests = [load_manifest(path) for path in arguments.model]
        vectors = {m["id"]: embed_cases(golden, names, rates, m) for m in manifests}
    first = next(iter(vectors))
    worst = min(report(f"{name} against torch", rows, expected, names) for name, rows in vectors.items())
    for name, rows in list(vectors.items())[1:]:
        report(f"{name} against {first}", rows, vectors[first], names)
    if worst < arguments.min_cosine:
        raise SystemExit(f"check_golden: cosine {worst:.5f} is below {arguments.min_cosine}")


if __name__ == "__main__":
    main()
