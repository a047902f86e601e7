"""Where the images of a tar archive begin, found in one walk over its headers, and read there."""

import os
from array import array
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from wordsight.data.files import IMAGE_ENDINGS, shown
from wordsight.data.tar_members import Member, broken_archive, read_exactly, walk
from wordsight.data.webdataset_labels import LABEL_ENDINGS, Labels
from wordsight.exceptions import DataError

__all__ = ["FewOpen", "TarImages", "few_open"]

_IMAGES = frozenset(ending[1:] for ending in IMAGE_ENDINGS)
_KNOWN = _IMAGES | {*LABEL_ENDINGS}
_MOST_IMAGE_BYTES = 1 << 30
_MOST_LABEL_BYTES = 1 << 20
_MOST_OPEN = 8
"""Archives that are open at once, for rows that go back and forth between them."""


@dataclass
class TarImages:
    """Where the images of an archive are: 32 bytes and a name for each.

    Attributes
    ----------
    path : pathlib.Path
        The archive.
    size, modified : int
        Its bytes, and its time in nanoseconds, when it was indexed.
    begins : array of int, length n
        Where the first header of each image's key begins.
    offsets, sizes : array of int, length n
        Where each image begins, and how many bytes it has.
    names, ends : bytearray, array of int of length n
        All names after one another, and where each ends.
    reasons : dict of int to str
        Why an image cannot be read.
    n_ignored : int
        How many members are neither images nor labels.
    """

    path: Path
    size: int
    modified: int
    begins: "array[int]" = field(default_factory=lambda: array("q"))
    offsets: "array[int]" = field(default_factory=lambda: array("q"))
    sizes: "array[int]" = field(default_factory=lambda: array("q"))
    names: bytearray = field(default_factory=bytearray)
    ends: "array[int]" = field(default_factory=lambda: array("q"))
    reasons: dict[int, str] = field(default_factory=dict)
    n_ignored: int = 0

    @classmethod
    def indexed(
        cls, path: Path, labels: Labels, start: int = 0, n_images: int | None = None
    ) -> "TarImages":
        """Walk over an archive, or over some images of it, and note their labels."""
        with _opened(path) as file:
            status = os.fstat(file)
            made = cls(path, status.st_size, status.st_mtime_ns)
            with_image, without = array("q"), array("q")
            for key, found in made._samples(file, start):
                added = made._add(file, key, found, labels)
                (with_image if added else without).append(hash(key))
                if len(made) == n_images:
                    break
        made._refuse_twice(with_image, without)
        return made

    def __len__(self) -> int:
        return len(self.offsets)

    def name(self, row: int) -> str:
        """Name an image as it is named in the archive."""
        start = self.ends[row - 1] if row else 0
        return self.names[start : self.ends[row]].decode()

    def read(self, row: int, opened: "FewOpen") -> bytes | str:
        """Return an image, or why it cannot be read."""
        if row in self.reasons:
            return self.reasons[row]
        try:
            file = opened.get(self)
            content = os.pread(file, self.sizes[row], self.offsets[row])
        except OSError as error:
            return error.strerror or type(error).__name__
        if len(content) < self.sizes[row]:
            return "the archive ends within it"
        return content

    def _samples(self, file: int, start: int) -> Iterator[tuple[str, dict[str, Member]]]:
        """Yield key after key, with the members that share it by their endings."""
        key, found = "", dict[str, Member]()
        for member in walk(file, self.path, start):
            if member.reason == "it is a folder":
                continue
            own, ending = _key_and_ending(member.name)
            if not own:
                self.n_ignored += 1
                continue
            if own != key:
                if found:
                    yield key, found
                key, found = own, {}
            if ending in found:
                raise self._twice(member.name)
            found[ending] = member
        if found:
            yield key, found

    def _add(self, file: int, key: str, found: dict[str, Member], labels: Labels) -> bool:
        """Note the image of a key; tell whether there is one."""
        images = _of_endings(found, _IMAGES)
        if not images:
            self.n_ignored += len(found)
            return False
        if len(images) > 1:
            raise DataError(
                f"{shown(self.path)} holds several images of one key, {images[0].name} and "
                f"{images[1].name}, expected one; pack them under names of their own, without "
                "another dot"
            )
        (image,) = images
        reason = image.reason
        if not reason and image.size > _MOST_IMAGE_BYTES:
            reason = "it is larger than 1 GiB"
        if reason:
            self.reasons[len(self)] = reason
        first = min(member.begin for member in found.values())
        self.n_ignored += sum(_last(ending) not in _KNOWN for ending in found)

        def read(ending: str) -> bytes | None:
            told = _of_endings(found, (ending,))
            if len(told) != 1 or told[0].reason or told[0].size > _MOST_LABEL_BYTES:
                return None
            return read_exactly(file, self.path, told[0].offset, told[0].size)

        labels.add(key, read, lambda: f"{shown(self.path)}/{image.name}")
        self.begins.append(first)
        self.offsets.append(image.offset)
        self.sizes.append(image.size)
        self.names += image.name.encode()
        self.ends.append(len(self.names))
        return True

    def _refuse_twice(self, with_image: "array[int]", without: "array[int]") -> None:
        """Raise where a key stands in two places, by the hashes of keys: eight bytes for each."""
        keys = np.array(with_image, dtype=np.int64)
        values, counts = np.unique(keys, return_counts=True)
        # an image, and all that tells of it elsewhere
        apart = np.intersect1d(values, np.array(without, dtype=np.int64))
        wrong = np.flatnonzero(np.isin(keys, np.concatenate([values[counts > 1], apart])))
        if len(wrong):
            raise self._twice(self.name(int(wrong[0])))

    def _twice(self, name: str) -> DataError:
        return DataError(
            f"{shown(self.path)} holds the key of {name} in two places, expected members of a key "
            "once and next to each other; sort them by name when they are packed"
        )


