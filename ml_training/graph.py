"""The fitted detector as one ONNX graph: raw features in; score, contributions and decision out."""

from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ml_training.detector import FittedParts
from ml_training.folding import fold_networks
from ml_training.rarities import Rarities
from ml_training.scaling import LARGEST_RATIO
from sentinel.model import INPUT, OPSET, OUTPUTS

IR_VERSION = 10  # what onnxruntime 1.23 reads at opset 21
COLUMNS = np.array([1])
TINY = np.array(np.finfo(np.float64).tiny)
NEARLY_LINEAR = 2.0 ** -27  # asinh of what is a thousand times this is the same in float32


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

    Only the distance and the rarities are exported: pull requests use nothing else. What is linear is multiplied out
    beforehand, in float64: for one row, the number of nodes is what a score costs.
    """
    if parts.tails is not None or parts.neighbours is not None:
        raise ValueError("tails_weight and neighbours_weight: expected 0 in a model of pull requests")
    graph = GraphBuilder()
    squares = _add_squared_distances(graph, parts, _add_scaling(graph, parts))  # (n, n_features), mean of the networks
    total = graph.add("ReduceSum", squares, graph.constant(COLUMNS), keepdims=1)  # (n, 1)
    root = graph.add("Sqrt", total)
    above = graph.add("Max", total, graph.constant(TINY))
    if parts.rarities is None:
        graph.add("Mul", squares, graph.add("Div", root, above), output="contributions")
    else:
        _join_with_rarities(graph, squares, root, above, parts.rarities)
    graph.add("ReduceSum", "contributions", graph.constant(COLUMNS), keepdims=0, output="score")
    graph.add("Greater", "score", graph.constant(np.array(threshold)), output="is_unusual")
    return _to_bytes(graph, len(parts.scaling.centers), metadata)


def _add_scaling(graph: GraphBuilder, parts: FittedParts) -> str:
    """Add the scaled rows as shares of each column's limit, (n, n_features) float32, in -1..1.

    asinh(NEARLY_LINEAR · ratio) / NEARLY_LINEAR is the ratio itself in float32: one operator serves all columns.
    """
    scaling = parts.scaling
    bends = np.where(scaling.is_heavy, 1.0, NEARLY_LINEAR)
    ratio = graph.add("Mul", graph.add("Sub", INPUT, graph.constant(scaling.centers)),
                      graph.constant(bends / scaling.spreads))
    small = graph.add("Clip", graph.add("Cast", ratio, to=TensorProto.FLOAT),
                      *[graph.constant(np.array(sign * LARGEST_RATIO, np.float32)) for sign in (-1, 1)])
    units = scaling.deviations * scaling.limits
    scaled = graph.add("Mul", graph.add("Asinh", small), graph.constant((1 / (bends * units)).astype(np.float32)))
    scaled = graph.add("Add", scaled, graph.constant((-scaling.means / units).astype(np.float32)))
    scaled = graph.add("Clip", scaled, *[graph.constant(np.array(sign, np.float32)) for sign in (-1, 1)])
    return graph.add("Where", graph.add("IsNaN", INPUT), graph.constant(np.array(0, np.float32)), scaled)


def _add_squared_distances(graph: GraphBuilder, parts: FittedParts, scaled: str) -> str:
    """Add each column's share of the mean squared distance, (n, n_features) float64."""
    folded = fold_networks(parts)
    ends = graph.constant(np.array([0, 0, 0, 1]))
    rows = graph.add("Pad", scaled, ends, graph.constant(np.array(1, np.float32)))  # a column of 1 carries the biases
    hidden = rows
    for weights in folded.hidden:
        hidden = graph.add("Relu", graph.add("MatMul", hidden, graph.constant(weights)))  # (n_networks, n, width + 1)
    white = graph.add("Add", graph.add("MatMul", rows, graph.constant(folded.of_rows)),
                      graph.add("MatMul", hidden, graph.constant(folded.of_hidden)))  # (2, n_networks, n, n_features)
    lowest = graph.constant(np.where(parts.is_one_sided, 0.0, -np.inf).astype(np.float32))
    white = graph.add("Max", white, lowest)
    squares = graph.add("ReduceSumSquare", white, graph.constant(np.array([0, 1])), keepdims=0)
    return graph.add("Cast", squares, to=TensorProto.DOUBLE)


def _join_with_rarities(graph: GraphBuilder, squares: str, root: str, above: str, rarities: Rarities) -> None:
    """Add `contributions`, as `join_with_rarities` computes them of the distances squares / root.

    score · (factor · squares / root² + shares) / (factor + rarity), where factor = 1 + rarity.
    """
    shares = _add_rarities(graph, rarities)  # (n, n_features)
    rarity = graph.add("ReduceSum", shares, graph.constant(COLUMNS), keepdims=1)  # (n, 1)
    factor = graph.add("Add", rarity, graph.constant(np.array(1.0)))
    score = graph.add("Sqrt", graph.add("Mul", root, factor))
    joined = graph.add("Add", graph.add("Mul", squares, graph.add("Div", factor, above)), shares)
    graph.add("Mul", joined, graph.add("Div", score, graph.add("Add", factor, rarity)), output="contributions")


def _add_rarities(graph: GraphBuilder, rarities: Rarities) -> str:
    """Add what `Rarities.shares` returns, (n, n_features); NaN is above nothing."""
    is_counted = rarities.membership.any(axis=1)
    is_above = graph.add("Greater", INPUT, graph.constant(np.where(is_counted, rarities.usual, np.inf)))
    excess = graph.add("Sub", INPUT, graph.constant(np.array(rarities.usual)))
    excess = graph.add("Where", is_above, excess, graph.constant(np.array(0.0)))
    by_group = graph.add("Gather", excess, graph.constant(_filled_places(rarities)), axis=1)
    strongest = graph.add("ReduceMax", by_group, graph.constant(np.array([2])), keepdims=0)  # (n, n_groups)
    totals = graph.add("MatMul", excess, graph.constant(rarities.membership / rarities.weights))
    scales = graph.add("Div", strongest, graph.add("Max", totals, graph.constant(TINY)))
    return graph.add("Mul", excess, graph.add("MatMul", scales, graph.constant(rarities.membership.T)))


def _filled_places(rarities: Rarities) -> NDArray[np.int64]:
    """Return the columns of each group, (n_groups, largest group); the first again stands for "no column"."""
    places = rarities.places
    return np.where(places == len(rarities.membership), places[:, :1], places)


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
