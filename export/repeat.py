"""Lets a network of convolutions repeat a short input itself, and compute rows that are equal once.

A sound of `p` rows that is repeated to a window of `n` makes feature maps that repeat too: away from the
ends of the window, row `i` equals row `i + p`, whatever the weights are. Every stage (two 3x3 convolutions,
then a 2x2 pool) therefore needs no more than both ends, one period and what the convolutions see around
them. `share_repeats` adds to the graph which rows those are, from the number of rows that come in, and puts
the map together again before each pool. Nothing is rounded anew: the result is that of the repeated input,
bit by bit, and an input of `n` rows or more is computed as before.

In a stage of `n` rows, `lead` at either end differ from the inner ones by what lies beyond the window. Rows
`0 .. cut` and `n - (length - cut) .. n` are kept. If whole periods lie between them, the cut does not show;
otherwise two rows at either side of it (HALO) are wrong and not used.
"""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

HALO = 2  # rows that two 3x3 convolutions see on either side
SCALES = (1, 2, 4, 8)  # input rows behind a row of each stage
# No cut that shows in the last stage, since the maximum is taken over all its rows.
NEVER = 1 << 32


class Indices:
    """Small nodes on int64 values; each method call adds one and returns the name of its output."""

    def __init__(self):
        self.nodes, self.tensors = [], {}

    def constant(self, values):
        values = np.asarray(values, np.int64)
        name = f"rows_{'x'.join(map(str, values.shape))}_{'_'.join(map(str, values.ravel()))}"
        self.tensors[name] = numpy_helper.from_array(values, name)
        return name

    def __getattr__(self, kind):
        def add(*inputs, **attributes):
            inputs = [each if isinstance(each, str) else self.constant(each) for each in inputs]
            name = f"rows_{len(self.nodes)}"
            self.nodes.append(helper.make_node(kind, inputs, [name], f"{name}_{kind}", **attributes))
            return name

        return add


def column(values):
    """One value a stage: `[stages, 1]`."""
    return [[value] for value in values]


def rows_to_compute(source, frames):
    """Returns the nodes, and what to gather: rows of the input, then rows of the map before each pool."""
    edges = [0]
    for _ in SCALES[1:]:
        edges.append(-(-(edges[-1] + HALO) // 2))
    leads = [edge + HALO for edge in edges]
    loose = [2 * lead + 2 * HALO for lead in leads[:-1]] + [NEVER]

    on = Indices()
    rows = on.Shape(source, start=1, end=2)
    total = on.Max(rows, [frames])
    heights = on.Div(total, column(SCALES))
    divides = on.Cast(on.Equal(on.Mod(rows, column(SCALES)), [0]), to=TensorProto.INT64)
    # A period that is odd becomes no shorter by pooling: two of them do.
    shrinks = on.Min(column(SCALES), on.ReduceMax(on.Mul(divides, column(SCALES)), keepdims=0))
    periods = on.Div(rows, shrinks)
    spare = on.Max(on.Sub(on.Div(on.Sub(heights, column(2 * lead for lead in leads)), periods), [1]), [0])
    whole = on.Sub(heights, on.Mul(spare, periods))
    lengths = on.Min(whole, on.Add(periods, column(loose)))
    gaps = on.Sub(heights, lengths)
    cuts = on.Sub(lengths, column(lead + HALO for lead in leads))

    # [stages, total]: which row stands at a place, and at which place a row stands.
    place = on.Range(0, on.Squeeze(total), 1)
    behind = on.Cast(on.GreaterOrEqual(place, cuts), to=TensorProto.INT64)
    row_at = on.Min(on.Add(place, on.Mul(behind, gaps)), on.Sub(heights, [1]))
    inner = on.Add(on.Mod(on.Sub(place, column(leads)), periods), column(leads))
    ends = on.Sub(heights, column(leads))
    place_of = on.Where(on.Less(place, ends), on.Min(place, inner), on.Sub(place, gaps))

    # Two rows of a stage's map become one of the next.
    stages = len(SCALES)
    pairs = on.Unsqueeze(on.Mul(on.Slice(row_at, [1], [stages], [0]), [2]), [2])
    pairs = on.Reshape(on.Add(pairs, [0, 1]), [stages - 1, -1])
    pooled = on.GatherElements(on.Slice(place_of, [0], [stages - 1], [0]), pairs, axis=1)
    first = on.Slice(on.Gather(row_at, 0), [0], on.Gather(lengths, 0))
    doubled = on.Mul(lengths, [2])
    later = [on.Slice(on.Gather(pooled, s - 1), [0], on.Gather(doubled, s)) for s in range(1, stages)]
    return on, [on.Mod(first, rows), *later]


def share_repeats(model, frames):
    """Changes a model, `[batch, rows, bands]` in f32 or QDQ int8, to repeat fewer than `frames` rows itself."""
    source = model.graph.input[0].name
    indices, gathered = rows_to_compute(source, frames)
    pools = [node for node in model.graph.node if node.op_type == "MaxPool"]
    if len(pools) != len(gathered) - 1:
        raise SystemExit(f"repeat: {len(pools)} pools where {len(gathered) - 1} were expected")
    quantised = {node.output[0]: node for node in model.graph.node if node.op_type == "DequantizeLinear"}
    nodes = list(indices.nodes)
    nodes.append(helper.make_node("Gather", [source, gathered[0]], ["rows_once"], "rows_once", axis=1))
    before = {}
    for pool, rows in zip(pools, gathered[1:], strict=True):
        name = f"{pool.name}_rows"
        dequantise = quantised.get(pool.input[0])
        if dequantise is None:
            before[pool.name] = [helper.make_node("Gather", [pool.input[0], rows], [name], name, axis=2)]
            pool.input[0] = name
            continue
        # In u8, and with the channels last, as ONNX Runtime computes: its optimiser then drops the transposes.
        steps = [("Transpose", [dequantise.input[0]], {"perm": [0, 2, 3, 1]})]
        steps.append(("Gather", [f"{name}_0", rows], {"axis": 1}))
        steps.append(("Transpose", [f"{name}_1"], {"perm": [0, 3, 1, 2]}))
        before[dequantise.name] = [
            helper.make_node(kind, inputs, [f"{name}_{step}"], f"{name}_{step}", **attributes)
            for step, (kind, inputs, attributes) in enumerate(steps)
        ]
        dequantise.input[0] = f"{name}_2"
    for node in model.graph.node:
        node.input[:] = ["rows_once" if name == source else name for name in node.input]
        nodes += [*before.get(node.name, []), node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(indices.tensors.values())
    return model
