#!/usr/bin/env python3
"""Measures how well a model's neighbours share a class, on labelled files from several corpora.

Scoring rule. Candidates of a query are the files of *other* corpora only, since neighbours from the
same kit make the task too easy. A query counts when at least `--min-relevant` (3) candidates share
its coarse class. Vectors are unit length, the post file's row 0 (or else their own mean) is
subtracted, they are scaled to unit length again and ranked by cosine. Under a model with a learned head
four spaces are scored: the network alone so, the head's raw part, both parts joined at the usual
weight, with every class beside the raw part's, and the joined space half smoothed (`stage.half_smoothed`), where
the labelled files are the library.

Figures. P@k is the share of the k nearest that have the query's class; mAP is average precision over
the whole ranking. "micro" is the mean over queries, "macro" the mean over classes of each class's
mean over its queries.

Two sources of vectors: models run by the reference front end (`--model`), or the app's own export
(`--from-json`, `{"model": .., "embeddings": [{"path": .., "vector": [..]}]}`, uncentred unit vectors, with
`head` and `raw` beside them where the model has a head).
"""

import argparse
import csv
import json
import time
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

import frontend
import stage
from manifest import load_manifest, load_post, model_path, open_session

# Manifest fields that decide a model's input; models that agree on them share it.
INPUT_FIELDS = ("input", "audio", "stft", "mel", "log", "norm", "window")
FIGURES = ("P@1", "P@10", "mAP")


