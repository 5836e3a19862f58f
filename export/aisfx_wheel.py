"""The published aisfx network, straight from its wheel: weights, and the original code to check against."""

import hashlib
import importlib.util
import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import torch

VERSION = "0.1.2"
CHECKPOINT = "aisfx/models/checkpoint.pth"
# SHA-256 of the wheel on PyPI, whose network and spectrogram code the checks run.
WHEEL_SHA256 = "bfe219950715af179e9a1653e7117cc1852baef267cd6596c42cad74afe1d194"
# SHA-256 of the checkpoint inside the wheel aisfx-0.1.2-py2.py3-none-any.whl on PyPI.
CHECKPOINT_SHA256 = "499ea75909c932a2f94c35fa722fa4fabc5bcb7e84917209cc5f7402627b7eb5"
PREFIX = "embedding_net."
# The checkpoint also holds class counts as numpy scalars, under the names of numpy 1.
NUMPY_GLOBALS = [
    (np._core.multiarray.scalar, "numpy.core.multiarray.scalar"),
    np.dtype,
    type(np.dtype(np.int64)),
]


def download_wheel(folder):
    """Downloads the pinned wheel from PyPI into a folder; returns its path."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--dest",
        str(folder),
        f"aisfx=={VERSION}",
    ]
    subprocess.run(command, check=True)
    return next(Path(folder).glob(f"aisfx-{VERSION}-*.whl"))


def require_hash(content, expected, name):
    """Ends the program unless bytes have the pinned SHA-256."""
    digest = hashlib.sha256(content).hexdigest()
    if digest != expected:
        raise SystemExit(f"sha256 is {digest}, expected {expected}: {name}")


def read_wheel(wheel=None):
    """Returns the wheel's files of interest as {name: bytes}; downloads it when no path is given."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(wheel) if wheel else download_wheel(folder)
        require_hash(path.read_bytes(), WHEEL_SHA256, path.name)
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist() if name.startswith("aisfx/")}


def load_state(files):
    """Returns the embedding network's tensors after checking the checkpoint's pinned hash."""
    content = files[CHECKPOINT]
    require_hash(content, CHECKPOINT_SHA256, CHECKPOINT)
    with torch.serialization.safe_globals(NUMPY_GLOBALS):
        weights, _classifier_heads = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return {key[len(PREFIX) :]: value for key, value in weights.items() if key.startswith(PREFIX)}


def import_from_wheel(files, name):
    """Imports one module file of the wheel without installing it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / Path(name).name
        path.write_bytes(files[name])
        spec = importlib.util.spec_from_file_location(f"aisfx_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


def reference_network(files):
    """Returns the authors' own, un-folded network in evaluation mode: the yardstick of every check."""
    module = import_from_wheel(files, "aisfx/models/cnn2d.py")
    network = module.EmbeddingNet("max", 3, 1, 64)
    network.load_state_dict(load_state(files))
    return network.eval()


def run_reference(network, blocks):
    """Runs the reference network on numpy blocks `[B, T, 96]`; returns {output: rows}.

    `embedding [B, 512]` is its own output; `banded [B, 2048]` comes from the last feature map `[B, 512, T / 8, 12]`:
    the mean of every three mel positions, its maximum over time, channel by channel.
    """
    maps = []
    hook = network.conv_block4.register_forward_hook(lambda _block, _inputs, output: maps.append(output))
    with torch.no_grad():
        embedding = network(torch.from_numpy(blocks.copy()))
    hook.remove()
    bands = torch.nn.functional.avg_pool2d(maps[0], (1, 3)).amax(dim=2)
    return {"embedding": embedding.numpy(), "banded": bands.flatten(1).numpy()}
