"""Tar archives in WebDataset's layout, written."""

import io
import tarfile
from collections.abc import Iterable
from itertools import chain, count, islice
from pathlib import Path

__all__ = ["write_archives"]


def write_archives(
    folder: Path, prefix: str, images: Iterable[tuple[str, str, str, bytes]], n_images: int
) -> None:
    """Write images and their classes into ``PREFIX-000000.tar``, ``PREFIX-000001.tar`` and so on.

    Parameters
    ----------
    folder : pathlib.Path
        Where the archives are made.
    prefix : str
        What their names begin with: the split.
    images : iterable of (str, str, str, bytes)
        A key, an ending such as ``png``, the class, and the encoded image.
    n_images : int
        How many images an archive holds; the last may hold fewer.
    """
    rest = iter(images)
    for number in count():
        first = next(rest, None)
        if first is None:
            return
        path = folder / f"{prefix}-{number:06d}.tar"
        with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
            for key, ending, label, image in chain([first], islice(rest, n_images - 1)):
                _add(tar, f"{key}.{ending}", image)
                _add(tar, f"{key}.cls", label.encode())


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)  # of time 0, so that archives are the same twice
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))
