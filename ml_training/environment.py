"""What a run was computed with: the interpreter, the machine, the packages."""

import os
import platform
from importlib.metadata import distributions

import torch

from sentinel import __version__

NAMED_PACKAGES = ("torch", "numpy", "onnx", "onnxruntime", "pyarrow", "mlflow")  # that can change a figure or a file


def describe_environment(packages: dict[str, str]) -> dict[str, str]:
    """Return what may change the figures, by name; `packages` are the installed ones, version by name."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return {
        "sentinel": __version__, "python": platform.python_version(), "system": platform.platform(),
        "processors": str(os.cpu_count()), "gpu": device,
        **{name: packages[name] for name in NAMED_PACKAGES if name in packages},
    }


def installed_packages() -> dict[str, str]:
    """Return the version of every installed distribution, by name in small letters."""
    return dict(sorted((one.name.lower(), one.version) for one in distributions() if one.name))
