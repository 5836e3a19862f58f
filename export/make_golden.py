#!/usr/bin/env python3
"""Makes the golden vectors of the aisfx model: what the Rust front end and models must reproduce.

Writes `aisfx.json` (per case: sample_rate, channels, samples_in, frames, product_blocks, peak) and
`aisfx.npz`, with four arrays a case:

- `CASE__pcm16`: the sound, i16 `[n]` or `[n, 2]`;
- `CASE__log_mel`: f32 `[frames, 96]` of the authors' Essentia pipeline, no peak normalisation and
  not yet divided by the manifest's `norm.std`;
- `CASE__emb_product`: f32 `[512]`, the product recipe through the authors' PyTorch network: peak
  normalised, tiled to 100 frames, maximum over blocks, unit length, not centred;
- `CASE__banded_product`: f32 `[2048]`, its side output by the same recipe, scaled to unit length.

`peak` is that of the conditioned audio at 44.1 kHz; a case with peak 0 is fed without normalisation.

Sounds: formulas (noise is the generator s = 1664525 s + 1013904223 mod 2^32, as s / 2^31 - 1) and
clips that the Debian package sonic-pi-samples lists as CC0. `--from` repacks an existing set instead
(needs numpy only, or PyTorch where a product is missing in it).
"""

import argparse
import io
import json
import tempfile
from pathlib import Path

import numpy as np

CC0_CLIPS = ("bd_haus", "sn_dolf", "drum_cymbal_open", "perc_bell", "misc_crow", "guit_em9", "ambi_drone", "elec_pop")
CLIP_SECONDS = 6
META_KEYS = ("sample_rate", "channels", "samples_in", "frames", "product_blocks", "peak")
# The arrays that are pooled outputs, and the outputs' names.
PRODUCTS = {"emb_product": "embedding", "banded_product": "banded"}
ARRAYS = ("pcm16", "log_mel", *PRODUCTS)
# The numpy front end must agree with Essentia to this (log10 units) on every case.
MAX_LOG_MEL = 2e-4


def noise(count, seed=12345):
    """Returns `count` values in [-1, 1) of a linear congruential generator."""
    out, state = np.empty(count), seed
    for i in range(count):
        state = (1664525 * state + 1013904223) & 0xFFFFFFFF
        out[i] = state / 2**31 - 1
    return out


def sine(hz, count, rate=44100):
    """Returns a sine of amplitude 0.5."""
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(count) / rate)


def chirp(count, low, slope, rate=44100):
    """Returns a linear sweep that starts at `low` Hz and climbs `slope` Hz a second."""
    t = np.arange(count) / rate
    return 0.8 * np.sin(2 * np.pi * (low * t + 0.5 * slope * t**2))


def quantise(samples):
    """Rounds to 16 bits."""
    return np.clip(np.round(np.asarray(samples) * 32767), -32768, 32767).astype(np.int16)


def synthetic_cases():
    """Returns {name: (rate, i16 samples)} of the sounds given by formulas."""
    left, right = sine(300, 22050), -0.5 * sine(300, 22050) + 0.2 * noise(22050, 3)
    return {
        "sine440_1s": (44100, quantise(sine(440, 44100))),
        "noise_0p3s": (44100, quantise(0.1 * noise(13230))),
        "chirp_3s": (44100, quantise(chirp(132300, 40, 6000))),
        "click_1": (44100, quantise([1.0])),
        "decay_2048": (44100, quantise(np.exp(-np.arange(2048) / 300) * noise(2048, 7))),
        "silence_1s": (44100, np.zeros(44100, np.int16)),
        "exact_102400": (44100, quantise(0.3 * noise(102400, 9) * np.exp(-np.arange(102400) / 30000))),
        "stereo_antiphase_0p5s": (44100, np.stack([quantise(left), quantise(right)], axis=1)),
        "sine1k_48k_0p5s": (48000, quantise(sine(1000, 24000, 48000))),
        "noise_22k05_0p5s": (22050, quantise(0.3 * noise(11025, 5))),
        "noise_96k_0p25s": (96000, quantise(0.3 * noise(24000, 6))),
        "noise_11k025_0p4s": (11025, quantise(0.3 * noise(4410, 8))),
    }


