import pytest

from exploration.colour_world import COLOURS, dataset, fitted
from wordsight import CrossModalClassifier
from wordsight.data.dataset import Dataset
from wordsight.exploration.gallery import Gallery


@pytest.fixture(scope="session")
def model() -> CrossModalClassifier:
    """Never changed: branch it off."""
    return fitted()


@pytest.fixture(scope="session")
def data() -> Dataset:
    """Eight images of each of five colours, in turn."""
    return dataset(list(COLOURS) * 8)


@pytest.fixture(scope="session")
def gallery(model: CrossModalClassifier, data: Dataset) -> Gallery:
    return Gallery.of(model, data)
