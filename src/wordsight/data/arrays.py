"""Images in arrays: in memory, in a ``.npy`` file, or in a ``.npz`` archive.

Nothing is unpickled, so arrays of Python objects are refused. A ``.npy`` file, and an image array
that a ``.npz`` archive holds uncompressed (as `numpy.savez` writes it), is mapped, not loaded.
"""

import os
import struct
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wordsight.data.class_labels import ClassLabels
from wordsight.data.decoding import pixels_to_rgb
from wordsight.data.files import shown
from wordsight.data.part import Part, part_of_file
from wordsight.data.source import Item, Source
from wordsight.exceptions import DataError, InputError

__all__ = ["ARRAY_ENDINGS", "ArraySource", "is_array_file", "open_array_file"]

ARRAY_ENDINGS = (".npy", ".npz")
_IMAGE_KEYS = ("images", "x", "X", "data")
_LABEL_KEYS = ("labels", "y")
_LOCAL_HEADER_SIZE = 30
_BROKEN = (
    OSError, ValueError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error, struct.error,
    # NumPy reads the header as Python
    TokenError, SyntaxError, TypeError, KeyError, IndexError, OverflowError,
)  # fmt: skip


class ArraySource(Source):
    """Images in one array.

    Parameters
    ----------
    images : ndarray, shape (n, h, w), (n, h, w, 1), (n, h, w, 3) or (n, h, w, 4)
        Grey, RGB or RGBA (shown over white), uint8 or uint16. A memory-mapped array stays on
        disk; rows are read as they are asked for.
    labels : array-like of int or str, shape (n,) or (n, 1), optional
        Class names, or numbers: indices into `class_names` where these are given, and otherwise
        names made of digits.
    class_names : sequence of str, optional
        All classes; by default those that occur, sorted (numbers by value).
    name : str, default "array"
        What to call the array; image 17 is then called ``array#17``.
    path : path-like, optional
        The file that `open_array_file` finds the images in again.

    Raises
    ------
    InputError
        A shape or number type is wrong, or labels and images or classes do not fit together.
    """

    def __init__(
        self,
        images: NDArray[Any],
        labels: ArrayLike | None = None,
        class_names: Sequence[str] | None = None,
        *,
        name: str = "array",
        path: str | os.PathLike[str] | None = None,
    ) -> None:
        _check_images(images, name)
        self._path = path
        self._images = images
        self._name = name
        self.class_labels = None
        self.class_names = _checked_class_names(class_names)
        if labels is not None:
            given = _checked_labels(labels, len(images))
            self.class_labels, self.class_names = _named(given, self.class_names)

    def __len__(self) -> int:
        return len(self._images)

    def name(self, row: int) -> str:
        """Name a row by the array and its index: ``array#17``."""
        return f"{self._name}#{row}"

    def read(self, rows: NDArray[np.int64]) -> Iterator[Item]:
        """Yield one image after the other as RGB."""
        for row in rows.tolist():
            yield pixels_to_rgb(np.asarray(self._images[row]), None, self.name(row))

    def part(self, rows: NDArray[np.int64]) -> Part | None:
        """Name the file and tell the labels, which may have come from elsewhere."""
        if self._path is None:
            return None
        labels = None if self.class_labels is None else self.class_labels.take(rows).runs()
        return part_of_file("array", self._path, len(self), rows, labels=labels)


def is_array_file(path: str | os.PathLike[str]) -> bool:
    """Tell whether a path ends as a NumPy file does."""
    return Path(path).suffix.lower() in ARRAY_ENDINGS


def open_array_file(
    path: str | os.PathLike[str],
    labels: ArrayLike | None = None,
    class_names: Sequence[str] | None = None,
    *,
    name: str | None = None,
    with_labels: bool = True,
) -> ArraySource:
    """Open images in a ``.npy`` or ``.npz`` file.

    Parameters
    ----------
    path : path-like
        ``NAME.npy`` holds the images; where ``NAME_labels.npy`` lies beside it, that holds the
        labels. An archive ``NAME.npz`` holds the images as ``images``, ``x``, ``X`` or ``data``,
        and the labels, if any, as ``labels`` or ``y``.
    labels : array-like, optional
        Labels to take instead.
    class_names : sequence of str, optional
        As for `ArraySource`.
    name : str, optional
        What to call the array; the path by default.
    with_labels : bool, default True
        Whether to look for labels, where none are given.

    Returns
    -------
    ArraySource
        The images, memory-mapped where the file allows it.

    Raises
    ------
    InputError
        There is no such file, or what it holds cannot be images.
    DataError
        The file is truncated or corrupt.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError(f"there is no file {shown(file)}; name a .npy or .npz file")
    wanted = with_labels and labels is None
    stored: NDArray[Any] | None
    if file.suffix.lower() == ".npz":
        images, stored = _read_archive(file, wanted)
    else:
        beside = file.with_name(f"{file.stem}_labels.npy")
        images = _read_npy(file)
        stored = _read_npy(beside) if wanted and beside.is_file() else None
    chosen = stored if labels is None else labels
    return ArraySource(images, chosen, class_names, name=name or shown(file), path=file)


def _read_npy(file: Path) -> NDArray[Any]:
    try:
        with file.open("rb") as stream:
            _refuse_objects(_npy_header(stream)[2], shown(file))
        if file.stat().st_size == 0:
            raise ValueError("it is empty")
        loaded: NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False)
    except InputError:
        raise
    except _BROKEN as error:
        raise _broken(file, error) from error
    return loaded


def _read_archive(file: Path, labels_wanted: bool) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Return the images and labels of a ``.npz`` archive."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            key = next((key for key in _IMAGE_KEYS if key in members), None)
            if key is None:
                raise InputError(
                    f"{shown(file)} holds {', '.join(members) or 'nothing'}; the images must be "
                    f"named {', '.join(_IMAGE_KEYS[:-1])} or {_IMAGE_KEYS[-1]}: rename them"
                )
            images = _read_member(file, archive, members[key])
            label_key = next((key for key in _LABEL_KEYS if key in members), None)
            if label_key is None or not labels_wanted:
                return images, None
            return images, _read_member(file, archive, members[label_key])
    except InputError:
        raise
    except (*_BROKEN, NotImplementedError, RuntimeError) as error:  # odd compression, a password
        raise _broken(file, error) from error


def _read_member(file: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    """Map a stored member; load a compressed one."""
    with archive.open(info) as stream:
        shape, fortran_order, dtype = _npy_header(stream)
        header_size = stream.tell()
        _refuse_objects(dtype, f"{info.filename} in {shown(file)}")
        if info.compress_type != zipfile.ZIP_STORED or 0 in shape or shape == ():
            stream.seek(0)
            loaded: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
            return loaded
    with file.open("rb") as raw:
        raw.seek(info.header_offset)
        # the name and the extra field may differ in length from those in the directory
        name_size, extra_size = struct.unpack("<HH", raw.read(_LOCAL_HEADER_SIZE)[26:])
    start = info.header_offset + _LOCAL_HEADER_SIZE + name_size + extra_size + header_size
    order: Any = "F" if fortran_order else "C"
    if info.file_size - header_size < dtype.itemsize * int(np.prod(shape, dtype=object)):
        raise ValueError(f"{info.filename} is shorter than its header says")
    return np.memmap(file, dtype=dtype, mode="r", offset=start, shape=shape, order=order)


def _npy_header(stream: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Read the header of the ``.npy`` format: shape, Fortran order, number type."""
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(stream)
    return np.lib.format.read_array_header_2_0(stream)


