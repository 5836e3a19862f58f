#!/usr/bin/env python3
"""Fits the learned head of the built-in model on sounds of Debian packages, and measures fits on families left out.

    fit_head.py --sounds FOLDER --cross-validate        prints what each recipe gives
    fit_head.py --sounds FOLDER --out head.npz          fits on everything, for make_head.py to pack

`--sounds` is where the labelled sounds of the packages in `head_packages.csv` are unpacked to; missing packages are
downloaded with `apt-get download` in the version listed and checked by SHA-256. Features are kept there too. Classes
come from names alone (`head_labels.py`); nobody listened.

Which sounds. Per family of packages and class at most 40 (speech: 8), those of the lowest hash of their path. Equal
sounds count once, and so do near-duplicates of another family (cosine over 0.97 of the centred main output).

The fit. Groups are scaled by their means and deviations and joined as the manifest says. Linear discriminant analysis
on the 900 main directions, the classes weighed by the root of their sizes, with the covariance within classes
shrunk towards a multiple of the identity (J. H. Friedman, Regularized Discriminant Analysis, JASA 84, 1989); the first
64 directions, each times the fourth root of its ratio of variances. The vectors used are those of the int8 network,
whose integers are the same on every CPU. Equal versions of the packages in requirements.txt on CPUs of one kind give
equal bytes; kernels of another kind of CPU may change the last digits.

Cross-validation. Six times, a head is fitted without a third of the families and judged on that third, which has two of
the four families with most of the instruments: each pair once. A query's candidates are the sounds of other families of
the third, at least three of them of its class. Figures are means over classes, then over the six. The recipes of the
table share sounds and queries. Beside them: the share of a drum kit's sounds whose nearest is of the same kit, and the
share of a drum's other layers, struck harder or softer, within the ten nearest.
"""

import argparse
import csv
import hashlib
import io
import json
import re
import struct
import subprocess
import tarfile
import tempfile
import zipfile
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import onnx
import soundfile

import frontend
import head_labels
import make_head
import stage
from manifest import TEMPLATES, load_manifest, model_path, open_session

HERE = Path(__file__).resolve().parent
ARCHIVES = {".pk3", ".wz"}
SUFFIXES = frontend.AUDIO_SUFFIXES | {".pat"}
PER_CLASS, PER_SPEECH = 40, 8
NEAR_DUPLICATE = 0.97
DIRECTIONS, SMALLEST = 900, 1e-12
RATIO_POWER = 0.25
SHRINKAGES = (0.45, 0.5, 0.6, 0.7)
SHRINKAGE, SHRINKAGE_BEFORE = 0.5, 0.8
# Families with most of the instruments.
MUSICAL = ("lmms-common", "sonic-pi-samples", "avl", "freepats")
MIN_RELEVANT = 3
GROUPS = ("embedding", "descriptors", "banded")
# The groups of the head before bands were added.
BEFORE = [
    {"of": "embedding", "dim": 512, "scale": "centre", "share": 0.85},
    {"of": "descriptors", "dim": 47, "scale": "standard", "limit": 5.0, "share": 0.15},
]
# Folders that hold a drum kit, and the end of a name that tells how hard a drum was struck.
KIT = re.compile(r"/(drumkits/[^/]+|Drum_\d+|samples/drum|[^/]+\.sf2)[/_]")
LAYER = re.compile(r"[-_](softest|soft|med|medium|hard|hardest)\.\w+$|-\d\.\w+$", re.IGNORECASE)


# --- sounds -----------------------------------------------------------------------------------