def read_labels(path, without):
    """Returns {path: (coarse class, corpus)} from the label file, less the corpora in `without`."""
    with open(path, newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    return {row["path"]: (row["coarse"], row["corpus"]) for row in rows if row["corpus"] not in without}


# --- vectors ----------------------------------------------------------------------------------


class Embedder:
    """One model under test: its session, its vectors and the time its network took."""

    def __init__(self, manifest):
        self.manifest = manifest
        self.session = open_session(model_path(manifest))
        self.key = json.dumps([manifest.get(f) for f in INPUT_FIELDS] + ["head" in manifest], sort_keys=True)
        self.values, self.blocks, self.seconds = {}, 0, 0.0

    def add(self, path, batch, described):
        """Embeds a file's input batch and keeps {output: vector}, with the descriptors if there are any."""
        start = time.perf_counter()
        values = frontend.pooled_outputs(self.session, batch, self.manifest)
        self.seconds += time.perf_counter() - start
        self.blocks += len(batch)
        self.values[path] = values if described is None else {**values, "descriptors": described}

    def vectors(self):
        """Returns {path: vector} of the network's own output."""
        return own_output(self.values, self.manifest)


def prepare(path, manifest, max_seconds):
    """Returns a file's model input and, for a model with a head, descriptors; None when it is silent."""
    samples, rate = frontend.read_mono(path, max_seconds or manifest["audio"]["max_seconds"])
    conditioned, peak = frontend.condition(samples, rate, manifest["audio"])
    if peak < frontend.SILENCE_PEAK:
        return None
    described = stage.describe(conditioned) if manifest.get("head") else None
    return frontend.model_input(conditioned, manifest), described


def embed_corpus(embedders, paths, max_seconds):
    """Fills every embedder's vectors; returns {reason: files} of those left out."""
    skipped = Counter()
    for path in paths:
        inputs = {}
        try:
            for embedder in embedders:
                if embedder.key not in inputs:
                    inputs[embedder.key] = prepare(path, embedder.manifest, max_seconds)
        except (RuntimeError, OSError):
            skipped["unreadable"] += 1
            continue
        if any(prepared is None for prepared in inputs.values()):
            skipped["silent"] += 1
            continue
        for embedder in embedders:
            embedder.add(path, *inputs[embedder.key])
    return skipped


def own_output(values, manifest):
    """Returns {path: vector} of the network's own output, of {path: {name: vector}}."""
    name = manifest["output"]["name"]
    return {path: of[name] for path, of in values.items()}


def read_export(path):
    """Returns (model name, {path: vector}, {path: (head, raw part)}) from the app's JSON export."""
    content = json.loads(Path(path).read_text(encoding="utf-8"))
    embeddings = [e for e in content["embeddings"] if e.get("vector")]
    vectors = {e["path"]: np.asarray(e["vector"], np.float32) for e in embeddings}
    parts = {e["path"]: (np.asarray(e["head"]), np.asarray(e["raw"])) for e in embeddings if e.get("head")}
    return content.get("model", "?"), vectors, parts


def reference_parts(manifest, values):
    """Returns {path: (head, raw part)} of the reference; empty for a model without a head."""
    if not manifest.get("head"):
        return {}
    paths = sorted(values)
    rows = {group["of"]: np.array([values[p][group["of"]] for p in paths]) for group in manifest["head"]["groups"]}
    heads, raws = stage.Head(manifest).parts(rows)
    return dict(zip(paths, zip(heads, raws)))


def save_values(path, values):
    """Writes `paths` and, for each output and the descriptors, rows `[N, dim]` as .npz."""
    paths = sorted(values)
    rows = {name: np.array([values[p][name] for p in paths], np.float32) for name in values[paths[0]]}
    np.savez(path, paths=np.array(paths), **rows)
    print(f"wrote {path}: {len(paths)} vectors")


def load_values(path):
    """Reads what `save_values` wrote."""
    with np.load(path) as content:
        rows = {name: content[name] for name in content.files}
    paths = rows.pop("paths").tolist()
    return {p: {name: rows[name][i] for name in rows} for i, p in enumerate(paths)}


# --- scoring ----------------------------------------------------------------------------------


def centred(vectors, post):
    """Returns unit rows after centring on post row 0, or on the vectors' own mean without a post."""
    vectors = np.asarray(vectors, np.float64)
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    mean = vectors.mean(axis=0) if post is None else post[0]
    vectors = vectors - mean
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def average_precision(relevant):
    """Returns the average precision of a ranked list of booleans with at least one true."""
    ranks = np.flatnonzero(relevant) + 1
    return float((np.arange(1, len(ranks) + 1) / ranks).mean())


def score(vectors, labels, post, min_relevant):
    """Scores pooled vectors; see `rank`."""
    paths = sorted(path for path in vectors if path in labels)
    return rank(paths, centred([vectors[path] for path in paths], post), labels, min_relevant)


def score_parts(parts, labels, weight, min_relevant, smooth=False):
    """Scores heads and raw parts joined under a weight, half smoothed if asked; see `rank`."""
    paths = sorted(path for path in parts if path in labels)
    heads, raws = (np.array([parts[path][i] for path in paths]) for i in (0, 1))
    points = stage.joined(heads, raws, weight)
    return rank(paths, stage.half_smoothed(points) if smooth else points, labels, min_relevant)


def rank(paths, points, labels, min_relevant):
    """Returns {class: [[P@1, P@10, mAP] of each query]}; the queries of each class in a fixed order."""
    coarse = np.array([labels[path][0] for path in paths])
    corpus = np.array([labels[path][1] for path in paths])
    results = defaultdict(list)
    for query in range(len(paths)):
        others = np.flatnonzero(corpus != corpus[query])
        same = coarse[others] == coarse[query]
        if same.sum() < min_relevant:
            continue
        ranked = same[np.argsort(-(points[others] @ points[query]), kind="stable")]
        results[str(coarse[query])].append([ranked[0], ranked[:10].mean(), average_precision(ranked)])
    return results


def summarise(results):
    """Returns (micro, macro), each an array of P@1, P@10 and mAP."""
    micro = np.mean([row for rows in results.values() for row in rows], axis=0)
    macro = np.mean([np.mean(rows, axis=0) for rows in results.values()], axis=0)
    return micro, macro


def report(name, results):
    """Prints one line per averaging and returns the figures as one array of six."""
    micro, macro = summarise(results)
    queries = sum(len(rows) for rows in results.values())
    for title, figures, unit in (("micro", micro, f"{queries} queries"), ("macro", macro, f"{len(results)} classes")):
        shown = "  ".join(f"{label} {value:.4f}" for label, value in zip(FIGURES, figures))
        print(f"{name:18s} {title} over {unit:12s} {shown}")
    return np.concatenate([micro, macro])


def report_classes(results):
    """Prints each class's own means."""
    for name in sorted(results):
        values = np.mean(results[name], axis=0)
        print(f"  {name:18s} {len(results[name]):4d} queries  " + "  ".join(f"{v:.3f}" for v in values))


def report_spaces(name, manifest, parts, labels, min_relevant):
    """Prints the figures of each space, and raw and joined by class; returns those of joined and half smoothed."""
    weight = manifest["head"]["weight"]
    raw, both = (score_parts(parts, labels, a, min_relevant) for a in (0.0, weight))
    before = report(f"{name} raw part", raw)
    after = report(f"{name} joined {weight}", both)
    names = [f"{kind} {figure}" for kind in ("micro", "macro") for figure in FIGURES]
    print("joined - raw part: " + "  ".join(f"{n} {v:+.4f}" for n, v in zip(names, after - before)))
    smoothed = report(f"{name} half smoothed", score_parts(parts, labels, weight, min_relevant, smooth=True))
    print("half smoothed - joined: " + "  ".join(f"{n} {v:+.4f}" for n, v in zip(names, smoothed - after)))
    print(f"  {'class':18s} queries  raw " + "  ".join(FIGURES) + "  joined " + "  ".join(FIGURES))
    for label in sorted(raw):
        means = [np.mean(results[label], axis=0) for results in (raw, both)]
        shown = "     ".join("  ".join(f"{v:.3f}" for v in mean) for mean in means)
        print(f"  {label:18s} {len(raw[label]):7d}  {shown}")
    return {"joined": after, "half smoothed": smoothed}


def report_cosines(name, vectors, reference):
    """Prints the cosine between two sets of vectors of the same files."""
    shared = sorted(set(vectors) & set(reference))
    left, right = (np.array([v[p] for p in shared], np.float64) for v in (vectors, reference))
    cosines = (left * right).sum(1) / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)
    worst = Path(shared[int(cosines.argmin())]).name
    low = np.percentile(cosines, 1)
    figures = f"mean {cosines.mean():.6f}, 1st percentile {low:.6f}, min {cosines.min():.6f} ({worst})"
    print(f"{name}: cosine over {len(shared)} files {figures}")


