"""All that the routes of one explorer share: the session, where images lie, and what was made."""

import io
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wordsight.app.answers import ClassifyAnswer, ExplainAnswer, PreviewAnswer
from wordsight.app.bodies import UploadRoom
from wordsight.app.layouts import Layouts
from wordsight.app.pictures import PictureCache, png
from wordsight.app.session import NotThereError, Session, State
from wordsight.app.views import explained_view, gate_view, map_view, preview_view, word_view
from wordsight.app.work import WorkQueue
from wordsight.data.decoding import FORMATS
from wordsight.exploration.explaining import explain

__all__ = ["Explorer"]

N_NEAR = 12
"""How many near words and images are named."""

UPLOADS_AT_ONCE = 4
"""So many of the longest pictures may lie in memory together, or more that are shorter."""


@dataclass
class Explorer:
    """One running explorer.

    Parameters
    ----------
    session : Session
    layouts : Layouts or None
        Of the session's images; None where there are none.
    queue : WorkQueue
        For what needs the model.
    picture_queue : WorkQueue
        For images of the data, which may be large until they are made small.
    """

    session: Session
    layouts: Layouts | None = None
    queue: WorkQueue = field(default_factory=WorkQueue)
    picture_queue: WorkQueue = field(default_factory=lambda: WorkQueue(n_threads=2))

    def __post_init__(self) -> None:
        self.uploads = UploadRoom(UPLOADS_AT_ONCE * self.session.limits.upload_bytes)
        self._pictures = PictureCache(self._picture)
        self._made: dict[str, tuple[Any, bytes]] = {}
        self._making = threading.Lock()

    def close(self) -> None:
        """End the work in the background."""
        self.queue.close()
        self.picture_queue.close()
        if self.layouts is not None:
            self.layouts.close()

    def map(self, since: str | None = None) -> bytes | None:
        """Return the semantic map as JSON; None while it is still of the kind `since`."""
        state = self.session.state
        state.images()
        assert self.layouts is not None
        layouts = self.layouts
        refining, kind = layouts.refining, layouts.current.kind
        if since == kind and refining:
            return None
        key = (state.revision, state.threshold, kind, refining)
        return self._once("map", key, lambda: map_view(state, layouts, self.session.model))

    def gate(self) -> bytes:
        """Return the gate's view as JSON."""
        state = self.session.state
        return self._once("gate", (state.revision, state.threshold), lambda: gate_view(state))

    def picture(self, i: int) -> tuple[bytes, str]:
        """Return image i as a PNG file, and its digest."""
        self.check_image(i)
        return self._pictures.get(i)

    def check_image(self, i: int) -> State:
        """Return the present state, which has an image i."""
        state = self.session.state
        n_images = len(state.images().rows)
        if not 0 <= i < n_images:
            raise NotThereError(f"there is no image {i}; there are {n_images}, counted from 0")
        return state

    def classify(self, encoded: bytes) -> ClassifyAnswer:
        """Say what is in a dropped picture."""
        start = perf_counter()
        state = self.session.state
        explained = explain(state.model, encoded, state.gallery, k=N_NEAR)
        place = None
        if self.layouts is not None:
            place = self.layouts.place(explained.recognition.mapped, self.layouts.current)[0]
        with Image.open(io.BytesIO(encoded), formats=FORMATS) as image:  # known to be sound by now
            size = image.size
        return _with_picture(explained_view(state, explained), size, place, start)

    def classify_one(self, i: int) -> ClassifyAnswer:
        """Say what is in an image of the data, which has been looked at already."""
        start = perf_counter()
        state = self.check_image(i)
        assert self.layouts is not None
        height, width = state.images().image(i).shape[:2]
        explained = explain(state.model, i, state.gallery, k=N_NEAR)
        place = self.layouts.current.points[i]
        return _with_picture(explained_view(state, explained), (width, height), place, start)

    def preview(self, name: str, description: str | None) -> PreviewAnswer:
        """Say what a new class would take; without images, what its neighbours are."""
        state = self.session.state
        if state.gallery is None or name in state.classes:
            return word_view(state, self.session.look_up(name, description))
        return preview_view(state, self.session.preview(name, description))

    def _picture(self, i: int) -> bytes:
        return png(self.session.state.images().image(i))

    def _once(self, view: str, key: Any, make: Callable[[], Any]) -> bytes:
        """Return a view as JSON, which takes a tenth of a second to make and is asked for often."""
        with self._making:
            known, text = self._made.get(view, (None, b""))
            if known != key:
                text = json.dumps(make(), allow_nan=False, separators=(",", ":")).encode()
                self._made[view] = key, text
            return text


def _with_picture(
    said: ExplainAnswer, size: tuple[int, int], place: NDArray[np.float32] | None, start: float
) -> ClassifyAnswer:
    width, height = size
    x, y = (None, None) if place is None else map(float, place)
    spent = round(1000 * (perf_counter() - start), 1)
    return {"width": width, "height": height, **said, "x": x, "y": y, "milliseconds": spent}
