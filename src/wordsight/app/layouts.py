"""Where the images and words lie on the page: at once by PCA, and better when that is ready.

Principal components take milliseconds. What keeps neighbours together (t-SNE, UMAP) takes minutes
for 10,000 images; another process does that, out of the way of the page, and the result is kept on
disk under a digest of all that it depends on.
"""

import os
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from wordsight.classifiers.cross_modal import CrossModalClassifier
from wordsight.exploration.gallery import Gallery
from wordsight.exploration.layout import LayoutKind, layout, place
from wordsight.features.cache import digest_of
from wordsight.mapping.base import moved_words

__all__ = ["Layout", "Layouts"]


@dataclass(frozen=True)
class Layout:
    """Places on the plane.

    Attributes
    ----------
    kind : {"pca", "tsne", "umap"}
    points : ndarray of float32, shape (n, 2)
        Of the images.
    words : ndarray of float32, shape (m, 2)
        Of the words that were laid out with them.
    """

    kind: LayoutKind
    points: NDArray[np.float32]
    words: NDArray[np.float32]


class Layouts:
    """The layout of today, and a better one in the making.

    Parameters
    ----------
    points : ndarray, shape (n, d)
        Mapped images.
    words : ndarray, shape (m, d)
        Words among them.
    kind : {"pca", "tsne", "umap"}
        What to make; PCA is there at once.
    random_state : int
    cache : pathlib.Path or None
        The folder where layouts are kept.
    """

    def __init__(
        self,
        points: NDArray[Any],
        words: NDArray[Any],
        *,
        kind: LayoutKind = "tsne",
        random_state: int = 0,
        cache: Path | None = None,
    ) -> None:
        self._points = np.ascontiguousarray(points, dtype=np.float32)
        self._words = np.ascontiguousarray(words, dtype=np.float32)
        self._kind = kind
        self._seed = random_state
        self._folder = None if cache is None else cache / "layouts"
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self._closed = False
        self.refining = False
        self.current = Layout("pca", *layout(self._points, self._words, kind="pca"))

    @classmethod
    def of(
        cls,
        model: CrossModalClassifier,
        gallery: Gallery,
        *,
        kind: LayoutKind = "tsne",
        random_state: int = 0,
        cache: Path | None = None,
    ) -> Self:
        """Lay out the images of a gallery and the words of its model's classes."""
        words = moved_words(model.mapping_, model.word_vectors_)
        return cls(gallery.mapped, words, kind=kind, random_state=random_state, cache=cache)

    def start(self) -> None:
        """Look for the better layout, and have it made where it is not there."""
        if self._kind == "pca" or len(self._points) < 5:
            return
        found = None if self._folder is None else self._read(self._place(self._folder))
        if found is not None:
            self.current = found
            return
        self.refining = True
        self._thread = threading.Thread(target=self._refine, name="wordsight-layout", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop making the better layout, and leave nothing of it behind."""
        self._closed = True
        if self._process is not None:
            self._process.kill()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def place(self, vectors: NDArray[Any], now: Layout) -> NDArray[np.float32]:
        """Return where other words or images lie in a layout, shape (k, 2); nothing else moves."""
        everything = np.concatenate([self._points, self._words])
        return place(everything, np.concatenate([now.points, now.words]), vectors)

    def _place(self, folder: Path) -> Path:
        digest = digest_of(self._points, self._words, [self._kind, self._seed])
        return folder / f"{self._kind}-{digest}.safetensors"

    def _read(self, file: Path) -> Layout | None:
        try:
            kept = load_file(file)
        except (OSError, SafetensorError, ValueError):
            return None  # not there, or damaged: it is made again
        points, words = kept.get("points"), kept.get("words")
        shapes = (len(self._points), 2), (len(self._words), 2)
        if points is None or words is None or (points.shape, words.shape) != shapes:
            return None
        return Layout(self._kind, points, words)

    def _refine(self) -> None:
        """Have another process make the layout, and take it over."""
        try:
            with tempfile.TemporaryDirectory(prefix="wordsight-") as room:
                task = Path(room) / "task.safetensors"
                save_file({"points": self._points, "words": self._words}, task)
                folder = self._folder or Path(room)
                made = self._run(task, self._place(folder))
                if made is not None:
                    self.current = made
        except (OSError, SafetensorError):
            pass  # a full disk: the page stays with what it has
        finally:
            self.refining = False

    def _run(self, task: Path, result: Path) -> Layout | None:
        command = [
            sys.executable, "-m", "wordsight.app.refining",
            str(task), str(result), self._kind, str(self._seed),
        ]  # fmt: skip
        # one thread: the order of its sums, and so the picture, is then the same everywhere
        threads = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **threads},
            start_new_session=True,  # Ctrl-C is for this process to pass on
        )
        if self._closed:
            self._process.kill()
        return self._read(result) if self._process.wait() == 0 else None
