#!/usr/bin/env python3
"""Makes a post-processing file: the mean and a PCA basis of a model's vectors over folders of audio.

Layout: little-endian f32 `[1 + rows, dim]`. Row 0 is the mean of the L2-normalised pooled vectors;
the other rows are the leading right singular vectors of the centred, re-normalised vectors. The
component of largest magnitude of every row is positive, so that the same audio gives the same file.
"""

import argparse
from pathlib import Path

import numpy as np

import frontend
from manifest import load_manifest, model_path, open_session, replace_file


def embed_all(files, manifest):
    """Embeds every readable, non-silent file; returns `[N, dim]` and the number of files skipped."""
    session, vectors, skipped = open_session(model_path(manifest)), [], 0
    for path in files:
        try:
            vector = frontend.embed_file(path, manifest, session)
        except (RuntimeError, OSError):
            vector = None
        if vector is None:
            skipped += 1
        else:
            vectors.append(vector)
    return np.array(vectors), skipped


def unit_rows(values):
    """Scales every row to unit length."""
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def fit_post(vectors, rows):
    """Returns (post matrix `[1 + rows, dim]` f32, share of variance explained by the basis)."""
    vectors = unit_rows(np.asarray(vectors, np.float64))
    mean = vectors.mean(axis=0)
    _, singular, basis = np.linalg.svd(unit_rows(vectors - mean), full_matrices=False)
    basis = basis[:rows]
    strongest = basis[np.arange(len(basis)), np.abs(basis).argmax(axis=1)]
    basis = basis * np.sign(strongest)[:, None]
    explained = float((singular[:rows] ** 2).sum() / (singular**2).sum())
    return np.vstack([mean, basis]).astype("<f4"), explained


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--model", required=True, help="manifest (JSON) of the model")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--rows", type=int, default=64, help="PCA rows after the mean")
    parser.add_argument("--compare", type=Path, help="existing post file of the same shape to compare with")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    files = [path for folder in arguments.folders for path in frontend.find_audio(folder)]
    vectors, skipped = embed_all(files, load_manifest(arguments.model))
    if len(vectors) <= arguments.rows:
        raise SystemExit(f"make_post: {len(vectors)} usable files are too few for {arguments.rows} rows")
    post, explained = fit_post(vectors, arguments.rows)
    gram = post[1:] @ post[1:].T
    print(f"{len(vectors)} vectors, {skipped} files skipped, {explained:.3f} of the variance explained")
    print(
        f"basis orthonormal to {np.abs(gram - np.eye(len(gram))).max():.1e}, mean length {np.linalg.norm(post[0]):.4f}"
    )
    if arguments.compare:
        other = np.fromfile(arguments.compare, "<f4").reshape(post.shape)
        overlap = np.linalg.norm(post[1:] @ other[1:].T) ** 2 / len(gram)
        close = post[0] @ other[0] / np.linalg.norm(post[0]) / np.linalg.norm(other[0])
        print(f"against {arguments.compare.name}: cosine of the means {close:.4f}, shared subspace {overlap:.3f}")
    replace_file(arguments.out, post.tobytes())
    print(f"wrote {arguments.out.name}: {post.shape[0]}x{post.shape[1]} f32")


if __name__ == "__main__":
    main()