def read_packages():
    """Returns the rows of `head_packages.csv`: package, version, sha256 of the .deb, family."""
    with open(HERE / "head_packages.csv", newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def unpack(row, folder):
    """Downloads a package and unpacks its labelled sounds, and those in archives that it holds, into a folder."""
    package, version = row["package"], row["version"]
    with tempfile.TemporaryDirectory() as work:
        subprocess.run(["apt-get", "download", "-qq", f"{package}={version}"], cwd=work, check=True)
        deb = next(Path(work).glob("*.deb"))
        digest = hashlib.sha256(deb.read_bytes()).hexdigest()
        if digest != row["sha256"]:
            raise SystemExit(f"fit_head: sha256 is {digest}, expected {row['sha256']}: {deb.name}")
        command = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE)
        with tarfile.open(fileobj=command.stdout, mode="r|") as tar:
            for member in tar:
                if member.isfile():
                    keep_labelled(package, member.name.removeprefix("./"), tar.extractfile(member), folder)
        if command.wait():
            raise SystemExit(f"fit_head: not unpacked: {deb.name}")
    folder.mkdir(parents=True, exist_ok=True)


def keep_labelled(package, name, stream, folder):
    """Writes a file below a folder if it is a labelled sound; looks into archives."""
    suffix = Path(name).suffix.lower()
    if suffix in ARCHIVES:
        with zipfile.ZipFile(io.BytesIO(stream.read())) as archive:
            for member in archive.namelist():
                keep_labelled(package, f"{name}/{member}", archive.open(member), folder)
    elif suffix == ".sf2":
        keep_bank(package, name, stream.read(), folder)
    elif suffix in SUFFIXES and head_labels.class_of(package, name):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(stream.read())


