from typing import Any

from numpy.typing import NDArray

def extract_patches_2d(image: NDArray[Any], patch_size: tuple[int, int]) -> NDArray[Any]: ...
