"""Very many unseen classes: what passes by in blocks is what the whole table says."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.special import logsumexp

import wordsight as ws
import wordsight.classifiers.cross_modal
from wordsight import leading as leading_module
from wordsight.classifiers.many_classes import ManyClasses
from wordsight.classifiers.recognition import Recognition
from wordsight.exceptions import InputError

RNG = np.random.default_rng(0)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks so small that a few points and classes are several."""
    monkeypatch.setattr(leading_module, "_POINTS", 3)
    monkeypatch.setattr(leading_module, "_CLASSES", 4)


def sorted_out(table: NDArray[Any], k: int) -> NDArray[np.int64]:
    """The k largest of each row, the first of equal ones first: written plainly."""
    rows = [sorted(range(len(row)), key=lambda c, row=row: (-row[c], c))[:k] for row in table]  # type: ignore[misc]
    return np.array(rows)


# the classifiers alone


@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 8),
    n_classes=st.integers(1, 30),
    k=st.integers(1, 35),
    d=st.integers(1, 5),
    whole=st.booleans(),
    variance=st.sampled_from([1e-3, 0.3, 1.0, 50.0]),
)
@settings(max_examples=300, deadline=None)
def test_blocks_of_gaussians_say_what_the_table_says(
    seed: int, n: int, n_classes: int, k: int, d: int, whole: bool, variance: float
) -> None:
    draw = np.random.default_rng(seed)
    # whole numbers: many classes are equally near, and to the last bit
    make = (lambda m: draw.integers(-2, 3, (m, d)) / 2) if whole else (lambda m: draw.normal(size=(m, d)))
    W, S = make(n_classes), make(n)
    part = ws.WordGaussians(variance).fit(W, np.arange(n_classes))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leading_module, "_POINTS", 3)
        patch.setattr(leading_module, "_CLASSES", 4)
        found = part.top_k(S, k)
    expected = sorted_out(-cdist(S, W, "sqeuclidean"), k)
    np.testing.assert_array_equal(found.columns, expected)
    proba = np.take_along_axis(part.predict_proba(S), expected, axis=1)
    np.testing.assert_allclose(found.proba, proba, rtol=1e-10, atol=1e-300)