def _refuse_objects(dtype: np.dtype[Any], name: str) -> None:
    if dtype.hasobject:
        raise InputError(
            f"{name} holds Python objects, which are not read for safety; save a plain array of "
            "numbers or strings"
        )


def _broken(file: Path, error: Exception) -> DataError:
    said = " ".join(str(error).split())[:120] or type(error).__name__
    return DataError(
        f"{shown(file)} is truncated, corrupt or not a NumPy file ({said}); save it again"
    )


def _check_images(images: NDArray[Any], name: str) -> None:
    """Refuse what cannot be images, before any is read."""
    shape = images.shape
    if not (images.ndim == 3 or (images.ndim == 4 and shape[-1] in (1, 3, 4))):
        hint = ""
        if images.ndim == 4 and shape[1] in (1, 3, 4):
            hint = ": its channels come first, so give images.transpose(0, 2, 3, 1)"
        raise InputError(
            f"{name} has shape {shape}; images have (n, height, width), optionally with a last "
            f"axis of 1, 3 or 4 channels{hint}"
        )
    if len(images):
        pixels_to_rgb(np.zeros(shape[1:], dtype=images.dtype), None, name)


def _checked_class_names(class_names: Sequence[str] | None) -> tuple[str, ...]:
    names = tuple(class_names or ())
    if isinstance(class_names, str) or not all(isinstance(name, str) for name in names):
        raise InputError(f"class_names is {class_names!r}; give a list of strings")
    # composed Unicode, as the names of folders are
    composed = Counter(unicodedata.normalize("NFC", name) for name in names)
    repeated = sorted(name for name, n in composed.items() if n > 1)
    if repeated:
        raise InputError(
            f"class_names holds {repeated[0]!r} twice; give every class a name of its own"
        )
    return tuple(composed)


def _checked_labels(labels: ArrayLike, n_images: int) -> NDArray[Any]:
    """Return labels of int or str, one for each image."""
    given = np.asarray(labels)
    if given.dtype == np.object_ and all(isinstance(label, str) for label in given.flat):
        given = given.astype(np.str_)
    if given.ndim == 2 and given.shape[1] == 1:  # a column, as some libraries store them
        given = given[:, 0]
    if given.shape != (n_images,):
        raise InputError(
            f"labels have shape {given.shape} for {n_images} images; give one for each"
        )
    if given.dtype.kind == "S":
        try:
            given = np.char.decode(given, "utf-8")
        except UnicodeDecodeError as error:
            raise InputError(
                f"the label {error.object!r} is not valid UTF-8; write labels as text"
            ) from error
    if given.dtype.kind not in "iuU" and n_images:
        raise InputError(f"labels are {given.dtype}; give class names or whole numbers")
    return given


def _named(
    given: NDArray[Any], class_names: tuple[str, ...]
) -> tuple[ClassLabels, tuple[str, ...]]:
    """Turn labels into class names; return them and all classes."""
    found, inverse = np.unique(given, return_inverse=True)
    if given.dtype.kind == "U":
        names = [unicodedata.normalize("NFC", str(value)) for value in found]
        unknown = [name for name in names if class_names and name not in class_names]
        if unknown:
            raise InputError(
                f"the label {unknown[0]!r} is not among class_names; add it there, or mend "
                "the label"
            )
    elif class_names:
        if len(found) and not 0 <= found[0] <= found[-1] < len(class_names):
            raise InputError(
                f"labels run from {found[0]} to {found[-1]}, but {len(class_names)} class_names "
                f"are given; expected 0 to {len(class_names) - 1}"
            )
        names = [class_names[int(value)] for value in found]
    else:
        names = [str(value) for value in found]
    labels = ClassLabels.coded(names, inverse.reshape(-1))
    return labels, class_names or tuple(sorted(set(names)) if given.dtype.kind == "U" else names)