def clip_cases(folder):
    """Returns {name: (rate, i16 samples)} of the CC0 clips, at most six seconds each."""
    import soundfile as sf

    cases = {}
    for name in CC0_CLIPS:
        samples, rate = sf.read(find_clip(folder, name), dtype="int16", always_2d=True)
        samples = samples[: rate * CLIP_SECONDS]
        cases[f"cc0_{name}"] = (rate, samples if samples.shape[1] > 1 else samples[:, 0])
    return cases


def find_clip(folder, name):
    """Finds a clip in the given folder, or in the installed Debian package."""
    from calibration import package_files

    files = [Path(folder) / f"{name}.flac"] if folder else package_files("sonic-pi-samples")
    found = [path for path in files if path.name == f"{name}.flac" and path.is_file()]
    if not found:
        raise SystemExit(f"make_golden: clip not found, install sonic-pi-samples or give --clips: {name}.flac")
    return str(found[0])


def essentia_log_mel(compute, rate, pcm):
    """Runs the authors' Essentia pipeline on a temporary WAV; returns `[frames, 96]` in f32."""
    import soundfile as sf

    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/case.wav"
        sf.write(path, pcm, rate, subtype="PCM_16")
        rows = compute(filename=path, sr=44100.0, block_size=2048, hop_size=1024, n_mels=96, f_min=0.0, f_max=22050.0)
    return np.asarray(rows, np.float32)


def mono(pcm):
    """Returns the mean of the channels of 16-bit samples, full scale at 1."""
    return pcm.reshape(len(pcm), -1).astype(np.float32).mean(axis=1) / np.float32(32768)


def reference_products(network, batch, manifest):
    """Returns {array: pooled output of unit length} of the authors' network."""
    import aisfx_wheel
    import frontend

    pools = {output["name"]: output["pool"] for output in (manifest["output"], *manifest["side_outputs"])}
    rows = aisfx_wheel.run_reference(network, batch)
    unit = {part: frontend.pool(rows[name], {"pool": pools[name], "l2": True}) for part, name in PRODUCTS.items()}
    return {part: vector.astype(np.float32) for part, vector in unit.items()}


def build_case(rate, pcm, manifest, compute, network):
    """Returns (arrays, meta, largest difference between the numpy front end and Essentia)."""
    import frontend

    conditioned, peak = frontend.condition(mono(pcm), rate, manifest["audio"])
    batch = frontend.model_input(conditioned, manifest)
    products = reference_products(network, batch, manifest)
    rows = essentia_log_mel(compute, rate, pcm)
    level_kept = frontend.log_mel_unscaled(conditioned * np.float32(peak or 1.0), manifest)
    if len(level_kept) != len(rows):
        raise SystemExit(f"make_golden: {len(level_kept)} frames, Essentia has {len(rows)}")
    arrays = {"pcm16": pcm, "log_mel": rows, **products}
    channels = 1 if pcm.ndim == 1 else pcm.shape[1]
    meta = dict(zip(META_KEYS, (rate, channels, len(pcm), len(rows), len(batch), peak)))
    return arrays, meta, float(np.abs(level_kept - rows).max())


