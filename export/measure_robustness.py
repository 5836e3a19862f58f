#!/usr/bin/env python3
"""Measures whether altered copies of a sound still find it, and the neighbours it has.

Input is the label file and the app's own vectors of the labelled files (`soundkin embed --json` of a model with a
head): the library. Of 150 of these, the same every time, copies are made as files are changed in practice: silence at
the ends, level, word length, noise, cuts, pitch, MP3, rate, room. The app embeds the copies, too.

Printed for each kind, by the plain and the half smoothed similarity: the share of copies to which no sound of the
library is nearer than their original, where twins of the original (similarity over 0.999) do not count against it; and
how many of the original's ten nearest are among the copy's ten nearest, as a share. A copy that the app cannot embed
counts as lost.
"""

import argparse
import subprocess
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr
from scipy.signal import fftconvolve

import stage
from calibration import rank
from evaluate_models import read_export, read_labels
from manifest import load_manifest

# How many sounds of each group are copied, as far as there are so many. What no other group names are effects.
COUNTS = {"drums": 50, "instruments": 30, "effects": 50, "speech": 10, "music": 10}
GROUPS = {
    "drums": "clap cowbell cymbal hand_drum hat kick rimshot shaker snap snare tambourine tom triangle woodblock",
    "instruments": "bass bass_loop bell bowed_strings brass choir drum_loop electric_piano flute guitar mallet organ "
    "piano pizzicato plucked reed synth_lead synth_pad",
    "speech": "speech vocal_effort",
    "music": "ambience music",
}
GROUP_OF = {label: group for group, labels in GROUPS.items() for label in labels.split()}
# Peak of every copy whose level is not the point: 1 dB below full scale.
PEAK = 0.9
TWIN, NEAREST = 0.999, 10


# --- copies -----------------------------------------------------------------------------------
# Each takes samples `[n, channels]`, their rate in Hz and a generator of random numbers, and returns samples and rate.


def padded(before, after):
    """Puts digital silence, in seconds, at the ends."""

    def alter(samples, rate, _random):
        return np.pad(samples, ((round(before * rate), round(after * rate)), (0, 0))), rate

    return alter


def amplified(decibels):
    """Changes the level."""
    return lambda samples, rate, _random: (samples * 10 ** (decibels / 20), rate)


def noisy(decibels):
    """Adds white noise so far below the root mean square of the whole sound."""

    def alter(samples, rate, random):
        level = np.sqrt(np.mean(samples**2)) * 10 ** (-decibels / 20)
        return samples + level * random.standard_normal(samples.shape), rate

    return alter


