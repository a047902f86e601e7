"""A model of colours: features are mean colours, words are corners of the colour cube."""

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from starlette.testclient import TestClient

from wordsight import CrossModalClassifier, EncodedFeatures, LinearMap, WordVectors, open_dataset
from wordsight.app.access import Access
from wordsight.app.server import create_app
from wordsight.app.serving import listen, server_of
from wordsight.app.session import Session
from wordsight.exploration.gallery import Gallery

ADDRESS = "http://127.0.0.1:8642"
COLOURS = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "cyan": (0, 255, 255),
}
SEEN = ("blue", "green", "red")
SHOWN = ("blue", "cyan", "green", "red", "yellow")
"""Classes of the data, five pictures each; cyan is no class of the model."""
N_OF_EACH = 5
SIDE = 8


def words() -> WordVectors:
    """Each colour's word is its corner of the cube; `dark` has a word that is no corner."""
    corners = np.array(list(COLOURS.values())) / 255
    return WordVectors([*COLOURS, "dark"], np.vstack([corners, [0.1, 0.2, 0.3]]))


def mean_colour(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    means: NDArray[np.float32] = images.mean(axis=(1, 2), dtype=np.float32) / 255
    return means


def solid(
    name: str, n_images: int, seed: int, off: tuple[int, int] = (15, 25)
) -> NDArray[np.uint8]:
    """Pictures of one colour each, a little off."""
    draw = np.random.default_rng(seed)
    by = draw.integers(*off, size=(n_images, 1, 1, 3))
    colour = np.array(COLOURS[name])
    pixels = np.where(colour > 0, colour - by, by)
    return np.broadcast_to(pixels, (n_images, SIDE, SIDE, 3)).astype(np.uint8)


@pytest.fixture(scope="session")
def model() -> CrossModalClassifier:
    """Knows red, green and blue by images, yellow by name. Never changed."""
    X = np.concatenate([solid(name, 30, seed, off=(0, 40)) for seed, name in enumerate(SEEN)])
    model = CrossModalClassifier(
        words(),
        ["yellow"],
        features=EncodedFeatures(mean_colour, standardise=False),
        mapping=LinearMap(alpha=1e-6),
        random_state=0,
    )
    return model.fit(X, np.repeat(SEEN, 30))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pictures, and one that is broken."""
    folder = tmp_path_factory.mktemp("colours")
    for name in SHOWN:
        (folder / name).mkdir()
        for number, pixels in enumerate(solid(name, N_OF_EACH, seed=7)):
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    (folder / "blue" / "broken.png").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="session")
def gallery(model: CrossModalClassifier, folder: Path) -> Gallery:
    return Gallery.of(model, open_dataset(folder))


@pytest.fixture
def session(model: CrossModalClassifier, gallery: Gallery, tmp_path: Path) -> Session:
    return Session(model, "colours", gallery=gallery, data_name="folder", save_to=tmp_path)


@pytest.fixture
def client(session: Session) -> Iterator[TestClient]:
    with TestClient(create_app(session), base_url=ADDRESS) as client:
        yield client


@pytest.fixture
def without_data(model: CrossModalClassifier, tmp_path: Path) -> Iterator[TestClient]:
    """An explorer of a model alone."""
    app = create_app(Session(model, "colours", save_to=tmp_path))
    with TestClient(app, base_url=ADDRESS) as client:
        yield client


@contextmanager
def running(session: Session, access: Callable[[str, int], Access] = Access.to) -> Iterator[Access]:
    """Run an explorer on a port of its own, and say who may come."""
    with listen("127.0.0.1", 0) as taken:
        to = access("127.0.0.1", taken.getsockname()[1])
        server = server_of(create_app(session, access=to))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]})
        thread.start()
        try:
            yield to
        finally:
            server.should_exit = True
            thread.join(timeout=30)
            assert not thread.is_alive()


def picture(name: str = "red") -> bytes:
    """A picture of one colour, as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(solid(name, 1, seed=11)[0]).save(buffer, "PNG")
    return buffer.getvalue()


def json_of(reply: Any, status: int = 200) -> Any:
    assert reply.status_code == status, reply.text
    return reply.json()