def build(arguments):
    """Computes every case with Essentia and PyTorch; returns (arrays, meta)."""
    import essentia

    import aisfx_wheel
    from manifest import load_template

    essentia.log.infoActive = essentia.log.warningActive = False
    files, manifest = aisfx_wheel.read_wheel(arguments.wheel), load_template("aisfx")
    compute = aisfx_wheel.import_from_wheel(files, "aisfx/spectrogram/spectrogram_essentia.py").compute_spectrogram
    network = aisfx_wheel.reference_network(files)
    cases = {**synthetic_cases(), **clip_cases(arguments.clips)}
    arrays, meta, worst = {}, {}, 0.0
    for name, (rate, pcm) in cases.items():
        parts, meta[name], difference = build_case(rate, pcm, manifest, compute, network)
        arrays.update({f"{name}__{part}": values for part, values in parts.items()})
        worst = max(worst, difference)
        size = f"{len(pcm):7d} samples {meta[name]['frames']:4d} frames"
        print(f"{name:24s} {rate:6d} Hz {size}, log-mel to {difference:.1e}")
    if worst > MAX_LOG_MEL:
        raise SystemExit(f"make_golden: front end differs from Essentia by {worst:.1e}; nothing written")
    return arrays, meta


def repack(path, wheel):
    """Returns (arrays, meta) of an existing set, keeping the arrays and facts used here and adding missing products."""
    with np.load(path) as content, open(path.with_suffix(".json"), encoding="utf-8") as stream:
        known = json.load(stream)
        meta = {name: {key: facts[key] for key in META_KEYS} for name, facts in known.items()}
        names = [f"{name}__{part}" for name in meta for part in ARRAYS]
        arrays = {name: content[name] for name in names if name in content.files}
    if len(arrays) < len(names):
        add_products(arrays, meta, wheel)
    return {name: arrays[name] for name in names}, meta


def add_products(arrays, meta, wheel):
    """Computes the products of an existing set that it lacks; those it has must agree with it."""
    import aisfx_wheel
    import frontend
    from manifest import load_template

    manifest, network = load_template("aisfx"), aisfx_wheel.reference_network(aisfx_wheel.read_wheel(wheel))
    for name, facts in meta.items():
        conditioned, _ = frontend.condition(mono(arrays[f"{name}__pcm16"]), facts["sample_rate"], manifest["audio"])
        products = reference_products(network, frontend.model_input(conditioned, manifest), manifest)
        for part, vector in products.items():
            known = arrays.setdefault(f"{name}__{part}", vector)
            if not np.allclose(known, vector, atol=1e-5):
                raise SystemExit(f"make_golden: {part} of {name} differs by {np.abs(known - vector).max():.1e}")


def compare(arrays, path):
    """Prints the largest differences from another golden set, by kind of array."""
    with np.load(path) as content:
        for part in ARRAYS:
            keys = [key for key in arrays if key.endswith(f"__{part}") and key in content.files]
            if not keys:
                print(f"{path.name} has no {part}")
                continue
            gaps = [np.abs(arrays[k].astype(np.float64) - content[k].astype(np.float64)).max() for k in keys]
            print(f"against {path.name}: {part} of {len(keys)} cases to {max(gaps):.1e}")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=Path(__file__).resolve().parents[1] / "tests/golden", type=Path)
    parser.add_argument("--wheel", help="aisfx 0.1.2 wheel; downloaded from PyPI when not given")
    parser.add_argument("--clips", help="folder with the CC0 clips; default: the installed sonic-pi-samples")
    parser.add_argument("--from", dest="source", type=Path, help="repack this .npz (with its .json) instead")
    parser.add_argument("--compare", type=Path, help="print the differences from another set")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    arrays, meta = repack(arguments.source, arguments.wheel) if arguments.source else build(arguments)
    if arguments.compare:
        compare(arrays, arguments.compare)
    arguments.out.mkdir(parents=True, exist_ok=True)
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)
    (arguments.out / "aisfx.npz").write_bytes(packed.getvalue())
    (arguments.out / "aisfx.json").write_text(json.dumps(meta, indent=1) + "\n", encoding="utf-8")
    print(f"wrote aisfx.npz ({len(packed.getvalue()) / 1e6:.2f} MB) and aisfx.json: {len(meta)} cases")


if __name__ == "__main__":
    main()
