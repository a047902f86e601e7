"""Images in tar archives, laid out as WebDataset does.

Members that belong together stand next to each other and share a key, the part of their names
before the first dot of the last part: ``cat/0001.jpg``, ``cat/0001.cls``. Archives are read where
they lie: one walk over the headers finds where each image begins, and each is read from there.
"""

import glob
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wordsight.data import split_files
from wordsight.data.files import find_images, shown
from wordsight.data.part import Part, absolute_root, common_root, runs_of_rows
from wordsight.data.source import Item, Source
from wordsight.data.tar_images import TarImages, few_open
from wordsight.data.webdataset_labels import Labels, find_class_names
from wordsight.exceptions import BrokenImageError, InputError
from wordsight.progress import report

__all__ = ["WebDatasetSource", "is_webdataset", "matching", "splits"]

_ENDING = ".tar"
_MOST_ARCHIVES = 1_000_000
_BRACES = re.compile(
    r"\{(?:(?P<first>\d{1,15})\.\.(?P<last>\d{1,15})|(?P<choices>[^{}]*,[^{}]*))\}"
)


def is_webdataset(path: str | os.PathLike[str]) -> bool:
    """Whether `path` is an uncompressed tar archive, or a folder with archives but no image files.

    CIFAR archives are told apart before.
    """
    path = Path(path)
    if path.is_dir():
        if find_images(path, first_only=True)[0]:
            return False
        return any(True for _ in split_files.find_files(path, _ENDING))
    return path.is_file() and path.suffix.lower() == _ENDING


def splits(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Name the splits of an archive or folder, as `split_files.files_by_split` tells them."""
    found = split_files.files_by_split(Path(path), _ENDING)
    return tuple(dict.fromkeys(split for split, _ in found if split))


class WebDatasetSource(Source):
    """Images of one split, or of all, in uncompressed tar archives.

    An image is a member with an image's ending, ``KEY.jpg``. Its class is what ``KEY.cls`` or
    ``KEY.label`` holds, a whole number or a name; else ``label`` or ``class`` in ``KEY.json``; else
    ``KEY.txt``, where every image has one that could be a class name (otherwise they are taken for
    captions). Where no member tells a class, the folder within the key does (``cat/0001.jpg``), if
    every image has one and there are several. Where all labels are numbers, their names are taken
    from ``classes.txt``, ``classnames.txt`` or ``dataset_info.json`` beside the archives, or beside
    the folder of their split; without these, numbers become their decimal strings.

    Links and devices with an image's ending are images that cannot be read. Nothing is extracted.

    Parameters
    ----------
    path : path-like, or sequence of path-like
        An archive, a folder of them, or archives in the order in which they are read.
    split : str or None
        One of `splits`; None takes all archives, one split after the other.

    Raises
    ------
    InputError
        There is no such path or split, or the folder holds several data sets.
    DataError
        An archive is truncated or corrupt, a key stands twice or has several images, or some images
        have no label while others have.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        split: str | None = None,
    ) -> None:
        root, files = _chosen(path, split)
        labels = Labels()
        archives = []
        for number, file in enumerate(files):
            archives.append(TarImages.indexed(file, labels))
            report("reading the headers of archives", number + 1, len(files))
        self._hold(root, archives)
        near = [root, files[0].parent]
        if files[0].parent.name.lower() in split_files.KNOWN_SPLITS:
            near.append(files[0].parent.parent)
        self._names = find_class_names(near)
        self.class_labels, self.class_names = labels.settle(self._names, self._place)
        self._rule = labels.rule
        self._names = self._names if labels.numbered else None

    @classmethod
    def of_part(cls, part: Part) -> "WebDatasetSource":
        """Open the stretches of archives that a part names, and walk over nothing else.

        Parameters
        ----------
        part : Part
            What `part` told of a source, perhaps in another process.

        Raises
        ------
        DataError
            The files are not what they were.
        """
        rule, names = part.details["labels"], part.details["names"]
        labels = Labels(rule, known=True)
        archives = [
            TarImages.indexed(Path(file), labels, *stretch)
            for file, stretch in zip(part.files, part.details["stretches"], strict=True)
        ]
        source = cls.__new__(cls)
        source._hold(Path(part.root), archives)
        source.class_labels, source.class_names = labels.settle(names, source._place)
        source._rule, source._names = rule, names
        return source

    def _hold(self, root: Path, archives: list[TarImages]) -> None:
        self._root, self._archives = root, archives
        self._starts = np.cumsum([0, *map(len, archives)], dtype=np.int64)
        self._shown = [shown(one.path.relative_to(root).as_posix()) for one in archives]
        self.n_ignored = sum(one.n_ignored for one in archives)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def name(self, row: int) -> str:
        """Name an image by its archive and its name there: ``train-0000.tar/cat/0001.jpg``."""
        number = int(np.searchsorted(self._starts[1:], row, side="right"))
        within = self._archives[number].name(row - int(self._starts[number]))
        return f"{self._shown[number]}/{within}"

    def _place(self, row: int) -> str:
        return shown(self._root / self.name(row))

    def borders(self) -> NDArray[np.int64]:
        """Return where each archive begins."""
        return self._starts[:-1]

    def part(self, rows: NDArray[np.int64]) -> Part:
        """Name the stretches of archives that hold `rows`."""
        of_row = np.searchsorted(self._starts[1:], rows, side="right")
        within = rows - self._starts[of_row]
        paths, stretches, stored = [], [], np.empty_like(rows)
        n_stored = 0
        for number in np.unique(of_row).tolist():
            here = of_row == number
            first, last = int(within[here].min()), int(within[here].max())
            stored[here] = within[here] - first + n_stored
            n_stored += last + 1 - first
            paths.append(self._archives[number].path.relative_to(self._root).as_posix())
            stretches.append([self._archives[number].begins[first], last + 1 - first])
        root = os.path.join(self._root, "")  # noqa: PTH118 - ends with a slash
        return Part(
            kind="webdataset",
            root=absolute_root(root),
            given_root=root,
            paths=tuple(paths),
            n_stored=n_stored,
            rows=runs_of_rows(stored),
            labels=None,
            details={
                "stretches": stretches,
                "labels": self._rule,
                "names": None if self._names is None else list(self._names),
            },
        )

    def read(self, rows: NDArray[np.int64]) -> Iterator[Item]:
        """Yield the encoded images of `rows` in the order given."""
        rows = np.asarray(rows, dtype=np.int64)
        if rows.size and (rows.min() < 0 or rows.max() >= len(self)):
            raise InputError(
                f"rows {rows.min()} to {rows.max()} are asked for, of {len(self)} rows; ask for "
                f"rows from 0 to {len(self) - 1}"
            )
        numbers = np.searchsorted(self._starts[1:], rows, side="right")
        within = rows - self._starts[numbers]
        with few_open() as opened:
            for row, number, place in zip(
                rows.tolist(), numbers.tolist(), within.tolist(), strict=True
            ):
                item = self._archives[number].read(place, opened)
                yield BrokenImageError(self.name(row), item) if isinstance(item, str) else item


