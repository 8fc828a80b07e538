"""The fitted detector as one ONNX graph: raw features in; score, contributions and decision out."""

from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ml_training.detector import FittedParts
from ml_training.rarities import Rarities
from ml_training.scaling import LARGEST_RATIO
from sentinel.model import INPUT, OPSET, OUTPUTS

IR_VERSION = 10  # what onnxruntime 1.23 reads at opset 21


class GraphBuilder:
    """Collects nodes and constants; `add` names what it returns."""

    def __init__(self) -> None:
        """Begin empty."""
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: NDArray[np.generic]) -> str:
        """Keep an array inside the graph and return its name."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, operator: str, *inputs: str, output: str | None = None, **attributes: object) -> str:
        """Append a node with one output and return the output's name."""
        name = output or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name


def build_graph(parts: FittedParts, threshold: float, metadata: Mapping[str, str]) -> bytes:
    """Return the model file: `features` (n, n_features) float64 → score, contributions, is_unusual.

    Only the distance and the rarities are exported: pull requests use nothing else.
    """
    if parts.tails is not None or parts.neighbours is not None:
        raise ValueError("tails_weight and neighbours_weight: expected 0 in a model of pull requests")
    n_features = len(parts.scaling.centers)
    graph = GraphBuilder()
    scaled = _add_scaling(graph, parts)  # (n, n_features) float64
    squares = _add_squared_distances(graph, parts, scaled)  # (n, 2, n_features) float64, mean of the networks
    shares = graph.add("ReduceSum", squares, graph.constant(np.array([1])), keepdims=0)
    total = graph.add("ReduceSum", shares, graph.constant(np.array([1])), keepdims=1)  # (n, 1)
    root = graph.add("Max", graph.add("Sqrt", total), graph.constant(np.array(np.finfo(float).tiny)))
    if parts.rarities is None:
        graph.add("Div", shares, root, output="contributions")
    else:
        _join_with_rarities(graph, graph.add("Div", shares, root), parts.rarities)
    graph.add("ReduceSum", "contributions", graph.constant(np.array([1])), keepdims=0, output="score")
    graph.add("Greater", "score", graph.constant(np.array(threshold)), output="is_unusual")
    return _to_bytes(graph, n_features, metadata)


def _add_scaling(graph: GraphBuilder, parts: FittedParts) -> str:
    scaling = parts.scaling
    ratio = graph.add("Div", graph.add("Sub", INPUT, graph.constant(scaling.centers)), graph.constant(scaling.spreads))
    bounds = [graph.constant(np.array(sign * LARGEST_RATIO)) for sign in (-1, 1)]
    ratio = graph.add("Clip", ratio, *bounds)
    size = graph.add("Abs", ratio)  # asinh by parts: onnxruntime has no float64 kernel for it
    root = graph.add("Sqrt", graph.add("Add", graph.add("Mul", size, size), graph.constant(np.array(1.0))))
    logarithm = graph.add("Log", graph.add("Add", size, root))
    asinh = graph.add("Mul", graph.add("Sign", ratio), logarithm)
    stretched = graph.add("Where", graph.constant(scaling.is_heavy), asinh, ratio)
    centered = graph.add("Sub", stretched, graph.constant(scaling.means))
    scaled = graph.add("Div", centered, graph.constant(scaling.deviations))
    scaled = graph.add("Min", graph.add("Max", scaled, graph.constant(-scaling.limits)), graph.constant(scaling.limits))
    return graph.add("Where", graph.add("IsNaN", INPUT), graph.constant(np.array(0.0)), scaled)


