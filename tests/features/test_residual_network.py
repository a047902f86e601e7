"""The network by itself: its shape, its count of weights, its formula, and how it is trained."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from wordsight.compute import one_thread
from wordsight.exceptions import InputError, WordsightError
from wordsight.features.network_training import (
    NetworkTraining,
    TrainingRecipe,
    augment,
    even_batches,
    generator_of,
    one_cycle,
)
from wordsight.features.residual_network import (
    FeatureNetwork,
    ResidualNetwork,
    count_weights,
    put_weights,
    weights_of,
)

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 8, 10, 3), dtype=np.uint8)


def drawn(width: int = 3, n_blocks: int = 1) -> ResidualNetwork:
    return ResidualNetwork.drawn(width, n_blocks, generator_of(0))


def recipe(**changed: Any) -> TrainingRecipe:
    settings: dict[str, Any] = {
        "n_epochs": 2,
        "batch_size": 4,
        "learning_rate": 0.05,
        "weight_decay": 1e-3,
        "flip": False,
        "crop": 0,
        "seed": 0,
    }
    return TrainingRecipe(**{**settings, **changed})


@pytest.fixture(autouse=True)
def one_core() -> Iterator[None]:
    """Threads that wait for each other on a busy machine take longer than these networks do."""
    with one_thread():
        yield


@pytest.mark.parametrize("size", [(32, 32), (64, 64), (48, 33)])
def test_eight_features_for_each_unit_of_width_whatever_the_size(size: tuple[int, int]) -> None:
    network = drawn(4).eval()
    places: list[tuple[int, ...]] = []
    network.norm.register_forward_hook(lambda _m, given, _out: places.append(given[0].shape[2:]))
    assert network(torch.rand(2, 3, *size)).shape == (2, 32)
    # three of the four stages halve the image, rounding up
    assert places == [tuple(-(-side // 8) for side in size)]


def test_weights_are_as_many_as_the_architecture_has() -> None:
    def block(n_in: int, n_out: int) -> int:
        shortcut = n_in * n_out if n_in != n_out else 0
        return 4 * n_in + 9 * n_in * n_out + 4 * n_out + 9 * n_out * n_out + shortcut

    w = 3
    stages = block(w, w) + block(w, 2 * w) + block(2 * w, 4 * w) + block(4 * w, 8 * w)
    more = sum(block(n, n) for n in (w, 2 * w, 4 * w, 8 * w))
    ends = 6 + 27 * w + 4 * 8 * w  # colours, the first convolution, the last normalisation
    assert count_weights(ResidualNetwork.empty(w, 1)) == ends + stages
    assert count_weights(ResidualNetwork.empty(w, 2)) == ends + stages + more


def test_one_block_by_hand() -> None:
    block: Any = drawn(2).eval().blocks[0]
    x = torch.randn(1, 2, 5, 5)
    tiny = 1 / np.sqrt(1 + 1e-5)  # a normalisation that has learned nothing
    inner = nn.functional.conv2d(torch.relu(x * tiny), block.first.weight, padding=1)
    outer = nn.functional.conv2d(torch.relu(inner * tiny), block.second.weight, padding=1)
    torch.testing.assert_close(block(x), x + outer)


def test_the_gradient_is_that_of_finite_differences() -> None:
    network = drawn(2).double().train()
    pixels = torch.from_numpy(IMAGES).permute(0, 3, 1, 2).double()
    direction = torch.randn(6, 16, generator=generator_of(1), dtype=torch.float64)

    def loss() -> torch.Tensor:
        return torch.vdot(network(pixels).flatten(), direction.flatten())

    loss().backward()  # type: ignore[no-untyped-call]
    inner: Any = network.blocks[2]
    for parameter in (network.stem.weight, inner.second.weight, network.norm.bias):
        step = torch.randn(parameter.shape, generator=generator_of(2), dtype=torch.float64)
        assert parameter.grad is not None
        expected = float((parameter.grad * step).sum())
        with torch.no_grad():
            parameter.add_(1e-6 * step)
            above = float(loss())
            parameter.sub_(2e-6 * step)
            below = float(loss())
            parameter.add_(1e-6 * step)
        assert (above - below) / 2e-6 == pytest.approx(expected, rel=1e-4)


def test_weights_come_back_from_a_row_of_numbers() -> None:
    one, other = drawn(), drawn(3)
    pixels = torch.from_numpy(IMAGES).permute(0, 3, 1, 2).float()
    one.standardise_pixels(IMAGES)
    one.train()(pixels)  # moves the running statistics
    put_weights(other, weights_of(one))
    torch.testing.assert_close(other.eval()(pixels), one.eval()(pixels), rtol=0, atol=0)
    again = ResidualNetwork.restored(3, 1, weights_of(one).numpy())
    torch.testing.assert_close(again(pixels), one(pixels), rtol=0, atol=0)
    with pytest.raises(InputError, match="5 weights were given for a network of"):
        put_weights(other, torch.zeros(5))


def test_colours_are_standardised_by_their_own_mean_and_spread() -> None:
    network = drawn()
    network.standardise_pixels(IMAGES)
    pixels = IMAGES.reshape(-1, 3).astype(float)
    np.testing.assert_allclose(network.pixel_mean.flatten(), pixels.mean(0), rtol=1e-6)
    np.testing.assert_allclose(network.pixel_scale.flatten(), pixels.std(0), rtol=1e-6)
    network.standardise_pixels(np.full((1, 2, 2, 3), 7, dtype=np.uint8))
    np.testing.assert_array_equal(network.pixel_scale.flatten(), 1.0)


def test_nothing_is_taken_from_the_random_numbers_of_others() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    NetworkTraining(
        drawn(), IMAGES, np.arange(6) % 2, recipe(flip=True, crop=2), torch.device("cpu")
    ).run()
    torch.testing.assert_close(torch.rand(4), expected, rtol=0, atol=0)


# training


def test_the_learning_rate_rises_and_falls_once() -> None:
    rates = [one_cycle(step, 10, 0.7) for step in range(10)]
    expected = [0.05 / 0.3, 0.15 / 0.3, 0.25 / 0.3] + [(0.65 - 0.1 * k) / 0.7 for k in range(7)]
    np.testing.assert_allclose(rates, 0.7 * np.array(expected))


def test_batches_lose_no_image_and_are_even() -> None:
    parts = even_batches(torch.arange(10), 4)
    assert [part.tolist() for part in parts] == [[0, 1, 2, 3], [4, 5, 6], [7, 8, 9]]


def test_images_are_mirrored_and_shifted_with_mirrored_edges() -> None:
    images = torch.from_numpy(IMAGES)
    rows = torch.tensor([4, 1, 1, 3])
    plain = augment(images, rows, recipe(), generator_of(0))
    torch.testing.assert_close(plain, images[rows].permute(0, 3, 1, 2).float())
    assert plain.is_contiguous(memory_format=torch.channels_last)
    padded = np.pad(IMAGES, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="reflect")
    seen = set()
    for seed in range(40):
        found = augment(images, rows[:1], recipe(flip=True, crop=2), generator_of(seed))[0]
        places = [
            (down, right, flip)
            for down in range(5)
            for right in range(5)
            for flip in (False, True)
            if np.array_equal(
                padded[4, down : down + 8, right : right + 10][:, :: -1 if flip else 1],
                found.permute(1, 2, 0).numpy(),
            )
        ]
        assert len(places) == 1
        seen.update(places)
    assert len(seen) > 20
    assert {flip for _down, _right, flip in seen} == {False, True}


def test_a_step_is_nesterovs() -> None:
    class Line(FeatureNetwork):
        n_features = 1

        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.tensor([[2.0]]))

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return pixels.mean(dim=(2, 3))[:, :1] * self.weight

    line = Line()
    images = np.zeros((2, 1, 1, 3), dtype=np.uint8)
    images[1] = 1
    decay, peak = 0.1, 0.5
    settings = recipe(n_epochs=2, batch_size=2, learning_rate=peak, weight_decay=decay)
    training = NetworkTraining(line, images, np.array([0, 1]), settings, torch.device("cpu"))
    training.run()

    # by hand, in double precision: the classifier starts at zero, and images are 0 and 1
    w, head, bias = 2.0, np.zeros(2), np.zeros(2)
    held: list[Any] = [0.0, np.zeros(2), np.zeros(2)]
    for step in range(2):
        rate = peak * min((step + 0.5) / 2 / 0.3, (1 - (step + 0.5) / 2) / 0.7)
        logits = np.outer([0.0, w], head) + bias
        error = (np.exp(logits) / np.exp(logits).sum(1, keepdims=True) - np.eye(2)) / 2
        gradients: list[Any] = [
            error[1] @ head + decay * w,
            w * error[1] + decay * head,
            error.sum(0),  # no decay
        ]
        held = [0.9 * m + g for m, g in zip(held, gradients, strict=True)]
        moves = [g + 0.9 * m for m, g in zip(held, gradients, strict=True)]
        w, head, bias = w - rate * moves[0], head - rate * moves[1], bias - rate * moves[2]
    assert float(line.weight.detach()) == pytest.approx(w, rel=1e-5)


def test_a_loss_that_is_no_number_ends_it() -> None:
    settings = recipe(n_epochs=5, learning_rate=1e30)
    training = NetworkTraining(drawn(), IMAGES, np.arange(6) % 2, settings, torch.device("cpu"))
    with pytest.raises(WordsightError, match=r"did not learn.*smaller learning_rate"):
        training.run()