def matching(pattern: str) -> list[Path]:
    """Return the archives that a pattern names, such as ``a-{000..012}.tar``; none if it is none.

    Parameters
    ----------
    pattern : str
        Of braces with a range of numbers, as wide as the first of them, or with alternatives, and
        of ``*``, ``?`` and ``[...]``, which match what is there.

    Returns
    -------
    list of Path
        In the order of the braces; what matches there is sorted.

    Raises
    ------
    InputError
        The braces stand for more than a million archives.
    """
    if not pattern.lower().endswith(_ENDING):
        return []
    found: list[str] = []
    for text in islice(_without_braces(pattern), _MOST_ARCHIVES + 1):
        found += sorted(glob.glob(text)) if glob.has_magic(text) else [text]  # noqa: PTH207
    if len(found) > _MOST_ARCHIVES:
        raise InputError(
            f"{shown(pattern)} stands for more than {_MOST_ARCHIVES} archives; name fewer"
        )
    return list(map(Path, found)) if found != [pattern] else []


def _without_braces(pattern: str) -> Iterator[str]:
    braces = _BRACES.search(pattern)
    if braces is None:
        yield pattern
        return
    before, after = pattern[: braces.start()], pattern[braces.end() :]
    if braces["first"]:
        width = len(braces["first"])
        numbers = range(int(braces["first"]), int(braces["last"]) + 1)
        choices: Iterable[str] = (f"{number:0{width}}" for number in numbers)
    else:
        choices = braces["choices"].split(",")
    for choice in choices:
        yield from _without_braces(f"{before}{choice}{after}")


def _chosen(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], split: str | None
) -> tuple[Path, list[Path]]:
    """Return the folder that archives are named from, and those of a split."""
    if not isinstance(path, str | os.PathLike):
        files = list(map(Path, path))
        if any(file.is_absolute() for file in files):
            files = [file.absolute() for file in files]
        for file in files:
            if not file.is_file():
                raise InputError(f"there is no file {shown(file)}; check the path")
        return Path(common_root([os.fspath(file) for file in files])[0]), files
    root = Path(path)
    found = split_files.files_by_split(root, _ENDING)
    files = [file for name, file in found if split in (None, name)]
    if not files:
        known = ", ".join(splits(root)) or "none; read it without naming a split"
        raise InputError(f"{root} has no split {split!r}; its splits are: {known}")
    return (root if root.is_dir() else root.parent), files
