"""What a run leaves in MLflow: figures, plots, the model and its dataset."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml_training.alert_budgets import BUDGETS, planted_curve
from ml_training.assembly import AssembledModel
from ml_training.card_text import CardFacts, describe
from ml_training.dataset import Dataset
from ml_training.detector import AutoencoderDetector
from ml_training.environment import describe_environment, installed_packages
from ml_training.gate import Comparison, plant_oddities
from ml_training.model_folder import write_model_folder
from ml_training.plots import draw_alert_budgets, draw_calibration, draw_plots
from ml_training.registry import Registry
from ml_training.settings import Hyperparameters
from ml_training.splits import rows_by_repository, rows_of
from ml_training.thresholds import conformal_threshold

Floats = NDArray[np.float64]

LEAST_ROWS = 20  # of a repository's next period, below which a rate says nothing
POOLED = "all"


@dataclass(frozen=True, slots=True)
class FittedRun:
    """What one run made of its data."""

    detector: AutoencoderDetector
    assembled: AssembledModel
    dataset: Dataset
    splits: NDArray[np.str_]
    comparison: Comparison


def log_run(registry: Registry, run_id: str, run: FittedRun, settings: Hyperparameters, store_uri: str,
            now: datetime) -> None:
    """Log everything of a run."""
    at, dataset = int(now.timestamp() * 1000), run.dataset
    provenance = dataset.provenance
    real = shares_on_the_next_period(run.assembled.scores, dataset, run.splits)
    figures, packages = _figures(run, real), installed_packages()
    environment = describe_environment(packages)
    metrics = [(name, getattr(epoch, name), epoch.step, at) for epoch in run.detector.epochs_
               for name in ("training_loss", "validation_loss")]
    registry.log_metrics(run_id, metrics + [(name, value, 0, at) for name, value in figures.items()])
    registry.tag_run(run_id, {f"environment.{name}": value for name, value in environment.items()})
    registry.log_dataset(run_id, f"features/{provenance.run_id}", provenance.input_snapshot,
                         f"{store_uri}/features/{provenance.run_id}", provenance.feature_names, len(dataset))
    with tempfile.TemporaryDirectory(prefix="sentinel-run-") as folder:
        root = Path(folder)
        text = describe(run.assembled.card, CardFacts(provenance, figures, run.comparison.reason, BUDGETS, real,
                                                      environment))
        write_model_folder(root / "model", run.assembled.content, run.assembled.card, text, dataset.X[-3:], packages)
        (root / "packages.txt").write_text("".join(f"{name}=={version}\n" for name, version in packages.items()))
        _draw(root / "plots", run, real, settings)
        registry.log_folder(run_id, root)


def shares_on_the_next_period(scores: Floats, dataset: Dataset, splits: NDArray[np.str_]) -> Mapping[str, Floats]:
    """Return, by repository and for all, the share of test rows that each of BUDGETS really flags.

    The threshold is calibrated on the validation rows alone, which lie before.
    """
    shares, by_repository = {}, rows_by_repository(dataset.repositories)
    alone = len(by_repository) == 1  # then "all" says what its only repository says
    for name, own in {POOLED: np.arange(len(dataset)), **({} if alone else by_repository)}.items():
        known = own[~dataset.warm_up[own]]
        before, after = scores[known[splits[known] == "validation"]], scores[known[splits[known] == "test"]]
        if min(len(before), len(after)) >= LEAST_ROWS:
            shares[name] = np.array([(after > conformal_threshold(before, budget)).mean() for budget in BUDGETS])
    return shares


def _figures(run: FittedRun, real: Mapping[str, Floats]) -> dict[str, float]:
    dataset, assembled = run.dataset, run.assembled
    figures = {"threshold": assembled.thresholds.pooled, **run.comparison.metrics()}
    for split in ("train", "validation", "test"):
        rows = rows_of(run.splits, split, dataset.warm_up)
        figures[f"n_{split}"] = float(len(rows))
        if len(rows):
            flagged = assembled.scores[rows] > [assembled.thresholds.of(name) for name in dataset.repositories[rows]]
            figures[f"flagged_share_{split}"] = float(flagged.mean())
    for budget, share in zip(BUDGETS, real.get(POOLED, ())):
        figures[f"next_period_share_at_budget_{1000 * budget:g}_permille"] = float(share)
    return figures


def _draw(folder: Path, run: FittedRun, real: Mapping[str, Floats], settings: Hyperparameters) -> None:
    dataset, assembled = run.dataset, run.assembled
    strongest = np.argsort(assembled.scores)[-max(1, len(dataset) // 100):]
    shares = run.detector.contributions(dataset.X[strongest]).mean(axis=0)
    draw_plots(folder, run.detector.epochs_, assembled.scores, run.splits, assembled.thresholds.pooled,
               dict(zip(dataset.provenance.feature_names, shares.tolist())))
    test = rows_of(run.splits, "test", dataset.warm_up)
    if len(test) >= LEAST_ROWS:
        planted = run.detector.decision_function(plant_oddities(dataset.X[test], settings.seed))
        curve = planted_curve(assembled.scores[test], planted, settings.seed)
        draw_alert_budgets(folder / "alert_budgets.png", {"this model": curve}, "planted oddities")
    if real:
        draw_calibration(folder / "calibration.png", BUDGETS, {name: list(values) for name, values in real.items()})
