"""Training a network to tell classes apart: stochastic gradient descent over augmented images.

Nesterov momentum and a learning rate that rises and falls once (Smith, "A disciplined approach to
neural network hyper-parameters", 2018; Smith & Topin, "Super-convergence", 2019); images are
mirrored and shifted by chance (He et al. 2016, section 4.2).
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from wordsight.compute import one_thread
from wordsight.exceptions import WordsightError
from wordsight.features.residual_network import FeatureNetwork, placed, put_weights, weights_of
from wordsight.features.training_checkpoint import TrainingCheckpoint, TrainingState
from wordsight.progress import report

__all__ = [
    "NetworkTraining", "TrainingRecipe", "augment", "even_batches",
    "generator_of", "one_cycle", "repeatable",
]  # fmt: skip

MOMENTUM = 0.9
RISE = 0.3
"""Share of the training during which the learning rate rises."""

WORTH_SHARING = 1 << 20
"""Activations of the first stage for a batch, from which on several cores are faster than one: with
fewer, they wait for each other longer than they work, and very long where the machine is busy."""

_DRAWN = 1 << 20
"""Stands for the number of an epoch where initial weights are drawn."""


@dataclass(frozen=True)
class TrainingRecipe:
    """How a network is trained.

    Attributes
    ----------
    n_epochs, batch_size : int
    learning_rate : float
        At its peak.
    weight_decay : float
        Of the weights of convolutions and of the classifier; shifts and scales are left alone.
    flip : bool
        Whether half of the images are mirrored.
    crop : int
        Pixels by which images are shifted at most, up, down, left and right.
    seed : int
    """

    n_epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    flip: bool
    crop: int
    seed: int


def one_cycle(step: int, n_steps: int, peak: float) -> float:
    """Return the learning rate of a step: straight up to the peak, then straight down to zero.

    Taken in the middle of the step, so that neither the first nor the last one is wasted.

    Parameters
    ----------
    step, n_steps : int
        From 0 to n_steps − 1.
    peak : float
        Reached after 30 % of the steps.

    Returns
    -------
    float
    """
    done = (step + 0.5) / n_steps
    return peak * min(done / RISE, (1.0 - done) / (1.0 - RISE))


def even_batches(order: torch.Tensor, size: int) -> list[torch.Tensor]:
    """Cut an order of images into batches of at most `size`, as equal as can be; none is lost."""
    return list(order.tensor_split(-(-len(order) // size)))


def generator_of(seed: int, epoch: int | None = None) -> torch.Generator:
    """Return the random numbers of an epoch, or those that initial weights are drawn from."""
    entropy = [seed, _DRAWN if epoch is None else epoch]
    state = np.random.SeedSequence(entropy).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0] >> 1))


def augment(
    images: torch.Tensor, rows: torch.Tensor, recipe: TrainingRecipe, draw: torch.Generator
) -> torch.Tensor:
    """Return some images, mirrored and shifted by chance; pixels beyond the edge are mirrored ones.

    Parameters
    ----------
    images : Tensor of uint8, shape (n, height, width, 3)
    rows : Tensor of int64, shape (b,)
        Which of them.
    recipe : TrainingRecipe
    draw : Generator
        On the processor, wherever the images are: the same numbers for every device.

    Returns
    -------
    Tensor of float32, shape (b, 3, height, width)
        With the channels last in memory.
    """
    n_rows, (height, width) = len(rows), images.shape[1:3]
    down, right = torch.randint(-recipe.crop, recipe.crop + 1, (2, n_rows, 1), generator=draw)
    mirrored = torch.rand(n_rows, 1, generator=draw) < (0.5 if recipe.flip else 0.0)
    y = _reflected(torch.arange(height) + down, height)  # (b, height)
    x = _reflected(torch.arange(width) + right, width)  # (b, width)
    x = torch.where(mirrored, x.flip(1), x)
    rows, y, x = (index.to(images.device) for index in (rows, y, x))
    found = images[rows[:, None, None], y[:, :, None], x[:, None, :]]  # (b, height, width, 3)
    return found.permute(0, 3, 1, 2).float()


def _reflected(index: torch.Tensor, size: int) -> torch.Tensor:
    """Bring places beyond the edges back, mirrored at the outermost pixel."""
    index = index.abs()
    return torch.where(index < size, index, 2 * (size - 1) - index)


class NetworkTraining:
    """A network with a classifier on top of it, and the images it is trained on.

    Parameters
    ----------
    network : FeatureNetwork
    images : ndarray of uint8, shape (n, height, width, 3)
    codes : ndarray of int64, shape (n,)
        Class of each image, from 0.
    recipe : TrainingRecipe
    device : torch.device
    """

    def __init__(
        self,
        network: FeatureNetwork,
        images: NDArray[np.uint8],
        codes: NDArray[np.int64],
        recipe: TrainingRecipe,
        device: torch.device,
    ) -> None:
        with torch.device("meta"):
            head = nn.Linear(network.n_features, int(codes.max()) + 1)
        head = head.to_empty(device="cpu")
        for parameter in head.parameters():
            nn.init.zeros_(parameter)  # all classes alike: the first steps are not led astray
        self.recipe = recipe
        self.device = device
        self._network = network
        self._whole = placed(nn.Sequential(network, head), device)
        self._images = torch.from_numpy(images).to(device)
        self._codes = torch.from_numpy(codes).to(device)
        weights = [p for p in self._whole.parameters() if p.ndim > 1]
        others = [p for p in self._whole.parameters() if p.ndim <= 1]
        groups: list[dict[str, Any]] = [
            {"params": weights, "weight_decay": recipe.weight_decay},
            {"params": others},
        ]
        self._optimiser = torch.optim.SGD(
            groups,
            lr=recipe.learning_rate,
            momentum=MOMENTUM,
            nesterov=True,
        )

    @property
    def n_steps(self) -> int:
        """Batches in an epoch."""
        return -(-len(self._images) // self.recipe.batch_size)

    def run(self, checkpoint: TrainingCheckpoint | None = None) -> list[float]:
        """Train to the end; from where it was interrupted, if that was kept.

        Returns
        -------
        list of float
            Mean loss of each epoch.

        Raises
        ------
        WordsightError
            The loss is no number any more.
        """
        losses: list[float] = []
        state = None if checkpoint is None else checkpoint.load()
        if state is not None:
            losses = list(state.losses)
            self._restore(state)
        for epoch in range(len(losses), self.recipe.n_epochs):
            with repeatable(), self._cores():
                losses.append(self._run_epoch(epoch))
            if not np.isfinite(losses[-1]):
                raise WordsightError(
                    f"the network did not learn (the loss is {losses[-1]} in epoch {epoch + 1}); "
                    "use a smaller learning_rate"
                )
            if checkpoint is not None:
                checkpoint.save(self._state(losses))
        return losses

    def seconds_per_image(self, *, at_least: float = 1.0) -> float:
        """Time steps for about `at_least` seconds; return the seconds that an image takes in one.

        The network is changed by it.
        """
        rows = torch.arange(min(self.recipe.batch_size, len(self._images)))
        draw = generator_of(self.recipe.seed)
        self._whole.train()
        with repeatable(), self._cores():
            self._step(rows, 0.0, draw)  # the first one also sets things up
            self._wait()
            start, count = perf_counter(), 0
            while (spent := perf_counter() - start) < at_least or count < 2:
                self._step(rows, 0.0, draw)
                self._wait()
                count += 1
        return spent / (count * len(rows))

    def _run_epoch(self, epoch: int) -> float:
        self._whole.train()
        draw = generator_of(self.recipe.seed, epoch)
        order = torch.randperm(len(self._images), generator=draw)
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        n_all = self.n_steps * self.recipe.n_epochs
        for number, rows in enumerate(even_batches(order, self.recipe.batch_size)):
            step = epoch * self.n_steps + number
            rate = one_cycle(step, n_all, self.recipe.learning_rate)
            total += self._step(rows, rate, draw) * len(rows)
            report("training the network", step + 1, n_all)
        return float(total) / len(self._images)

    def _step(self, rows: torch.Tensor, rate: float, draw: torch.Generator) -> torch.Tensor:
        """Take one step; return the mean loss before it."""
        pixels = augment(self._images, rows, self.recipe, draw)
        # bfloat16 has the range of float32, so that gradients need no scaling
        with torch.autocast(
            self.device.type, dtype=torch.bfloat16, enabled=self.device.type == "cuda"
        ):
            logits = self._whole(pixels)
        codes = self._codes[rows.to(self.device)]
        loss = nn.functional.cross_entropy(logits.float(), codes)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._optimiser.step()
        return loss.detach().double()

    def _cores(self) -> AbstractContextManager[None]:
        """Keep small work on one core; its numbers then do not depend on how many there are."""
        pixels = self._images.shape[1] * self._images.shape[2]
        n_values = self.recipe.batch_size * pixels * self._network.n_features // 8
        return nullcontext() if n_values >= WORTH_SHARING else one_thread()

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def _momenta(self) -> Iterator[tuple[torch.nn.Parameter, torch.Tensor | None]]:
        for parameter in self._whole.parameters():
            yield parameter, self._optimiser.state[parameter].get("momentum_buffer")

    def _state(self, losses: list[float]) -> TrainingState:
        momentum = [
            (torch.zeros_like(parameter) if held is None else held).detach().cpu().flatten()
            for parameter, held in self._momenta()
        ]
        return TrainingState(
            len(losses), list(losses), weights_of(self._whole), torch.cat(momentum)
        )

    def _restore(self, state: TrainingState) -> None:
        put_weights(self._whole, state.weights)
        start = 0
        for parameter, _held in self._momenta():
            part = state.momentum[start : start + parameter.numel()].view(parameter.shape)
            held = torch.empty_like(parameter)  # in the layout of the parameter
            self._optimiser.state[parameter]["momentum_buffer"] = held.copy_(part)
            start += parameter.numel()


@contextmanager
def repeatable(*, allow_tf32: bool = True) -> Iterator[None]:
    """Keep a GPU's library from choosing algorithms by the clock, and from sums in any order."""
    with torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=allow_tf32
    ):
        yield