class FewOpen:
    """Open archives, of which the one used longest ago is closed when there are too many."""

    def __init__(self) -> None:
        self._files: OrderedDict[Path, int] = OrderedDict()

    def get(self, archive: TarImages) -> int:
        """Return the descriptor of an archive, which must be as it was when it was indexed."""
        file = self._files.get(archive.path)
        if file is None:
            file = os.open(archive.path, os.O_RDONLY)
            status = os.fstat(file)
            if (status.st_size, status.st_mtime_ns) != (archive.size, archive.modified):
                os.close(file)
                raise OSError(0, "the archive was changed since it was opened")
            self._files[archive.path] = file
        self._files.move_to_end(archive.path)
        if len(self._files) > _MOST_OPEN:
            os.close(self._files.popitem(last=False)[1])
        return file

    def close(self) -> None:
        """Close all of them."""
        for file in self._files.values():
            os.close(file)


@contextmanager
def few_open() -> Iterator[FewOpen]:
    """Open archives when they are needed, and close all in the end."""
    opened = FewOpen()
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise broken_archive(path, error.strerror or type(error).__name__) from error
    try:
        yield file
    finally:
        os.close(file)


def _key_and_ending(name: str) -> tuple[str, str]:
    """Split a name at the first dot of its last part; no key where that is hidden or has no dot."""
    folder, slash, file = name.rpartition("/")
    stem, dot, ending = file.partition(".")
    return (f"{folder}{slash}{stem}", ending.lower()) if stem and dot else ("", "")


def _last(ending: str) -> str:
    return ending.rpartition(".")[2]


def _of_endings(found: dict[str, Member], endings: Iterable[str]) -> list[Member]:
    """Return the members of some endings: those without another dot, if there are any."""
    some = [ending for ending in found if _last(ending) in endings]
    plain = [ending for ending in some if "." not in ending]
    return [found[ending] for ending in plain or some]
