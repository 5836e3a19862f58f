#!/usr/bin/env python3
"""Exports the aisfx embedding network (Ma & Lerch, ISMIR 2022) to ONNX in two precisions.

Writes, with a sidecar each:

- `aisfx-f16.onnx`: weights stored as fp16, cast to fp32 in the graph; computes in fp32.
- `aisfx-int8.onnx`: static QDQ, u8 activations, s8 weights per channel limited to 7 bits. A CPU
  without VNNI adds two u8*s8 products in a saturating 16-bit lane (x86 `vpmaddubsw`):
  2 * 255 * 64 = 32640 fits, 2 * 255 * 127 does not. Seven bits are thus safe on every CPU.

The first convolution (576 weights on one input channel) stays fp32 in both: it costs nothing, and
rounding it or its input is the largest single error (min cosine 0.9962 -> 0.9978, and no slower).

Both have two outputs of the last feature map, 512 channels by time by 12 mel positions: `embedding`, its mean over the
positions, and `banded`, its means over every three of them; the maximum over time of each. The second stays fp32 behind
the dequantised map, so that it changes nothing of the first.

All repeat an input shorter than a window themselves and compute equal rows once (`repeat.py`), which is
checked to give the same bits as a repeated input.

`--work` also keeps the fp32 graph and a full 8-bit variant for comparison. The graph is built
directly from the checkpoint, BatchNorm folded in f64, so equal inputs give equal bytes.
"""

import argparse
import copy
import shutil
import tempfile
from pathlib import Path

# First, since it forbids ONNX Runtime to report to its maker.
from manifest import load_template, open_session, write_model  # isort: skip

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

import aisfx_wheel
import calibration
import frontend
import repeat

OPSET, IR_VERSION = 17, 8
BN_EPSILON = 1e-5  # torch.nn.BatchNorm2d's default, which the network uses
FIRST = "conv11"
# The nodes behind the last map that make the second output.
BANDED = ("band_split", "band_means", "bands_max", "bands_flat")
OUTPUTS = {"embedding": 512, "banded": 2048}
CONVOLUTIONS = [(block, index) for block in (1, 2, 3, 4) for index in (1, 2)]
# Bounds of the check against the original network, on real blocks.
MAX_ABS_F32, MIN_COSINE_F16, MIN_COSINE_INT8 = 1e-4, 0.99999, 0.99


def fold(state, block, index):
    """Folds one convolution's BatchNorm into it; returns (weight `[out, in, 3, 3]`, bias) in f32."""
    get = lambda name: state[f"conv_block{block}.{name}"].double().numpy()
    scale = get(f"bn{index}.weight") / np.sqrt(get(f"bn{index}.running_var") + BN_EPSILON)
    weight = get(f"conv{index}.weight") * scale[:, None, None, None]
    bias = get(f"bn{index}.bias") - get(f"bn{index}.running_mean") * scale
    return weight.astype(np.float32), bias.astype(np.float32)


def store(nodes, tensors, name, values, half):
    """Adds an initialiser, as fp16 with a Cast to fp32 when `half`."""
    if not half:
        tensors.append(numpy_helper.from_array(values, name))
        return
    tensors.append(numpy_helper.from_array(values.astype(np.float16), f"{name}_f16"))
    nodes.append(helper.make_node("Cast", [f"{name}_f16"], [name], f"cast_{name}", to=TensorProto.FLOAT))


