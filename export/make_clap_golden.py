#!/usr/bin/env python3
"""Makes the golden vectors of the CLAP front end and of the tiny random model beside them.

Writes `clap.npz` with three arrays a case: `CASE__audio` f32 `[n]` at 48 kHz, `CASE__log_mel` f32
`[1001, 64]` in dB from transformers' ClapFeatureExtractor, and `CASE__embedding` f32 `[64]` of
`clap_small_random.onnx` on that log-mel (parity only: the weights are random). The clips are ones
that the Debian package sonic-pi-samples lists as CC0. Run `export_clap.py --random-small` first.

`--from` takes audio and log-mels from an existing set instead (no transformers needed).
"""

import argparse
import io
from pathlib import Path

import numpy as np

import frontend
from make_golden import chirp, find_clip, noise, sine
from manifest import load_manifest, load_template, model_path, open_session

CC0_CLIPS = ("bd_haus", "perc_bell", "misc_crow")
RATE = 48000
MAX_LOG_MEL_DB = 1e-4


def sounds(folder):
    """Returns {name: f32 audio at 48 kHz}, none longer than the ten seconds the reference accepts whole."""
    fading = 0.25 * np.sin(2 * np.pi * 220 * np.arange(RATE) / RATE) * np.exp(-3 * np.arange(RATE) / RATE)
    cases = {
        "sine440_1s": sine(440, RATE, RATE),
        "noise_0p3s": 0.1 * noise(14400),
        "chirp_2p5s": chirp(120000, 50, 4000, RATE),
        "click_100": np.r_[1.0, np.zeros(99)],
        "silence_1s": np.zeros(RATE),
        "full_10s": np.tile(fading, 10),
    }
    numbers = load_template("aisfx")["audio"]["resampler"]
    for name in CC0_CLIPS:
        samples, rate = frontend.read_mono(find_clip(folder, name))
        resampled = frontend.resample(samples, rate, {"sample_rate": RATE, "resampler": numbers})
        cases[f"cc0_{name}"] = np.clip(resampled, -1, 1)
    return {name: samples.astype(np.float32) for name, samples in cases.items()}


def reference_log_mels(cases, manifest):
    """Returns {name: log-mel `[1001, 64]`} of transformers' extractor with the manifest's settings."""
    from transformers import ClapFeatureExtractor

    extractor = ClapFeatureExtractor(
        feature_size=manifest["mel"]["bands"],
        sampling_rate=RATE,
        hop_length=manifest["stft"]["hop"],
        max_length_s=manifest["window"]["samples"] // RATE,
        fft_window_size=manifest["stft"]["n_fft"],
        frequency_min=manifest["mel"]["fmin"],
        frequency_max=manifest["mel"]["fmax"],
        top_db=None,
        truncation="rand_trunc",
        padding="repeatpad",
    )
    run = lambda samples: extractor(samples, sampling_rate=RATE, return_tensors="np")["input_features"][0, 0]
    return {name: run(samples).astype(np.float32) for name, samples in cases.items()}


def unpack(path):
    """Returns (audio, log-mels) of an existing set."""
    with np.load(path) as content:
        names = [key.removesuffix("__audio") for key in content.files if key.endswith("__audio")]
        return ({n: content[f"{n}__audio"] for n in names}, {n: content[f"{n}__log_mel"] for n in names})


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=Path(__file__).resolve().parents[1] / "tests/golden", type=Path)
    parser.add_argument("--model", type=Path, help="manifest; default clap_small_random.json in --out")
    parser.add_argument("--clips", help="folder with the CC0 clips; default: the installed sonic-pi-samples")
    parser.add_argument("--from", dest="source", type=Path, help="take audio and log-mels from this .npz")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    manifest = load_manifest(arguments.model or arguments.out / "clap_small_random.json")
    if arguments.source:
        cases, log_mels = unpack(arguments.source)
    else:
        cases = sounds(arguments.clips)
        log_mels = reference_log_mels(cases, manifest)
    session, arrays = open_session(model_path(manifest)), {}
    for name, samples in cases.items():
        own = frontend.model_input(samples, manifest)[0, 0]
        difference = float(np.abs(own - log_mels[name]).max())
        print(f"{name:16s} {len(samples):7d} samples, front end to {difference:.1e} dB of the extractor")
        if difference > MAX_LOG_MEL_DB:
            raise SystemExit(f"make_clap_golden: front end differs by {difference:.1e} dB; nothing written")
        arrays[f"{name}__audio"], arrays[f"{name}__log_mel"] = samples, log_mels[name]
        arrays[f"{name}__embedding"] = frontend.run_blocks(session, log_mels[name][None, None], ["embedding"])[0][0]
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)
    (arguments.out / "clap.npz").write_bytes(packed.getvalue())
    print(f"wrote clap.npz ({len(packed.getvalue()) / 1e6:.2f} MB): {len(cases)} cases")


if __name__ == "__main__":
    main()
