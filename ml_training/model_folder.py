"""The model as MLflow keeps it: the graph, its signature, an input example and a card."""

import platform
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray

from sentinel.model import ModelCard

MODEL_FILE, CARD_FILE, CARD_TEXT, REQUIREMENTS_FILE = "model.onnx", "card.json", "card.md", "requirements.txt"
EXAMPLE_FILE, SERVING_EXAMPLE_FILE = "input_example.json", "serving_input_example.json"
NEEDED_TO_SCORE = ("mlflow", "numpy", "onnx", "onnxruntime", "pandas")  # by MLflow's own loader; ours takes fewer


def write_model_folder(folder: Path, content: bytes, card: ModelCard, text: str, example: NDArray[np.float64],
                       packages: Mapping[str, str]) -> None:
    """Write MLflow's ONNX flavour into `folder`; `text` is the card for people, `example` a few rows of raw features.

    `packages` are the versions of what is installed, of which the file of requirements names those that a reader needs.
    """
    import onnx
    from mlflow.models import Model, ModelSignature
    from mlflow.types import Schema, TensorSpec

    folder.mkdir(parents=True)
    (folder / MODEL_FILE).write_bytes(content)
    (folder / CARD_FILE).write_bytes(orjson.dumps(card, option=orjson.OPT_INDENT_2))
    (folder / CARD_TEXT).write_text(text, encoding="utf-8")
    (folder / REQUIREMENTS_FILE).write_text("".join(
        f"{name}=={packages[name]}\n" for name in NEEDED_TO_SCORE if name in packages), encoding="utf-8")
    inputs = {"features": [[None if np.isnan(value) else value for value in row] for row in example.tolist()]}
    (folder / EXAMPLE_FILE).write_bytes(orjson.dumps(inputs))
    (folder / SERVING_EXAMPLE_FILE).write_bytes(orjson.dumps({"inputs": inputs}))
    width = example.shape[1]
    signature = ModelSignature(
        Schema([TensorSpec(np.dtype("float64"), (-1, width), "features")]),
        Schema([TensorSpec(np.dtype("float64"), (-1,), "score"),
                TensorSpec(np.dtype("float64"), (-1, width), "contributions"),
                TensorSpec(np.dtype("bool"), (-1,), "is_unusual")]))
    model = Model(signature=signature, saved_input_example_info={
        "artifact_path": EXAMPLE_FILE, "serving_input_path": SERVING_EXAMPLE_FILE, "type": "ndarray"})
    model.add_flavor("onnx", onnx_version=onnx.__version__, data=MODEL_FILE, providers=["CPUExecutionProvider"])
    model.add_flavor("python_function", loader_module="mlflow.onnx", data=MODEL_FILE,
                     python_version=platform.python_version())
    model.save(str(folder / "MLmodel"))
