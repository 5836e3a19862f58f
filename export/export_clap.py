#!/usr/bin/env python3
"""Exports the audio tower of a CLAP checkpoint (HTSAT, unfused) to ONNX with its manifest.

    export_clap.py laion/clap-htsat-unfused --out clap        # a hub name, or a local folder
    export_clap.py --random-small --out tests/golden          # a tiny random model for tests

Reads `config.json`, the weights and, when present, `preprocessor_config.json` of the checkpoint.
Writes `<file>.onnx`, input `input_features` f32 `[batch, 1, 1001, 64]` (dB log-mel), output
`embedding` f32 `[batch, dim]` not normalised, and `<file>.json` beside it.

Nothing is written unless the graph agrees with PyTorch on several batch sizes and the manifest's
front end agrees with the checkpoint's own feature extractor.
"""

import argparse
import copy
import io
import json
import re
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
import transformers
from transformers import ClapAudioConfig, ClapAudioModelWithProjection, ClapFeatureExtractor
from transformers.utils import cached_file

import frontend
from manifest import load_template, open_session, write_model

OPSET = 17
BATCH_SIZES = (1, 2, 3, 5)
MAX_ABS, MIN_COSINE = 1e-3, 0.999999
MAX_LOG_MEL_DB = 1e-3
SEED = 1234
SMALL = dict(
    patch_embeds_hidden_size=16,
    hidden_size=128,
    depths=[1, 1, 1, 1],
    num_attention_heads=[2, 2, 4, 4],
    projection_dim=64,
)
# Level (dB) and spread of typical log-mels; random models and test inputs use them.
LEVEL_DB, SPREAD_DB = -30.0, 20.0
# Keys of preprocessor_config.json that name classes or follow from other keys.
IGNORED = ("feature_extractor_type", "processor_class", "nb_max_frames", "nb_frequency_bins", "nb_max_samples")


class AudioTower(torch.nn.Module):
    """The audio model and its projection as one function of the log-mel."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, features):
        return self.model(input_features=features).audio_embeds


def fail(message):
    """Ends the program with one line."""
    raise SystemExit(f"export_clap: {message}; nothing written")


def random_model(small):
    """Builds a CLAP audio tower with seeded random weights; its vectors mean nothing."""
    torch.manual_seed(SEED)
    config = ClapAudioConfig(**(SMALL if small else {}))
    config._attn_implementation = "eager"
    model = ClapAudioModelWithProjection(config)
    with torch.no_grad():
        norm = model.audio_model.audio_encoder.batch_norm
        norm.running_mean.fill_(LEVEL_DB)
        norm.running_var.fill_(SPREAD_DB**2)
    return model.eval()


def load_model(checkpoint):
    """Loads the audio tower; ends the program when weights are missing or the model is a fused one."""
    if checkpoint.startswith(("/", ".", "~")) and not Path(checkpoint).is_dir():
        fail(f"no such folder: {checkpoint}")
    try:
        model, info = ClapAudioModelWithProjection.from_pretrained(
            checkpoint, attn_implementation="eager", output_loading_info=True
        )
    except (OSError, ValueError) as error:
        fail(f"{str(error).splitlines()[0]}: {checkpoint}")
    if info["missing_keys"]:
        fail(f"{len(info['missing_keys'])} weights are missing, first {sorted(info['missing_keys'])[0]}: {checkpoint}")
    if model.config.enable_fusion:
        fail(f"the checkpoint is a fused one (enable_fusion), its input has another shape: {checkpoint}")
    return model.eval()


def expected_preprocessor(manifest):
    """Returns the preprocessor settings that the manifest's front end stands for."""
    stft, mel, audio = manifest["stft"], manifest["mel"], manifest["audio"]
    return {
        "feature_size": mel["bands"],
        "sampling_rate": audio["sample_rate"],
        "hop_length": stft["hop"],
        "fft_window_size": stft["n_fft"],
        "frequency_min": mel["fmin"],
        "frequency_max": mel["fmax"],
        "nb_max_samples": manifest["window"]["samples"],
        "truncation": "rand_trunc",  # "fusion" would use the HTK filter bank
        "padding": "repeatpad",
        "top_db": None,
    }


def check_preprocessor(checkpoint, manifest):
    """Compares a checkpoint's preprocessor with the manifest: its settings, then what it computes."""
    path = cached_file(
        checkpoint,
        "preprocessor_config.json",
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,
    )
    if path is None:
        print("warning: no preprocessor_config.json, the front end could not be compared")
        return
    settings = json.loads(Path(path).read_text(encoding="utf-8"))
    wanted = expected_preprocessor(manifest)
    wrong = [f"{k} is {settings[k]!r}, not {v!r}" for k, v in wanted.items() if k in settings and settings[k] != v]
    if wrong:
        fail(f"preprocessor differs from the manifest: {', '.join(wrong)}")
    seen = [key for key in wanted if key in settings]
    print(f"preprocessor_config.json: {len(seen)} settings agree with the manifest")
    compare_features(ClapFeatureExtractor(**{k: v for k, v in settings.items() if k not in IGNORED}), manifest)