def keep_bank(package, name, content, folder):
    """Writes the labelled samples of a SoundFont 2 bank below a folder, each as a WAV file."""
    chunks = dict(riff_chunks(content, 12, len(content)))
    start, size = chunks[b"shdr"]
    samples = np.frombuffer(content, "<i2", chunks[b"smpl"][1] // 2, chunks[b"smpl"][0])
    for at in range(start, start + size - 46, 46):  # the last record only ends the list
        title = content[at : at + 20].split(b"\0")[0].decode("latin-1")
        first, end, _, _, rate = struct.unpack_from("<5I", content, at + 20)
        path = f"{name}/{title}.wav"
        if head_labels.class_of(package, path):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(folder / path, samples[first:end], rate, "PCM_16")


def riff_chunks(content, start, end):
    """Yields (name, (start, size)) of the chunks of a RIFF file, those inside lists too."""
    while start + 8 <= end:
        name, size = struct.unpack_from("<4sI", content, start)
        start += 8
        if name == b"LIST":
            yield from riff_chunks(content, start + 4, start + size)
        else:
            yield name, (start, size)
        start += size + size % 2


def rank(path):
    """Orders the files of a class by a hash of package and path."""
    return hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()


def choose(folder):
    """Returns [(family, class, path)] of the labelled sounds in the order in which a class takes them."""
    found = []
    for row in read_packages():
        package = row["package"]
        if not (folder / package).is_dir():
            unpack(row, folder / package)
        for path in sorted((folder / package).rglob("*")):
            kind = path.suffix.lower() in SUFFIXES and path.is_file()
            kind = kind and head_labels.class_of(package, path.relative_to(folder / package).as_posix())
            if kind:
                found.append((row["family"], kind, path.relative_to(folder).as_posix()))
    return sorted(found, key=lambda sound: rank(sound[2]))


def read_patch(path):
    """Reads the first wave of a Gravis Ultrasound patch; returns (samples, rate). Format: Gravis SDK 2.22, 1994."""
    content = path.read_bytes()
    if content[:12] != b"GF1PATCH110\0":
        raise OSError(f"not a patch: {path}")
    header = 129 + 63 + 47
    size = int.from_bytes(content[header + 8 : header + 12], "little")
    rate = int.from_bytes(content[header + 20 : header + 22], "little")
    modes = content[header + 55]
    data = content[header + 96 : header + 96 + size]
    samples = np.frombuffer(data[: len(data) // 2 * 2], "<i2") if modes & 1 else np.frombuffer(data, "i1") * 256
    if modes & 2:  # unsigned
        samples = samples.astype(np.int32) ^ -32768
    return (samples.astype(np.int16) / 32768).astype(np.float32), rate


# --- features ---------------------------------------------------------------------------------


def features_of(path, manifest, session):
    """Returns {array: values} of a sound as the app hears it, or None when it is silent or cannot be read."""
    seconds = manifest["audio"]["max_seconds"]
    try:
        if path.suffix.lower() == ".pat":
            samples, rate = read_patch(path)
            samples = frontend.excerpt(samples, rate, seconds)
        else:
            samples, rate = frontend.read_mono(path, seconds)
    except (RuntimeError, OSError):
        return None
    sound, peak = frontend.condition(samples, rate, manifest["audio"])
    if peak < frontend.SILENCE_PEAK:
        return None
    values = frontend.pooled_outputs(session, frontend.model_input(sound, manifest), manifest)
    heard = hashlib.sha256(np.round(sound * 32767).astype("<i2").tobytes()).hexdigest()
    return {**values, "descriptors": stage.describe(sound), "heard": np.array(heard)}


def network_hash(manifest):
    """Returns the SHA-256 of a network, whatever its file says about it besides."""
    return hashlib.sha256(onnx.load(model_path(manifest)).graph.SerializeToString(deterministic=True)).hexdigest()


class Features:
    """Features of sounds, kept in a file as they are computed."""

    def __init__(self, folder, manifest):
        self.folder, self.manifest = folder, manifest
        self.file = folder / f"features-{network_hash(manifest)[:12]}.npz"
        self.known, self.session = {}, None
        if self.file.exists():
            with np.load(self.file) as content:
                arrays = {name: content[name] for name in content.files}
            for i, path in enumerate(arrays.pop("path").tolist()):
                self.known[path] = {name: rows[i] for name, rows in arrays.items()}

    def of(self, path):
        """Returns a sound's features, or None without any."""
        if path not in self.known:
            self.session = self.session or open_session(model_path(self.manifest))
            self.known[path] = features_of(self.folder / path, self.manifest, self.session) or self.nothing()
            if len(self.known) % 500 == 0:
                self.save()
        found = self.known[path]
        return found if str(found["heard"]) else None

    def nothing(self):
        """Returns what stands for a sound that is silent or cannot be read."""
        groups = self.manifest["head"]["groups"]
        return {**{g["of"]: np.zeros(g["dim"], np.float32) for g in groups}, "heard": np.array("")}

    def save(self):
        """Writes the features known so far."""
        paths = sorted(self.known)
        names = self.known[paths[0]] if paths else []
        np.savez(self.file, path=np.array(paths), **{n: np.array([self.known[p][n] for p in paths]) for n in names})


class Sounds:
    """The sounds of a fit: families, classes, paths, and {group: rows}."""

    def __init__(self, chosen, features):
        taken, heard, rows = Counter(), set(), []
        for family, kind, path in chosen:
            if taken[family, kind] >= (PER_SPEECH if kind == "speech" else PER_CLASS):
                continue
            values = features.of(path)
            if values is not None and str(values["heard"]) not in heard:
                heard.add(str(values["heard"]))
                taken[family, kind] += 1
                rows.append((family, kind, path, values))
        features.save()
        rows.sort(key=lambda row: row[2])
        self.family, self.kind, self.path = (np.array([row[i] for row in rows]) for i in range(3))
        self.values = {g: np.array([row[3][g] for row in rows], np.float64) for g in GROUPS}
        self.keep(self.unlike_others())

    def keep(self, chosen):
        """Keeps only some rows."""
        self.family, self.kind, self.path = self.family[chosen], self.kind[chosen], self.path[chosen]
        self.values = {group: rows[chosen] for group, rows in self.values.items()}

    def unlike_others(self):
        """Tells which rows are no near-duplicate of an earlier one of another family."""
        points = stage.unit(self.values["embedding"])
        points = stage.unit(points - points.mean(axis=0))
        keep = np.ones(len(points), bool)
        for row in range(1, len(points)):
            near = (points[:row] @ points[row] > NEAR_DUPLICATE) & (self.family[:row] != self.family[row])
            keep[row] = not (near & keep[:row]).any()
        return keep


# --- the fit ----------------------------------------------------------------------------------


def group_statistics(values, group):
    """Returns a group's mean and, if its scaling takes them, deviations."""
    if group["scale"] == "centre":
        return [stage.unit(values).mean(axis=0)]
    return [values.mean(axis=0), values.std(axis=0) + 1e-6]


def main_basis(rows):
    """Returns (mean, main directions as columns) of rows, at most `DIRECTIONS`, by the smaller Gram matrix."""
    mean = rows.mean(axis=0)
    centred = rows - mean
    values, vectors = np.linalg.eigh(centred @ centred.T if len(rows) < rows.shape[1] else centred.T @ centred)
    order = np.argsort(-values)[: min(DIRECTIONS, len(rows) - 1)]
    if len(rows) < rows.shape[1]:
        return mean, centred.T @ vectors[:, order] / np.sqrt(np.maximum(values[order], SMALLEST))
    return mean, vectors[:, order]


def scatter(rows, kinds):
    """Returns (mean, covariance within classes, covariance of their means), the classes weighed by root of size."""
    names, index, counts = np.unique(kinds, return_inverse=True, return_counts=True)
    weights = counts[index] ** -0.5
    weights = weights / weights.sum()
    mean = weights @ rows
    totals = np.bincount(index, weights)
    means = np.stack([weights[index == i] @ rows[index == i] / totals[i] for i in range(len(names))])
    alone = (counts == 1)[index]
    inner = (rows - means[index])[~alone] * np.sqrt(weights[~alone])[:, None]
    outer = (means - mean)[counts > 1] * np.sqrt(totals[counts > 1])[:, None]
    return mean, inner.T @ inner, outer.T @ outer


def discriminants(within, between, shrinkage, count):
    """Returns the leading directions of shrunk discriminant analysis as columns, scaled by their ratio of variances."""
    size = len(within)
    shrunk = (1 - shrinkage) * within + shrinkage * np.trace(within) / size * np.eye(size)
    values, vectors = np.linalg.eigh(shrunk)
    whitening = vectors / np.sqrt(values)
    ratios, turned = np.linalg.eigh(whitening.T @ between @ whitening)
    order = np.argsort(-ratios)[:count]
    return whitening @ turned[:, order] * np.maximum(ratios[order], SMALLEST) ** RATIO_POWER


class Fit:
    """A head by one recipe, fitted on some sounds; `head` is written as in a manifest."""

    def __init__(self, sounds, rows, head):
        self.head = head
        self.statistics = {g["of"]: group_statistics(sounds.values[g["of"]][rows], g) for g in head["groups"]}
        inputs = stage.concatenated(self.scaled(sounds, rows), head["groups"])
        self.mean, self.basis = main_basis(inputs)
        self.scatter = scatter((inputs - self.mean) @ self.basis, sounds.kind[rows])

    def scaled(self, sounds, rows):
        """Returns {group: scaled rows}."""
        groups = self.head["groups"]
        return {g["of"]: stage.scaled(sounds.values[g["of"]][rows], g, *self.statistics[g["of"]]) for g in groups}

    def shrunk(self, shrinkage):
        """Returns (matrix, offset) under a shrinkage, with the sign of each column fixed."""
        mean, within, between = self.scatter
        inner = discriminants(within, between, shrinkage, self.head["dim"])
        matrix = self.basis @ inner
        signs = np.sign(matrix[np.abs(matrix).argmax(axis=0), np.arange(matrix.shape[1])])
        return matrix * signs, -(self.mean @ matrix + mean @ inner) * signs

    def joined(self, sounds, rows, shrinkage):
        """Returns joined vectors of sounds; the raw part alone without a shrinkage."""
        scaled = self.scaled(sounds, rows)
        raw = stage.concatenated(scaled, self.head["raw"])
        if shrinkage is None:
            return raw
        matrix, offset = self.shrunk(shrinkage)
        head = stage.unit(stage.concatenated(scaled, self.head["groups"]) @ matrix + offset)
        return stage.joined(head, raw, self.head["weight"])

    def arrays(self, sounds, shrinkage):
        """Returns the arrays of a head's file."""
        found = {
            f"{name}_{kind}": values
            for name, statistics in self.statistics.items()
            for kind, values in zip(make_head.KINDS, statistics)
        }
        matrix, offset = self.shrunk(shrinkage)
        directions = self.joined(sounds, np.arange(len(sounds.kind)), shrinkage)
        basis = make_head.main_directions(directions, self.head["basis"])
        return {**found, "offset": offset, "matrix": matrix, "basis": basis}


# --- cross-validation -------------------------------------------------------------------------


def thirds(sizes):
    """Returns sets of families to leave out, each with another pair of the musical ones, of {family: sounds}."""
    others = sorted(set(sizes) - set(MUSICAL))
    enough = sum(sizes[family] for family in others) / 3
    found = []
    for seed, pair in enumerate(combinations(MUSICAL, 2)):
        chosen, count = set(pair), 0
        for family in np.random.default_rng(seed).permutation(others).tolist():
            if count < enough and sizes[family] < enough / 2:
                chosen.add(family)
                count += sizes[family]
        found.append(chosen)
    return found


def judge(points, kinds, families):
    """Returns (rows asked, [P@10, AP, R@1] of each) with neighbours from other families only."""
    likeness, asked, figures = points @ points.T, [], []
    for row in range(len(points)):
        others = np.flatnonzero(families != families[row])
        same = kinds[others] == kinds[row]
        if same.sum() >= MIN_RELEVANT:
            ranked = same[np.argsort(-likeness[row, others], kind="stable")]
            places = np.flatnonzero(ranked)
            precision = (np.arange(1, len(places) + 1) / (places + 1)).mean()
            asked.append(row)
            figures.append((ranked[:10].mean(), precision, float(ranked[0])))
    return np.array(asked), np.array(figures)


def macro(kinds, figures):
    """Returns the mean over classes of the means over queries."""
    return np.mean([figures[kinds == kind].mean(axis=0) for kind in np.unique(kinds)], axis=0)


def interval(kinds_by_third, differences_by_third, rounds=1000):
    """Returns the 95 % interval of macro means, over the thirds, when the queries of each class are drawn again."""
    random, means = np.random.default_rng(0), []
    for kinds, differences in zip(kinds_by_third, differences_by_third):
        drawn = []
        for kind in np.unique(kinds):
            own = differences[kinds == kind]
            drawn.append(own[random.integers(len(own), size=(rounds, len(own)))].mean(axis=1))
        means.append(np.mean(drawn, axis=0))
    return np.percentile(np.mean(means, axis=0), [2.5, 97.5])


def kits_and_layers(points, paths):
    """Returns (share of kit sounds whose nearest is of their kit, share of a drum's layers within the ten nearest)."""
    folder = np.array([str(Path(path).parent) if KIT.search(path) else "" for path in paths])
    layer = np.array([LAYER.sub("", path) if LAYER.search(path) and f else "" for path, f in zip(paths, folder)])
    likeness = points @ points.T
    np.fill_diagonal(likeness, -np.inf)
    ranked = np.argsort(-likeness, axis=1, kind="stable")[:, :10]
    nearest, layers = [], []
    for row in np.flatnonzero(folder != ""):
        nearest.append(folder[ranked[row, 0]] == folder[row])
        others = (layer == layer[row]).sum() - 1 if layer[row] else 0
        if others:
            layers.append((layer[ranked[row]] == layer[row]).sum() / others)
    return nearest, layers


class Table:
    """What each space gives, third by third."""

    def __init__(self):
        self.kinds, self.figures, self.means, self.kits, self.layers = {}, {}, {}, {}, {}

    def add(self, name, points, kinds, families, paths):
        """Judges a space on one third."""
        asked, figures = judge(points, kinds, families)
        self.kinds.setdefault(name, []).append(kinds[asked])
        self.figures.setdefault(name, []).append(figures)
        self.means.setdefault(name, []).append(macro(kinds[asked], figures))
        nearest, layers = kits_and_layers(points, paths)
        self.kits.setdefault(name, []).extend(nearest)
        self.layers.setdefault(name, []).extend(layers)

    def report(self, base):
        """Prints a line for each space; the last figures are its mAP less that of another space, with the interval."""
        print(f"{'':40s} P@10    mAP     R@1     kit    layers  mAP against {base}")
        for name, means in self.means.items():
            shown = "  ".join(f"{value:.4f}" for value in np.mean(means, axis=0))
            differences = [own[:, 1] - known[:, 1] for own, known in zip(self.figures[name], self.figures[base])]
            low, high = interval(self.kinds[name], differences)
            gain = np.mean(means, axis=0)[1] - np.mean(self.means[base], axis=0)[1]
            rest = f"{np.mean(self.kits[name]):.3f}  {np.mean(self.layers[name]):.3f}"
            print(f"{name:40s} {shown}  {rest}  {gain:+.4f} [{low:+.4f}, {high:+.4f}]")


def cross_validate(sounds, head):
    """Prints the table of recipes."""
    table, base = Table(), f"without bands, shrinkage {SHRINKAGE_BEFORE}"
    for third in thirds(Counter(sounds.family.tolist())):
        left_out = np.isin(sounds.family, sorted(third))
        known, asked = np.flatnonzero(~left_out), np.flatnonzero(left_out)
        before, now = Fit(sounds, known, {**head, "groups": BEFORE}), Fit(sounds, known, head)
        spaces = [("raw part", now, None)]
        spaces += [(f"without bands, shrinkage {s}", before, s) for s in (SHRINKAGE_BEFORE, 0.6)]
        spaces += [(f"with bands, shrinkage {s}", now, s) for s in SHRINKAGES]
        about = (sounds.kind[asked], sounds.family[asked], sounds.path[asked])
        for name, fit, shrinkage in spaces:
            points = fit.joined(sounds, asked, shrinkage)
            table.add(name, points, *about)
            table.add(f"{name}, smoothed", stage.half_smoothed(points), *about)
    table.report(base)


# --- program ----------------------------------------------------------------------------------


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sounds", type=Path, required=True, help="folder for the sounds and their features")
    parser.add_argument("--model", default=HERE.parent / "models/aisfx-int8.json", help="manifest of the network")
    parser.add_argument("--cross-validate", action="store_true", help="print what recipes give, fit nothing")
    parser.add_argument("--out", type=Path, default=Path("head.npz"), help="the fit, for make_head.py")
    arguments = parser.parse_args()
    manifest, head = load_manifest(arguments.model), json.loads((TEMPLATES / "aisfx.json").read_text())["head"]
    sounds = Sounds(choose(arguments.sounds), Features(arguments.sounds, manifest))
    kinds, families = len(set(sounds.kind)), len(set(sounds.family))
    print(f"{len(sounds.kind)} sounds of {kinds} classes in {families} families")
    if arguments.cross_validate:
        cross_validate(sounds, head)
        return
    everything = np.arange(len(sounds.kind))
    np.savez(arguments.out, **Fit(sounds, everything, head).arrays(sounds, SHRINKAGE))
    print(f"wrote {arguments.out}: make_head.py packs it")


if __name__ == "__main__":
    main()