def build_graph(state, half):
    """Builds log_mel `[batch, frames, 96]` -> embedding `[batch, 512]` and banded `[batch, 2048]`, all in f32."""
    nodes, tensors = [], [numpy_helper.from_array(np.array([1], np.int64), "channel_axis")]
    nodes.append(helper.make_node("Unsqueeze", ["log_mel", "channel_axis"], ["x"], "unsqueeze"))
    current = "x"
    for block, index in CONVOLUTIONS:
        name = f"conv{block}{index}"
        weight, bias = fold(state, block, index)
        store(nodes, tensors, f"{name}_weight", weight, half and name != FIRST)
        tensors.append(numpy_helper.from_array(bias, f"{name}_bias"))
        inputs = [current, f"{name}_weight", f"{name}_bias"]
        nodes.append(helper.make_node("Conv", inputs, [name], name, kernel_shape=[3, 3], pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Relu", [name], [f"{name}_relu"], f"{name}_relu"))
        current = f"{name}_relu"
        if index == 2 and block < 4:
            pooled = f"pool{block}"
            nodes.append(helper.make_node("MaxPool", [current], [pooled], pooled, kernel_shape=[2, 2], strides=[2, 2]))
            current = pooled
    nodes.append(helper.make_node("ReduceMean", [current], ["band_mean"], "band_mean", axes=[3], keepdims=0))
    nodes.append(helper.make_node("ReduceMax", ["band_mean"], ["embedding"], "time_max", axes=[2], keepdims=0))
    tensors.append(numpy_helper.from_array(np.array([0, 0, 0, 4, 3], np.int64), "band_shape"))
    split, means, highest, flat = BANDED
    nodes.append(helper.make_node("Reshape", [current, "band_shape"], [split], split))
    nodes.append(helper.make_node("ReduceMean", [split], [means], means, axes=[4], keepdims=0))
    nodes.append(helper.make_node("ReduceMax", [means], [highest], highest, axes=[2], keepdims=0))
    nodes.append(helper.make_node("Flatten", [highest], ["banded"], flat, axis=1))
    return finish_model(nodes, tensors)


def finish_model(nodes, tensors):
    """Wraps nodes and initialisers into a checked model with dynamic batch and frames."""
    source = helper.make_tensor_value_info("log_mel", TensorProto.FLOAT, ["batch", "frames", 96])
    targets = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", size]) for n, size in OUTPUTS.items()]
    graph = helper.make_graph(nodes, "aisfx", [source], targets, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="export_aisfx.py")
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model, full_check=True)
    return model


class Blocks(CalibrationDataReader):
    """Feeds calibration blocks one by one."""

    def __init__(self, blocks):
        self.batches = iter([{"log_mel": block[None]} for block in blocks])

    def get_next(self):
        return next(self.batches, None)


def quantise(model, blocks, seven_bits):
    """Returns a static QDQ copy of an fp32 model: u8 activations, s8 weights per output channel."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "f32.onnx", Path(folder) / "int8.onnx"
        onnx.save(model, Path(folder) / "plain.onnx")
        quant_pre_process(Path(folder) / "plain.onnx", source, skip_optimization=True, skip_symbolic_shape=True)
        quantize_static(
            source,
            target,
            Blocks(blocks),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=seven_bits,
            nodes_to_exclude=[FIRST, *BANDED],
            calibrate_method=CalibrationMethod.MinMax,
        )
        return onnx.load(target)


def widest_weight(model):
    """Returns the largest magnitude among a model's s8 weights."""
    weights = (numpy_helper.to_array(t) for t in model.graph.initializer if t.data_type == TensorProto.INT8)
    return max(int(np.abs(w.astype(np.int32)).max()) for w in weights if w.ndim == 4)


def cosine(left, right):
    """Returns the cosine of each pair of rows."""
    return (left * right).sum(1) / (np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1))


def compare(name, model, blocks, expected):
    """Prints and returns (max absolute difference, minimum cosine) of all outputs against the original network."""
    session = open_session(model.SerializeToString())
    arrays = frontend.run_blocks(session, blocks, list(OUTPUTS))
    differences, lowest = [], []
    for output, got in zip(OUTPUTS, arrays):
        known = expected[output]
        difference, cosines = float(np.abs(got - known).max()), cosine(got, known)
        print(
            f"{name:15s} {output:9s} vs torch on {len(blocks)} real blocks: max abs {difference:.2e} "
            f"(values to {known.max():.1f}), cosine mean {cosines.mean():.6f} min {cosines.min():.6f}"
        )
        differences.append(difference)
        lowest.append(float(cosines.min()))
    return max(differences), min(lowest)


def check_shapes(model, network):
    """Checks the fp32 graph against the original network on other lengths and batch sizes."""
    session, random = open_session(model.SerializeToString()), np.random.default_rng(0)
    for batch, frames in ((1, 8), (3, 22), (2, 100), (5, 100), (1, 401)):
        blocks = random.random((batch, frames, 96), np.float32)
        expected = aisfx_wheel.run_reference(network, blocks)
        got = session.run(list(OUTPUTS), {"log_mel": blocks})
        difference = max(float(np.abs(rows - expected[name]).max()) for name, rows in zip(OUTPUTS, got))
        print(f"fp32 [{batch}, {frames}, 96]: max abs {difference:.2e}")
        require(difference < MAX_ABS_F32, f"the fp32 graph differs from torch by {difference:.2e}")