def compare_features(extractor, manifest):
    """Runs the extractor and the manifest's front end on test sounds and compares the log-mels."""
    random, rate, worst = np.random.default_rng(SEED), manifest["audio"]["sample_rate"], 0.0
    for seconds in (0.05, 0.9, 4.0, 10.0):
        t = np.arange(int(seconds * rate)) / rate
        sound = (0.4 * np.sin(2 * np.pi * (100 * t + 300 * t**2)) + 0.1 * random.standard_normal(len(t))).astype(
            np.float32
        )
        theirs = extractor(sound, sampling_rate=rate, return_tensors="np")["input_features"][0]
        ours = frontend.model_input(sound, manifest)[0]
        if theirs.shape != ours.shape:
            fail(f"the feature extractor gives {theirs.shape}, the manifest {ours.shape}")
        worst = max(worst, float(np.abs(theirs - ours).max()))
    if worst > MAX_LOG_MEL_DB:
        fail(f"log-mels differ from the feature extractor's by {worst:.1e} dB")
    print(f"log-mels agree with the feature extractor to {worst:.1e} dB")


def features(batch, generator):
    """Returns random log-mels `[batch, 1, 1001, 64]` at a plausible level."""
    return torch.randn(batch, 1, 1001, 64, generator=generator) * SPREAD_DB + LEVEL_DB


def to_onnx(tower):
    """Traces the tower to an ONNX model with a dynamic batch."""
    sink = io.BytesIO()
    generator = torch.Generator().manual_seed(SEED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracer notes on shape arithmetic; the check below is the proof
        torch.onnx.export(
            tower,
            (features(2, generator),),
            sink,
            opset_version=OPSET,
            dynamo=False,
            input_names=["input_features"],
            output_names=["embedding"],
            dynamic_axes={"input_features": {0: "batch"}, "embedding": {0: "batch"}},
        )
    return onnx.load_from_string(sink.getvalue())


def check_against_torch(model, tower):
    """Compares ONNX Runtime with PyTorch on batches the trace has not seen."""
    session, generator = open_session(model.SerializeToString()), torch.Generator().manual_seed(SEED + 1)
    for batch in BATCH_SIZES:
        inputs = features(batch, generator)
        with torch.no_grad():
            expected = tower(inputs).numpy()
        got = session.run(None, {"input_features": inputs.numpy()})[0]
        lengths = np.linalg.norm(got, axis=1) * np.linalg.norm(expected, axis=1)
        difference, cosine = float(np.abs(got - expected).max()), float(((got * expected).sum(1) / lengths).min())
        print(f"batch {batch}: max abs {difference:.1e}, min cosine {cosine:.7f} against PyTorch")
        if not (difference < MAX_ABS and cosine > MIN_COSINE):
            fail(f"ONNX differs from PyTorch at batch {batch}: max abs {difference:.1e}, cosine {cosine:.6f}")


def slug_of(arguments):
    """Returns the model's name for its id: a hub name whole, of a folder only the last part."""
    if not arguments.checkpoint:
        return "clap-random-small" if arguments.random_small else "clap-random-full"
    path = Path(arguments.checkpoint)
    name = path.resolve().name if path.exists() else arguments.checkpoint
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def describe(arguments, dim):
    """Returns the manifest of this export."""
    manifest = copy.deepcopy(load_template("clap_htsat_unfused"))
    slug = slug_of(arguments)
    manifest["id"] = arguments.id or f"{slug}-audio"
    manifest["file"] = f"{arguments.name}.onnx"
    manifest["output"]["dim"] = dim
    if not arguments.checkpoint:
        manifest["title"] = "CLAP audio tower with random weights, for tests only"
        manifest["license"] = {"spdx": "CC0-1.0", "attribution": "random weights", "url": ""}
    manifest["source"] = f"audio tower of {slug}, exported to ONNX opset {OPSET}"
    return manifest


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("checkpoint", nargs="?", help="hub name or local folder")
    which.add_argument("--random-small", action="store_true", help="a tiny random model, dim 64")
    which.add_argument("--random-full", action="store_true", help="a full-size random model, for timing")
    parser.add_argument("--out", type=Path, default=Path("."), help="folder to write to")
    parser.add_argument(
        "--name", help="file name without suffix; default clap_audio, clap_small_random or clap_full_random"
    )
    parser.add_argument("--id", help="model id in the manifest; default from the checkpoint's name")
    arguments = parser.parse_args()
    default = (
        "clap_small_random" if arguments.random_small else "clap_full_random" if arguments.random_full else "clap_audio"
    )
    arguments.name = arguments.name or default
    return arguments


def main():
    arguments = parse_arguments()
    # The text tower's weights are rightly unused; missing weights are checked for in load_model.
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    model = load_model(arguments.checkpoint) if arguments.checkpoint else random_model(arguments.random_small)
    tower = AudioTower(model).eval()
    manifest = describe(arguments, model.config.projection_dim)
    parameters = sum(p.numel() for p in model.parameters())
    print(f"{manifest['id']}: {parameters / 1e6:.1f} M parameters, dim {manifest['output']['dim']}")
    if arguments.checkpoint:
        check_preprocessor(arguments.checkpoint, manifest)
    exported = to_onnx(tower)
    check_against_torch(exported, tower)
    path = write_model(exported, manifest, arguments.out)
    print(f"wrote {path.name} ({path.stat().st_size / 1e6:.1f} MB) and {path.with_suffix('.json').name}")


if __name__ == "__main__":
    main()
