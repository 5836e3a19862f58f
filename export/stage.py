"""The stage after pooling in plain numpy: descriptors of a sound, a head's two parts, and the smoothing of a library.

What the values are is said in `src/dsp/descriptors.rs` and `src/model/head.rs`; this is the statement in double
precision that the app is compared with.
"""

from pathlib import Path

import numpy as np

RATE = 44100
SIZE, STEP = 2048, 1024
ENVELOPE = 220
SMOOTHING_NEIGHBOURS, SMOOTHING_POWER = 8, 5
BAND_EDGES = (0, 60, 120, 250, 500, 1000, 2000, 4000, 8000, 16000, RATE)


def spectra(sound):
    """Returns (frames `[n, 2048]`, power spectra `[n, 1025]`); the first frame has the first sample in its middle."""
    count = len(sound) // STEP + 2
    padded = np.zeros((count + 1) * STEP)
    padded[STEP : STEP + len(sound)] = sound
    frames = np.lib.stride_tricks.sliding_window_view(padded, SIZE)[::STEP]
    return frames, np.abs(np.fft.rfft(frames * np.hanning(SIZE))) ** 2 + 1e-12


def shapes(frames, power):
    """Returns the seven values of every frame, `[n, 7]`."""
    hz = np.fft.rfftfreq(SIZE, 1 / RATE)
    energy = power.sum(axis=1)
    centroid = power @ hz / energy
    bandwidth = np.sqrt((power * (hz - centroid[:, None]) ** 2).sum(axis=1) / energy)
    below = np.cumsum(power, axis=1) / energy[:, None]
    most, half = (hz[(below > share).argmax(axis=1)] for share in (0.85, 0.5))
    mean = power.mean(axis=1)
    flatness = 1e3 * np.exp(np.log(power).mean(axis=1)) / mean
    signs = np.sign(frames)
    crossings = (signs[:, 1:] != signs[:, :-1]).mean(axis=1) + 1e-3
    values = np.stack([centroid, bandwidth, most, half, flatness, power.max(axis=1) / mean, crossings], axis=1)
    return np.log10(np.maximum(values, 1e-6))


def describe(sound):
    """Returns the 47 descriptors of a mono sound at 44.1 kHz, f32."""
    sound = np.clip(np.asarray(sound, np.float64), -1, 1)
    sound = sound / max(np.abs(sound).max(initial=0.0), 1e-9)
    frames, power = spectra(sound)
    values = shapes(frames, power)
    weights = power.sum(axis=1) / power.sum()
    mean = weights @ values
    spread = np.sqrt(weights @ (values - mean) ** 2)
    rises = np.maximum(np.diff(np.log10(power + 1e-6), axis=0), 0).mean(axis=1)
    flux = np.concatenate([[0.0], rises])
    starts = np.arange(0, len(sound), ENVELOPE)
    envelope = np.maximum.reduceat(np.abs(sound), starts)
    top, seconds = envelope.argmax(), ENVELOPE / RATE
    attack = top - np.flatnonzero(envelope > 0.2 * envelope[top])[0]
    middle = envelope @ np.arange(len(envelope)) / envelope.sum()
    times = [attack, middle, *((envelope > bar).sum() for bar in (0.5, 0.1, 0.01))]
    edges = np.searchsorted(np.fft.rfftfreq(SIZE, 1 / RATE), BAND_EDGES)
    bands = np.array([power[:, low:high].sum() for low, high in zip(edges, edges[1:])]) / power.sum()
    parts = [
        mean, spread, values[1], values[min(4, len(values) - 1)], [weights @ flux, flux.max()],
        np.log10(0.005 + seconds * np.array(times)), [np.log10(len(sound) / RATE)],
        np.log10(1e-4 + bands), [np.log10(1e-4 + np.sqrt(np.mean(sound**2)))],
    ]  # fmt: skip
    return np.concatenate(parts).astype(np.float32)


def unit(rows):
    """Scales rows to unit length; leaves zeros as they are."""
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)


def scaled(rows, group, mean, deviation=None):
    """Returns a group's rows, each of unit length, by the scaling that the group names."""
    rows = np.asarray(rows, np.float64)
    if group["scale"] == "centre":
        return unit(unit(rows) - mean)
    return unit(np.clip((rows - mean) / deviation, -group["limit"], group["limit"]))


def concatenated(rows, groups):
    """Returns groups of scaled rows side by side, each times the root of its share."""
    return np.hstack([np.sqrt(group["share"]) * rows[group["of"]] for group in groups])


class Head:
    """The learned head that a manifest names."""

    def __init__(self, manifest):
        self.stage = stage = manifest["head"]
        values = np.fromfile(Path(manifest["_folder"]) / stage["file"], "<f4").astype(np.float64)
        pieces = iter(np.split(values, np.cumsum([np.prod(shape) for shape in head_layout(stage)])[:-1]))
        self.statistics = {
            group["of"]: [next(pieces) for _ in range(statistics_of(group))] for group in stage["groups"]
        }
        self.offset, matrix = next(pieces), next(pieces)
        self.matrix = matrix.reshape(-1, stage["dim"])

    def parts(self, values):
        """Returns (head `[n, head]`, raw part `[n, raw]`), rows of unit length, of {group: rows}."""
        groups = self.stage["groups"]
        rows = {g["of"]: scaled(values[g["of"]], g, *self.statistics[g["of"]]) for g in groups}
        head = unit(concatenated(rows, groups) @ self.matrix + self.offset)
        return head, concatenated(rows, self.stage["raw"])


def statistics_of(group):
    """Returns how many rows of statistics the scaling of a group takes: a mean, or a mean and deviations."""
    return {"centre": 1, "standard": 2}[group["scale"]]


def head_layout(stage):
    """Returns the shapes of the arrays in a head's file, one after the other.

    Means, and deviations where the scaling takes them, of each group; offset; matrix; main directions of joined
    vectors.
    """
    sizes = {group["of"]: group["dim"] for group in stage["groups"]}
    joint = stage["dim"] + sum(sizes[group["of"]] for group in stage["raw"])
    statistics = [(group["dim"],) for group in stage["groups"] for _ in range(statistics_of(group))]
    return [*statistics, (stage["dim"],), (sum(sizes.values()), stage["dim"]), (stage["basis"], joint)]


def joined(head, raw, weight):
    """Returns vectors whose scalar product is the similarity under a weight of the head."""
    return np.hstack([np.sqrt(weight) * np.asarray(head), np.sqrt(1 - weight) * np.asarray(raw)])


def neighbourhoods(points, others, itself):
    """Returns what each of the unit `points` and its nearest of `others` amount to, of unit length.

    Each of the nearest counts by its similarity to the fifth. `itself` says that both are the same sounds, none of
    which is its own neighbour.
    """
    likeness = points @ others.T
    if itself:
        np.fill_diagonal(likeness, -np.inf)
    nearest = np.argsort(-likeness, axis=1, kind="stable")[:, :SMOOTHING_NEIGHBOURS]
    weights = np.maximum(np.take_along_axis(likeness, nearest, axis=1), 0) ** SMOOTHING_POWER
    return unit(points + np.einsum("nk,nkd->nd", weights, others[nearest]))


def half_smoothed(points):
    """Returns vectors whose scalar product is half the similarity of sounds and half that of their neighbourhoods."""
    return np.sqrt(0.5) * np.hstack([points, neighbourhoods(points, points, itself=True)])