def check_repeats(name, plain, sharing, frames):
    """Checks that a model which repeats short inputs itself gives the same bits as the plain one."""
    before, after = (open_session(model.SerializeToString()) for model in (plain, sharing))
    random, differing = np.random.default_rng(0), []
    for rows in (*range(1, frames + 2), 137, 401):
        block = random.random((2, rows, 96), np.float32)
        repeated = np.take(block, np.arange(max(rows, frames)) % rows, axis=1)
        expected = before.run(list(OUTPUTS), {"log_mel": repeated})
        results = [after.run(list(OUTPUTS), {"log_mel": x}) for x in (block, repeated)]
        if not all(np.array_equal(*pair) for result in results for pair in zip(result, expected)):
            differing.append(rows)
    print(f"{name:15s} repeating by itself: {len(differing)} lengths differ")
    require(not differing, f"{name} differs from its plain graph at {differing} rows")


def require(condition, message):
    """Ends the program with one line unless a check holds; nothing has been written by then."""
    if not condition:
        raise SystemExit(f"export_aisfx: {message}; nothing written")


def describe(template, name, title, change):
    """Fills the manifest template in for one precision."""
    manifest = copy.deepcopy(template)
    manifest.update(id=name, file=f"{name}.onnx", title=f"{manifest['title']}, {title}")
    manifest["source"] += f"; BatchNorm folded, converted to ONNX, output `banded` added, {change}"
    return manifest


def copy_post(template, source, target):
    """Puts the post file beside the comparison models too, when there is one."""
    name = template["output"]["post"]["file"]
    target.mkdir(parents=True, exist_ok=True)
    if (source / name).exists():
        shutil.copyfile(source / name, target / name)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheel", help="aisfx 0.1.2 wheel; downloaded from PyPI when not given")
    parser.add_argument("--out", default=Path(__file__).resolve().parents[1] / "models", type=Path)
    parser.add_argument("--work", type=Path, help="also write aisfx-f32 and aisfx-int8-full here, for comparison")
    parser.add_argument("--calibration", nargs="+", help="folders of audio; default: installed Debian packages")
    parser.add_argument("--blocks", type=int, default=150, help="calibration blocks, one a file")
    parser.add_argument("--check-blocks", type=int, default=50, help="other real blocks to check on")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    files = aisfx_wheel.read_wheel(arguments.wheel)
    state, network = aisfx_wheel.load_state(files), aisfx_wheel.reference_network(files)
    print(f"checkpoint sha256 {aisfx_wheel.CHECKPOINT_SHA256}: as pinned")

    template = load_template("aisfx")
    total = arguments.blocks + arguments.check_blocks
    blocks = calibration.real_blocks(template, total, arguments.calibration)
    known, fresh = blocks[: arguments.blocks], blocks[arguments.blocks :]
    expected = aisfx_wheel.run_reference(network, fresh)

    f32, f16 = build_graph(state, half=False), build_graph(state, half=True)
    check_shapes(f32, network)
    require(compare("aisfx-f32", f32, fresh, expected)[0] < MAX_ABS_F32, "fp32 differs from torch")
    require(compare("aisfx-f16", f16, fresh, expected)[1] > MIN_COSINE_F16, "fp16 storage differs from torch")
    int8, full = quantise(f32, known, seven_bits=True), quantise(f32, known, seven_bits=False)
    require(widest_weight(int8) <= 64, f"7-bit weights reach {widest_weight(int8)}")
    print(f"largest weight: aisfx-int8 {widest_weight(int8)}, aisfx-int8-full {widest_weight(full)}")
    require(compare("aisfx-int8", int8, fresh, expected)[1] > MIN_COSINE_INT8, "int8 differs from torch")
    compare("aisfx-int8-full", full, fresh, expected)
    frames = template["window"]["frames"]
    for name, model in (("aisfx-f32", f32), ("aisfx-f16", f16), ("aisfx-int8", int8), ("aisfx-int8-full", full)):
        plain = copy.deepcopy(model)
        check_repeats(name, plain, repeat.share_repeats(model, frames), frames)

    results = [
        (f16, describe(template, "aisfx-f16", "fp16 storage", "weights stored as fp16"), arguments.out),
        (
            int8,
            describe(template, "aisfx-int8", "7-bit weights", "quantised to u8 activations and 7-bit weights"),
            arguments.out,
        ),
    ]
    if arguments.work:
        results.append((f32, describe(template, "aisfx-f32", "fp32", "weights unchanged"), arguments.work))
        change = "quantised to u8 activations and 8-bit weights"
        results.append((full, describe(template, "aisfx-int8-full", "8-bit weights", change), arguments.work))
        copy_post(template, arguments.out, arguments.work)
    for model, manifest, folder in results:
        path = write_model(model, manifest, folder)
        print(f"wrote {path.name} {path.stat().st_size / 1e6:.2f} MB, {len(model.graph.node)} nodes, and its sidecar")


if __name__ == "__main__":
    main()