def _add_squared_distances(graph: GraphBuilder, parts: FittedParts, scaled: str) -> str:
    n_networks, n_features = len(parts.whitenings), len(parts.scaling.centers)
    small = graph.add("Cast", scaled, to=TensorProto.FLOAT)
    rows = graph.add("Unsqueeze", small, graph.constant(np.array([0])))  # (1, n, n_features)
    rebuilt = rows
    for layer, (weight, bias) in enumerate(zip(parts.networks.weights, parts.networks.biases)):
        rebuilt = graph.add("MatMul", rebuilt, graph.constant(weight.numpy()))
        rebuilt = graph.add("Add", rebuilt, graph.constant(bias.numpy()))
        if layer in (0, 2):
            rebuilt = graph.add("Relu", rebuilt)
    residual = graph.add("Sub", rows, rebuilt)  # (n_networks, n, n_features)
    copies = graph.add("Expand", rows, graph.add("Shape", residual))
    joined = graph.add("Concat", copies, residual, axis=2)  # (n_networks, n, 2 · n_features)
    centers = np.stack([whitening.center for whitening in parts.whitenings])[:, None].astype(np.float32)
    matrices = np.stack([whitening.matrix for whitening in parts.whitenings]).astype(np.float32)
    white = graph.add("MatMul", graph.add("Sub", joined, graph.constant(centers)), graph.constant(matrices))
    lowest = np.where(np.tile(parts.is_one_sided, 2), 0.0, -np.inf).astype(np.float32)
    white = graph.add("Max", white, graph.constant(lowest))
    squares = graph.add("ReduceSum", graph.add("Mul", white, white), graph.constant(np.array([0])), keepdims=0)
    scale = graph.constant(np.array(1 / (n_networks * 2 * n_features)))
    squares = graph.add("Mul", graph.add("Cast", squares, to=TensorProto.DOUBLE), scale)
    return graph.add("Reshape", squares, graph.constant(np.array([-1, 2, n_features])))


def _join_with_rarities(graph: GraphBuilder, distances: str, rarities: Rarities) -> None:
    """Add `contributions`, as `join_with_rarities` computes them."""
    columns = graph.constant(np.array([1]))
    shares = _add_rarities(graph, rarities)  # (n, n_features)
    distance = graph.add("ReduceSum", distances, columns, keepdims=1)  # (n, 1)
    rarity = graph.add("ReduceSum", shares, columns, keepdims=1)
    factor = graph.add("Add", rarity, graph.constant(np.array(1.0)))
    score = graph.add("Sqrt", graph.add("Mul", distance, factor))
    joined = graph.add("Add", graph.add("Mul", factor, distances), graph.add("Mul", distance, shares))
    total = graph.add("Mul", distance, graph.add("Add", factor, rarity))
    total = graph.add("Max", total, graph.constant(np.array(np.finfo(float).tiny)))
    graph.add("Mul", score, graph.add("Div", joined, total), output="contributions")


def _add_rarities(graph: GraphBuilder, rarities: Rarities) -> str:
    zero = graph.constant(np.array(0.0))
    known = graph.add("Where", graph.add("IsNaN", INPUT), zero, INPUT)
    above = graph.add("Max", graph.add("Sub", known, graph.constant(np.array(rarities.usual))), zero)
    excess = graph.add("Mul", above, graph.constant(rarities.membership.any(axis=1).astype(float)))
    filled = graph.add("Pad", excess, graph.constant(np.array([0, 0, 0, 1])))  # a column of 0 stands for "no column"
    strongest = graph.add("ReduceMax", graph.add("Gather", filled, graph.constant(rarities.places), axis=1),
                          graph.constant(np.array([2])), keepdims=0)  # (n, n_groups)
    totals = graph.add("MatMul", excess, graph.constant(rarities.membership))
    totals = graph.add("Max", totals, graph.constant(np.array(np.finfo(float).tiny)))
    scales = graph.add("Div", graph.add("Mul", strongest, graph.constant(rarities.weights)), totals)
    return graph.add("Mul", excess, graph.add("MatMul", scales, graph.constant(rarities.membership.T)))


def _to_bytes(graph: GraphBuilder, n_features: int, metadata: Mapping[str, str]) -> bytes:
    kinds = dict(zip(OUTPUTS, (TensorProto.DOUBLE, TensorProto.DOUBLE, TensorProto.BOOL)))
    shapes = dict(zip(OUTPUTS, (["n"], ["n", n_features], ["n"])))
    proto = helper.make_graph(
        graph.nodes, "pull_request_anomaly",
        [helper.make_tensor_value_info(INPUT, TensorProto.DOUBLE, ["n", n_features])],
        [helper.make_tensor_value_info(name, kinds[name], shapes[name]) for name in OUTPUTS],
        graph.constants,
    )
    model = helper.make_model(proto, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION,
                              producer_name="sentinel.ml_training")
    helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content
