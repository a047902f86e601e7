"""A small residual network for images of 32 to 64 pixels, and its weights as one row of numbers.

Source: He, Zhang, Ren & Sun, "Deep Residual Learning for Image Recognition", CVPR 2016, in the form
of the same authors' "Identity Mappings in Deep Residual Networks", ECCV 2016: normalisation and
rectifier come before each convolution, and nothing stands between one sum and the next.
"""

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from wordsight.exceptions import InputError

__all__ = [
    "N_STAGES",
    "FeatureNetwork",
    "ResidualNetwork",
    "count_weights",
    "kernel_runs",
    "placed",
    "put_weights",
    "weights_of",
]

_Module = TypeVar("_Module", bound=nn.Module)

N_STAGES = 4
"""Each of twice the channels and half the height and width of the one before."""


class _Block(nn.Module):
    """``x + conv(relu(norm(conv(relu(norm(x))))))``; halves the image where `stride` is 2."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.first_norm = nn.BatchNorm2d(n_in)
        self.first = nn.Conv2d(n_in, n_out, 3, stride=stride, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(n_out)
        self.second = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False)
        # where the shape stays, the sum takes x itself
        self.shortcut = (
            nn.Conv2d(n_in, n_out, 1, stride=stride, bias=False)
            if n_in != n_out or stride != 1
            else None
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        active = torch.relu(self.first_norm(x))
        kept = x if self.shortcut is None else self.shortcut(active)
        found: torch.Tensor = self.second(torch.relu(self.second_norm(self.first(active))))
        return kept + found


class FeatureNetwork(nn.Module):
    """A module that makes features (b, F) of pixels (b, 3, height, width).

    Attributes
    ----------
    n_features : int
        F.
    """

    n_features: int


class ResidualNetwork(FeatureNetwork):
    """From pixels to features: a convolution, four stages of residual blocks, the mean over places.

    Parameters
    ----------
    width : int
        Channels of the first stage; the last has eight times as many.
    n_blocks : int
        Blocks a stage, of two convolutions each.
    """

    pixel_mean: torch.Tensor
    pixel_scale: torch.Tensor

    def __init__(self, width: int, n_blocks: int) -> None:
        super().__init__()
        self.register_buffer("pixel_mean", torch.zeros(1, 3, 1, 1))
        self.register_buffer("pixel_scale", torch.ones(1, 3, 1, 1))
        self.stem = nn.Conv2d(3, width, 3, padding=1, bias=False)
        blocks, n_in = [], width
        for stage in range(N_STAGES):
            n_out = width << stage
            for number in range(n_blocks):
                blocks.append(_Block(n_in, n_out, 2 if stage and not number else 1))
                n_in = n_out
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.BatchNorm2d(n_in)
        self.n_features = n_in

    @classmethod
    def empty(cls, width: int, n_blocks: int) -> "ResidualNetwork":
        """Return a network without numbers, which takes no memory and no random number."""
        with torch.device("meta"):
            return cls(width, n_blocks)

    @classmethod
    def drawn(cls, width: int, n_blocks: int, generator: torch.Generator) -> "ResidualNetwork":
        """Return a network to be trained: weights drawn as He et al. (ICCV 2015) do."""
        network = cls.empty(width, n_blocks).to_empty(device="cpu")
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", generator=generator)
            elif isinstance(module, nn.BatchNorm2d):
                module.reset_parameters()
        network.pixel_mean.zero_()
        network.pixel_scale.fill_(1.0)
        return network

    @classmethod
    def restored(cls, width: int, n_blocks: int, weights: NDArray[np.float32]) -> "ResidualNetwork":
        """Return the network of some weights, as `weights_of` gives them, ready to encode."""
        network = cls.empty(width, n_blocks).to_empty(device="cpu")
        put_weights(network, torch.from_numpy(weights))
        return network.eval()

    def standardise_pixels(self, images: NDArray[np.uint8]) -> None:
        """Learn the mean and scale of each colour from images (n, height, width, 3)."""
        # sums of whole numbers are exact in any order
        levels = np.arange(256.0)
        for colour in range(3):
            counts = np.bincount(images[..., colour].ravel(), minlength=256)
            mean = counts @ levels / counts.sum()
            variance = counts @ (levels - mean) ** 2 / counts.sum()
            self.pixel_mean[0, colour] = mean
            self.pixel_scale[0, colour] = variance**0.5 if variance > 0 else 1.0

    def has_positive_scales(self) -> bool:
        """Say whether all that is divided by, or rooted, is as a training leaves it."""
        variances = [m.running_var for m in self.modules() if isinstance(m, nn.BatchNorm2d)]
        kept = all(v is not None and bool((v >= 0).all()) for v in variances)
        return kept and bool((self.pixel_scale > 0).all())

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return features (b, 8 · width) of pixels (b, 3, height, width), 0 to 255."""
        x = self.stem((pixels - self.pixel_mean) / self.pixel_scale)
        x = torch.relu(self.norm(self.blocks(x)))
        return x.mean(dim=(2, 3))  # and no pooling layer, whose gradient a GPU sums in any order


def placed(module: _Module, device: torch.device) -> _Module:
    """Return a module on a device, its channels last in memory: convolutions are fastest so."""
    module.to(device)
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in its stubs
    return module


def _stored(module: nn.Module) -> Iterator[torch.Tensor]:
    """Yield parameters and running statistics, in their order; not the counts of batches."""
    for tensor in module.state_dict().values():
        if tensor.is_floating_point():
            yield tensor


def count_weights(module: nn.Module) -> int:
    """Count the numbers that `weights_of` returns."""
    return sum(tensor.numel() for tensor in _stored(module))


def kernel_runs(module: nn.Module) -> list[tuple[int, bool]]:
    """Say what stands where in `weights_of`: how many numbers, and whether of a convolution.

    The others are of normalisations, and the mean and scale of pixels: few, and some very small.
    """
    kernels = {id(each.weight) for each in module.modules() if isinstance(each, nn.Conv2d)}
    runs: list[tuple[int, bool]] = []
    for tensor in module.state_dict(keep_vars=True).values():
        if not tensor.is_floating_point():
            continue
        is_kernel = id(tensor) in kernels
        if runs and runs[-1][1] == is_kernel:
            runs[-1] = (runs[-1][0] + tensor.numel(), is_kernel)
        else:
            runs.append((tensor.numel(), is_kernel))
    return runs


def weights_of(module: nn.Module) -> torch.Tensor:
    """Return parameters and running statistics in one row, on the processor."""
    return torch.cat([tensor.detach().cpu().flatten() for tensor in _stored(module)])


def put_weights(module: nn.Module, weights: torch.Tensor) -> None:
    """Put a row of weights back where `weights_of` took it from.

    Raises
    ------
    InputError
        There are more or fewer than the module has.
    """
    if len(weights) != count_weights(module):
        raise InputError(
            f"{len(weights)} weights were given for a network of {count_weights(module)}; give "
            "those of a network of the same width and number of blocks"
        )
    start = 0
    for tensor in _stored(module):  # shares its memory with the module
        part = weights[start : start + tensor.numel()]
        tensor.copy_(part.view(tensor.shape))
        start += tensor.numel()
