"""Several small autoencoders, trained side by side in one batch of matrices."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ml_training.settings import Hyperparameters

BETA_MEAN, BETA_SQUARE, EPSILON = 0.9, 0.999, 1e-8  # Adam's own defaults
CHECK_EVERY_STEPS = 10
LEAST_IMPROVEMENT = 0.002  # relative; less than this is no better


@dataclass(frozen=True, slots=True)
class Epoch:
    """The mean squared residuals of one check of the training, in scaled units."""

    step: int
    training_loss: float
    validation_loss: float


class Autoencoders(torch.nn.Module):
    """`n_networks` autoencoders of one shape; weights are (n_networks, n_in, n_out)."""

    def __init__(self, n_features: int, settings: Hyperparameters, generator: torch.Generator) -> None:
        """Draw the weights from `generator`: uniform in ±1/√n_in, as torch's own linear layer."""
        super().__init__()
        bottleneck = max(1, round(n_features * settings.bottleneck_share))
        widths = [n_features, settings.hidden_width, bottleneck, settings.hidden_width, n_features]
        n = settings.n_networks
        self.weights, self.biases = torch.nn.ParameterList(), torch.nn.ParameterList()
        for n_in, n_out in zip(widths, widths[1:]):
            bound = n_in ** -0.5
            self.weights.append(torch.empty(n, n_in, n_out).uniform_(-bound, bound, generator=generator))
            self.biases.append(torch.empty(n, 1, n_out).uniform_(-bound, bound, generator=generator))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Rebuild x (n_networks, n_rows, n_features), or (n_rows, n_features) for all networks alike."""
        if x.dim() == 2:
            x = x.expand(len(self.weights[0]), *x.shape)
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases)):
            x = torch.baddbmm(bias, x, weight)  # (n_networks, n_rows, n_out)
            if layer in (0, 2):
                x = torch.relu(x)
        return x


class Adam:
    """Adam (Kingma & Ba 2015) on all weights as one vector; torch's own imports its compiler, which takes seconds."""

    def __init__(self, networks: Autoencoders) -> None:
        """Make the networks' weights views of one vector."""
        self._parameters = list(networks.parameters())
        self._values = torch.nn.utils.parameters_to_vector(self._parameters).detach()
        torch.nn.utils.vector_to_parameters(self._values, self._parameters)
        self._mean, self._square = torch.zeros_like(self._values), torch.zeros_like(self._values)
        self._n_steps = 0

    def step(self, learning_rate: float) -> None:
        """Move the weights against their gradients."""
        self._n_steps += 1
        gradient = torch.cat([parameter.grad.flatten() for parameter in self._parameters])
        self._mean.lerp_(gradient, 1 - BETA_MEAN)
        self._square.mul_(BETA_SQUARE).addcmul_(gradient, gradient, value=1 - BETA_SQUARE)
        size = (self._square / (1 - BETA_SQUARE ** self._n_steps)).sqrt_().add_(EPSILON)
        self._values.addcdiv_(self._mean, size, value=-learning_rate / (1 - BETA_MEAN ** self._n_steps))


def train_autoencoders(
    take: Callable[[NDArray[np.int64]], NDArray[np.float32]],
    validation: NDArray[np.float32],
    rows_of_network: list[NDArray[np.int64]],
    settings: Hyperparameters,
    device: torch.device,
    tell: Callable[[Epoch], None] = lambda epoch: None,
) -> tuple[Autoencoders, list[Epoch]]:
    """Train on the rows that `take` returns for their places; network k sees only `rows_of_network[k]`.

    Only rows that some batch draws are taken: at most max_steps · n_networks · batch_size of them.
    Stops early when the validation loss has stopped falling, and keeps the best weights.
    """
    generator = torch.Generator().manual_seed(settings.seed)
    networks = Autoencoders(validation.shape[1], settings, generator).to(device)
    drawn, batches = torch.unique(_draw_batches(rows_of_network, settings, generator), return_inverse=True)
    X, batches = torch.from_numpy(take(drawn.numpy())).to(device), batches.to(device)  # (n_steps, n_networks, batch)
    X_validation = torch.from_numpy(validation).to(device)
    adam = Adam(networks)
    schedule = 0.5 * (1 + np.cos(np.pi * np.arange(len(batches)) / len(batches)))
    best, patience, epochs = (np.inf, _copy(networks)), 0, []
    for step, batch in enumerate(batches):
        x = X[batch]  # (n_networks, batch, n_features)
        loss = (networks(x) - x).square().mean(dim=(1, 2)).sum()
        networks.zero_grad(set_to_none=True)
        loss.backward()
        adam.step(settings.learning_rate * float(schedule[step]))
        if (step + 1) % CHECK_EVERY_STEPS and step + 1 < len(batches):
            continue
        epochs.append(Epoch(step + 1, loss.item() / settings.n_networks, _middle_loss(networks, X_validation)))
        tell(epochs[-1])
        if epochs[-1].validation_loss < best[0] * (1 - LEAST_IMPROVEMENT):
            best, patience = (epochs[-1].validation_loss, _copy(networks)), 0
        elif (patience := patience + 1) >= settings.patience:
            break
    networks.load_state_dict(best[1])
    return networks.eval().requires_grad_(False), epochs


def _draw_batches(
    rows_of_network: list[NDArray[np.int64]], settings: Hyperparameters, generator: torch.Generator,
) -> torch.Tensor:
    n_rows = max(map(len, rows_of_network))
    batch = min(settings.batch_size, n_rows)
    wanted = settings.n_epochs * -(-n_rows // batch)
    n_steps = min(settings.max_steps, max(settings.min_steps, wanted))
    drawn = []
    for rows in rows_of_network:
        places = torch.randint(0, len(rows), (n_steps, batch), generator=generator)
        drawn.append(torch.from_numpy(rows)[places])
    return torch.stack(drawn, dim=1)


def _middle_loss(networks: Autoencoders, X: torch.Tensor) -> float:
    """The median over rows: later rows hold anomalies too, and they should not decide when to stop."""
    with torch.no_grad():
        residuals = (networks(X) - X).square().mean(dim=2)  # (n_networks, n_rows)
        return residuals.mean(dim=0).median().item()


def _copy(networks: Autoencoders) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in networks.state_dict().items()}