def time_block(embedder, rounds=40):
    """Returns (minimum, median) milliseconds of one block on one thread."""
    manifest = embedder.manifest
    shape = [1, manifest["window"]["frames"], manifest["mel"]["bands"]]
    if manifest["input"]["layout"] == "NCTF":
        shape.insert(1, 1)
    batch = np.random.default_rng(0).random(shape, np.float32)
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        frontend.pooled_outputs(embedder.session, batch, manifest)
        times.append(1e3 * (time.perf_counter() - start))
    return min(times), float(np.median(times))


# --- program ----------------------------------------------------------------------------------


def evaluate_models(arguments, labels):
    """Scores every model given, each on the same files, and compares them with the first."""
    embedders = [Embedder(load_manifest(path)) for path in arguments.model]
    skipped = embed_corpus(embedders, sorted(labels), arguments.max_seconds)
    done = f"embedded {len(embedders[0].values)} in {embedders[0].blocks} blocks"
    print(f"{len(labels)} labelled files, {done}, left out {dict(skipped)}")
    for embedder in embedders:
        name = embedder.manifest["id"]
        results = score(embedder.vectors(), labels, load_post(embedder.manifest), arguments.min_relevant)
        report(name, results)
        if arguments.classes:
            report_classes(results)
        parts = reference_parts(embedder.manifest, embedder.values)
        if parts:
            report_spaces(name, embedder.manifest, parts, labels, arguments.min_relevant)
        if embedder is not embedders[0]:
            first = embedders[0]
            report_cosines(f"{name} against {first.manifest['id']}", embedder.vectors(), first.vectors())
        if embedder.manifest["input"]["kind"] == "log_mel":
            fastest, median = time_block(embedder)
            print(f"{name}: {fastest:.2f} ms a block at best, {median:.2f} median, one thread")
    if arguments.vectors:
        save_values(arguments.vectors, embedders[0].values)


def evaluate_export(arguments, labels):
    """Scores the app's vectors and, with a reference, prints both and their difference."""
    name, vectors, parts = read_export(arguments.from_json)
    manifest = load_manifest(arguments.model[0]) if arguments.model else None
    post = load_post(manifest) if manifest else None
    missing = len(set(labels) - set(vectors))
    print(f"{len(vectors)} vectors of {name}; {missing} labelled files have none")
    if not arguments.reference:
        results = score(vectors, labels, post, arguments.min_relevant)
        report(name, results)
        return
    values = load_values(arguments.reference)
    reference = own_output(values, manifest)
    shared = set(vectors) & set(reference)
    print(f"both hold {len(shared)} files; only these are scored")
    app = report("app", score({p: vectors[p] for p in shared}, labels, post, arguments.min_relevant))
    known = report("reference", score({p: reference[p] for p in shared}, labels, post, arguments.min_relevant))
    names = [f"{kind} {figure}" for kind in ("micro", "macro") for figure in FIGURES]
    print("app - reference: " + "  ".join(f"{n} {v:+.4f}" for n, v in zip(names, app - known)))
    report_cosines("app against reference", vectors, reference)
    if not parts:
        return
    known = {p: v for p, v in reference_parts(manifest, values).items() if p in shared}
    ours = {p: parts[p] for p in shared}
    app_figures, known_figures = (
        report_spaces(name, manifest, these, labels, arguments.min_relevant)
        for name, these in (("app", ours), ("reference", known))
    )
    for space, figures in app_figures.items():
        differences = zip(names, figures - known_figures[space])
        print(f"{space}, app - reference: " + "  ".join(f"{n} {v:+.4f}" for n, v in differences))
    weight = manifest["head"]["weight"]
    both = ({p: stage.joined(*v, weight) for p, v in these.items()} for these in (ours, known))
    report_cosines("joined, app against reference", *both)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", required=True, help="CSV with path, coarse and corpus")
    parser.add_argument("--model", nargs="+", help="manifests; with --from-json the first gives the post file")
    parser.add_argument("--from-json", type=Path, help="score the app's exported vectors instead of running models")
    parser.add_argument("--vectors", type=Path, help="write the first model's vectors to this .npz")
    parser.add_argument("--reference", type=Path, help="with --from-json: an .npz from --vectors to compare with")
    parser.add_argument("--max-seconds", type=float, help="embed this much of each file instead of the manifest's")
    parser.add_argument("--min-relevant", type=int, default=3)
    parser.add_argument("--without", nargs="*", default=[], help="corpora to leave out altogether")
    parser.add_argument("--classes", action="store_true", help="also print every class")
    arguments = parser.parse_args()
    if not arguments.model and not arguments.from_json:
        parser.error("give --model or --from-json")
    if arguments.reference and not arguments.model:
        parser.error("--reference needs --model")
    return arguments


def main():
    arguments = parse_arguments()
    labels = read_labels(arguments.labels, set(arguments.without))
    if arguments.from_json:
        evaluate_export(arguments, labels)
    else:
        evaluate_models(arguments, labels)


if __name__ == "__main__":
    main()