def start_cut(samples, rate, _random):
    """Leaves out the first 10 ms, of a very short sound a third."""
    return samples[min(round(0.01 * rate), len(samples) // 3) :], rate


def end_cut(samples, rate, _random):
    """Leaves out the last 30 %."""
    return samples[: round(0.7 * len(samples))], rate


def transposed(semitones):
    """Plays faster or slower."""
    return lambda samples, rate, _random: (soxr.resample(samples, 2 ** (semitones / 12), 1), rate)


def resampled(to):
    """Changes the rate."""
    return lambda samples, rate, _random: (soxr.resample(samples, rate, to), to)


def reverberant(samples, rate, random):
    """Adds a room: noise that falls by 60 dB in 0.8 s, at its loudest 9 dB below the sound."""
    times = np.arange(round(0.8 * rate)) / rate
    room = random.standard_normal(len(times)) * 10 ** (-3 * times / 0.8)
    wet = fftconvolve(samples, room[:, None], axes=0)
    wet *= 10 ** (-9 / 20) * np.abs(samples).max() / np.abs(wet).max()
    wet[: len(samples)] += samples
    return wet, rate


def same(samples, rate, _random):
    """Changes nothing."""
    return samples, rate


def wav(bits):
    """Options of a WAV file; 8 bit is unsigned."""
    return {"format": "WAV", "subtype": {8: "PCM_U8", 16: "PCM_16", 24: "PCM_24"}[bits]}


def mp3(kilobits):
    """Options of an MP3 file of constant bit rate; libsndfile counts it down from 320 to 32 kbit/s as 0 to 1."""
    level = (320 - kilobits - 0.5) / (320 - 32)
    return {"format": "MP3", "subtype": "MPEG_LAYER_III", "bitrate_mode": "CONSTANT", "compression_level": level}


# {kind: (how samples are altered, options of the file)}
KINDS = {
    **{f"{s:g} s of silence before": (padded(s, 0), wav(24)) for s in (0.05, 0.25, 1, 3, 5)},
    **{f"{s} s of silence after": (padded(0, s), wav(24)) for s in (1, 5)},
    "-40 dB, 16 bit": (amplified(-40), wav(16)),
    "8 bit": (same, wav(8)),
    **{f"noise at {ratio} dB": (noisy(ratio), wav(24)) for ratio in (40, 30, 20)},
    "start cut by 10 ms": (start_cut, wav(24)),
    "end cut by 30 %": (end_cut, wav(24)),
    **{f"{semitones:+d} semitone": (transposed(semitones), wav(24)) for semitones in (1, -1)},
    **{f"MP3, {kilobits} kbit/s": (resampled(44100), mp3(kilobits)) for kilobits in (128, 64)},
    "22.05 kHz": (resampled(22050), wav(24)),
    "reverb": (reverberant, wav(24)),
}


def choose(labels):
    """Returns the paths of the sounds that are copied, from {path: class}; the same whatever the machine."""
    groups = defaultdict(list)
    for path in sorted(labels, key=lambda path: rank(Path(path))):
        groups[GROUP_OF.get(labels[path], "effects")].append(path)
    return [path for group, count in COUNTS.items() for path in groups[group][:count]]


def read_sound(path):
    """Returns (samples `[n, channels]` with a peak of 0.9, rate); None for what cannot be read or is silent."""
    try:
        samples, rate = sf.read(path, always_2d=True)
    except (RuntimeError, OSError):
        return None
    peak = np.abs(samples).max(initial=0.0)
    return (PEAK * samples / peak, rate) if peak > 0 else None


def write_copies(kind, sounds, folder):
    """Writes one copy of each sound into a folder; returns their paths, in order."""
    alter, options = KINDS[kind]
    paths = []
    for number, (samples, rate) in enumerate(sounds):
        random = np.random.default_rng(number)
        samples, rate = alter(samples, rate, random)
        # A copy that would be clipped is softer instead.
        samples = samples / max(1.0, np.abs(samples).max() / PEAK)
        paths.append(f"{folder}/{number:03d}.{options['format'].lower()}")
        sf.write(paths[-1], samples, rate, **options)
    return paths


def embed(program, model, paths, folder):
    """Returns {path: (head, raw part)} of the files that the app could embed."""
    output = Path(folder) / "embeddings.json"
    with open(output, "w", encoding="utf-8") as stream:
        done = subprocess.run([program, "embed", "--json", "--quiet", "--model", model, *paths], stdout=stream)
    if done.returncode and not output.stat().st_size:
        raise SystemExit(f"nothing could be embedded: {program}")
    return read_export(output)[2]


# --- figures ----------------------------------------------------------------------------------


def compare(known, found, original):
    """Compares the similarities of an original, a row of the library, and of its copy to the library.

    Returns (whether the original is nearest to the copy, share of the original's nearest that the copy has).
    """
    others = np.flatnonzero(known <= TWIN)
    others = others[others != original]
    first = bool((found[others] <= found[original]).all())
    known[original] = found[original] = -np.inf
    nearest, kept = (set(np.argsort(-values, kind="stable")[:NEAREST]) for values in (known, found))
    return first, len(nearest & kept) / NEAREST


def measure(library, originals, copies):
    """Returns what `compare` says of copies, of which one that could not be embedded is None, as means of both."""
    figures = [
        compare(library @ library[original], library @ copy, original) if copy is not None else (False, 0.0)
        for original, copy in zip(originals, copies)
    ]
    return np.mean(figures, axis=0)


def smoothed_guest(copy, library):
    """Returns the vector of a copy, smoothed with its nearest of a library, to compare with `stage.half_smoothed`."""
    around = stage.neighbourhoods(copy[None], library, itself=False)[0]
    return np.sqrt(0.5) * np.concatenate([copy, around])


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", required=True, help="CSV with path, coarse and corpus")
    parser.add_argument("--from-json", required=True, help="the app's vectors of the labelled files")
    parser.add_argument("--model", required=True, help="manifest of the model that made them")
    parser.add_argument("--program", required=True, help="the app")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    labels = {path: label for path, (label, _) in read_labels(arguments.labels, ()).items()}
    model, _, parts = read_export(arguments.from_json)
    weight = load_manifest(arguments.model)["head"]["weight"]
    paths = sorted(set(parts) & set(labels))
    library = np.array([stage.joined(*parts[path], weight) for path in paths])
    smoothed = stage.half_smoothed(library)
    read = {path: read_sound(path) for path in choose({path: labels[path] for path in paths})}
    sounds = {path: sound for path, sound in read.items() if sound}
    originals = [paths.index(path) for path in sounds]
    print(f"copies of {len(sounds)} sounds among {len(paths)}")
    print(f"  {'kind':24s} original first, smoothed  its ten nearest kept, smoothed")
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder:
            copies = write_copies(kind, sounds.values(), Path(folder).resolve())
            found = embed(arguments.program, model, copies, folder)
        vectors = [stage.joined(*found[copy], weight) if copy in found else None for copy in copies]
        guests = [None if vector is None else smoothed_guest(vector, library) for vector in vectors]
        (first, kept), (first_smoothed, kept_smoothed) = (
            measure(*both) for both in ((library, originals, vectors), (smoothed, originals, guests))
        )
        print(f"  {kind:24s} {first:14.3f}  {first_smoothed:8.3f}  {kept:20.3f}  {kept_smoothed:8.3f}", flush=True)


if __name__ == "__main__":
    main()
