"""The model as MLflow keeps it: the graph, its signature, an input example and a card."""

from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray

from sentinel.model import ModelCard

MODEL_FILE, CARD_FILE, CARD_TEXT = "model.onnx", "card.json", "card.md"


def write_model_folder(folder: Path, content: bytes, card: ModelCard, example: NDArray[np.float64]) -> None:
    """Write MLflow's ONNX flavour into `folder`; `example` is a few rows of raw features."""
    import onnx
    from mlflow.models import Model, ModelSignature
    from mlflow.types import Schema, TensorSpec

    folder.mkdir(parents=True)
    (folder / MODEL_FILE).write_bytes(content)
    (folder / CARD_FILE).write_bytes(orjson.dumps(card, option=orjson.OPT_INDENT_2))
    (folder / CARD_TEXT).write_text(describe(card), encoding="utf-8")
    (folder / "input_example.json").write_bytes(orjson.dumps(
        {"inputs": [[None if np.isnan(value) else value for value in row] for row in example.tolist()]}))
    width = example.shape[1]
    signature = ModelSignature(
        Schema([TensorSpec(np.dtype("float64"), (-1, width), "features")]),
        Schema([TensorSpec(np.dtype("float64"), (-1,), "score"),
                TensorSpec(np.dtype("float64"), (-1, width), "contributions"),
                TensorSpec(np.dtype("bool"), (-1,), "is_unusual")]))
    model = Model(signature=signature, saved_input_example_info={
        "artifact_path": "input_example.json", "type": "ndarray", "format": "tf-serving"})
    model.add_flavor("onnx", onnx_version=onnx.__version__, data=MODEL_FILE, providers=["CPUExecutionProvider"])
    model.save(str(folder / "MLmodel"))


def describe(card: ModelCard) -> str:
    """Return the card for people, in Markdown."""
    rows = [f"| {name} | {count} | {card.thresholds.get(name, card.threshold):.3f} |"
            for name, count in sorted(card.n_references.items())]
    return "\n".join([
        f"# Model {card.version}", "",
        "Says how unusual a pull request is in its repository. It does not say that one is malicious,",
        "and most of what it flags is harmless: it is for ordering what people read.", "",
        f"- features: run {card.features_run_id}, fingerprint {card.feature_fingerprint}, "
        f"weighed by {card.score_fingerprint}, "
        f"{len(card.feature_names)} of them",
        f"- fitted on pull requests opened until {card.trained_until}",
        f"- threshold: {card.threshold_rule}, {card.threshold:.3f}",
        "- limits: knows nothing of a repository's first pull requests, and judges a repository that it never met "
        "by all others together", "",
        "| compared with | scores | threshold |", "|---|---|---|", *rows, "",
    ])
