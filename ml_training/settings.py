"""The settings of ml_training: where things are, and the hyperparameters, each with unit and reason."""

from typing import Any, Literal

from pydantic import Field

from sentinel.settings import MlflowSettings, ObjectStoreSettings, Settings

ThresholdRule = Literal["mean_plus_two_std", "alert_budget"]
Device = Literal["auto", "cpu", "cuda"]


class Hyperparameters(Settings):
    """How the detector is fitted; the whole object is logged with every run."""

    seed: int = Field(default=0, ge=0, description="start of the random numbers; equal seeds give equal models")
    device: Device = Field(default="auto", description="where the networks train; auto takes a GPU when there")
    threads: int = Field(default=1, ge=0, description="CPU threads of torch, 0 for its own choice; for small matrices "
                                                      "one is as fast, and more wait for each other")
    n_networks: int = Field(default=4, ge=1, description="networks whose distances are averaged; eight bring no more")
    trimmed_networks: int = Field(default=2, ge=0, description="networks that leave out the farthest rows")
    trimmed_share: float = Field(default=0.1, ge=0, lt=0.5, description="share of rows that those leave out")
    hidden_width: int = Field(default=64, ge=1, description="units of each hidden layer")
    bottleneck_share: float = Field(default=1 / 3, gt=0, le=1, description="bottleneck's units per feature")
    batch_size: int = Field(default=128, ge=1, description="rows of one step of one network")
    learning_rate: float = Field(default=2e-3, gt=0, description="Adam's first step size; falls as a cosine to 0")
    n_epochs: int = Field(default=10, ge=1, description="passes over the training rows, within the steps below")
    min_steps: int = Field(default=60, ge=1, description="steps that even a small table gets")
    max_steps: int = Field(default=300, ge=1, description="steps after which more rows bring nothing")
    patience: int = Field(default=5, ge=1, description="checks without a better validation loss before stopping")
    ridge: float = Field(default=1.0, gt=0, description="added to the covariance's diagonal, in scaled units; as "
                                                        "much as the variance of a surprise, so that rare ones "
                                                        "keep their size")
    largest_scaled: float = Field(default=3.0, gt=0, description="deviations at which features other than surprises "
                                                                 "are cut, so that a rare flag does not decide alone")
    tails_weight: float = Field(default=0.0, ge=0, description="weight of the columns' own tails beside the distance's "
                                                               "1; for tables only")
    neighbours_weight: float = Field(default=0.0, ge=0, description="weight of the distance to the nearest rows; for "
                                                                    "tables only")
    validation_share: float = Field(default=0.15, gt=0, lt=0.5, description="later rows that decide when to stop")
    test_share: float = Field(default=0.15, gt=0, lt=0.5, description="last rows of each repository, never fitted")
    threshold_rule: ThresholdRule = Field(default="mean_plus_two_std", description="which rule flags a pull request")
    alert_budget: float = Field(default=0.01, gt=0, lt=0.5, description="share of pull requests that may be flagged")


def default_hyperparameters(**changes: Any) -> Hyperparameters:
    """Return the defaults with some changes; the environment is not read."""
    return Hyperparameters.model_construct(**changes)


def table_hyperparameters(**changes: Any) -> Hyperparameters:
    """Return what suits tables of unknown columns, chosen on the development tables of benchmarks/."""
    chosen = {"ridge": 1e-3, "largest_scaled": 1e3, "tails_weight": 1.0, "neighbours_weight": 1.0}
    return default_hyperparameters(**{**chosen, **changes})


class ModelsSettings(MlflowSettings, ObjectStoreSettings):
    """What listing, promoting and rolling back read from the environment."""


class MlTrainingSettings(ModelsSettings, Hyperparameters):
    """What `python -m ml_training` reads from the environment."""

    @property
    def hyperparameters(self) -> Hyperparameters:
        """Return the part that decides what the model becomes."""
        return Hyperparameters(**{name: getattr(self, name) for name in Hyperparameters.model_fields})
