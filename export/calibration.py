"""Real sounds to calibrate quantisation and to compare precisions on, chosen the same way every time."""

import hashlib
import subprocess
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np

import frontend

# Debian packages with freely licensed audio; whichever are installed are used.
DEBIAN_PACKAGES = (
    "lmms-common",
    "hydrogen-data",
    "sonic-pi-samples",
    "minetest-data",
    "scorched3d-data",
    "simutrans-pak64",
    "micropolis-data",
    "gcin-voice",
)


def package_files(package):
    """Returns the audio files a Debian package installed, or none when it is absent."""
    done = subprocess.run(["dpkg", "-L", package], capture_output=True)
    paths = (Path(line.decode("utf-8", "surrogateescape")) for line in done.stdout.splitlines())
    return [p for p in paths if p.suffix.lower() in frontend.AUDIO_SUFFIXES and p.is_file()]


def rank(path):
    """Orders files by a hash of folder and file name: a shuffle that needs no seed and no machine path."""
    return hashlib.sha256(f"{path.parent.name}/{path.name}".encode("utf-8", "surrogateescape")).hexdigest()


def choose_files(folders=None):
    """Returns files in a fixed order that takes one of each folder (or package) in turn."""
    groups = [frontend.find_audio(f) for f in folders] if folders else [package_files(p) for p in DEBIAN_PACKAGES]
    shuffled = [sorted(group, key=rank) for group in groups if group]
    if not shuffled:
        raise SystemExit("no audio found: give --calibration FOLDER or install a package of calibration.py")
    return [path for path in chain.from_iterable(zip_longest(*shuffled)) if path]


def real_blocks(manifest, count, folders=None):
    """Returns `count` input blocks `[count, frames, bands]`, one a file, by the product's own recipe.

    Files that cannot be read or are silent are passed over. Which block of a long file is taken
    follows from its name.
    """
    found = []
    for path in choose_files(folders):
        if len(found) == count:
            break
        try:
            samples, rate = frontend.read_mono(path, manifest["audio"]["max_seconds"])
        except (RuntimeError, OSError):
            continue
        conditioned, peak = frontend.condition(samples, rate, manifest["audio"])
        if peak < frontend.SILENCE_PEAK:
            continue
        batch = frontend.model_input(conditioned, manifest)
        found.append(batch[int(rank(path), 16) % len(batch)])
    if len(found) < count:
        raise SystemExit(f"only {len(found)} of {count} blocks found")
    return np.stack(found)
