"""Sums over features in parts, against NumPy and against the same features in one array."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from distributed.small import Workers
from wordsight.classifiers.softmax import loss_and_gradient
from wordsight.compute import Moments, partial
from wordsight.distributed.parts import PartFolder
from wordsight.distributed.rows import ClusterRows, FeaturePart
from wordsight.exceptions import WordsightError
from wordsight.rows import StoredRows, by_blocks, column_mean

SIZES = (2048, 4096, 2048, 2048, 777)
N, F = sum(SIZES), 12
RNG = np.random.default_rng(0)
X = (RNG.normal(size=(N, F)) * np.exp2(RNG.integers(-3, 3, F)) + 2.0).astype(np.float32)
CODES = RNG.integers(0, 3, N)
Y = np.eye(3, dtype=np.float32)[CODES]
SOME = np.flatnonzero(RNG.random(N) < 0.7)
OF_ONE_PART = np.arange(2048 + 5, 2048 + 40)


def rows_of(folder: Path, n_workers: int, **settings: Any) -> ClusterRows:
    kept = PartFolder(folder)
    parts = []
    for number, array in enumerate(np.split(X, np.cumsum(SIZES)[:-1])):
        file = io.BytesIO()
        np.save(file, array, allow_pickle=False)
        kept.write(f"parts/{number}", file.getvalue())
        parts.append(FeaturePart(f"parts/{number}", len(array)))
    return ClusterRows(Workers(n_workers), kept, parts, F, **settings)


@pytest.fixture(params=[1, 2, 100])
def spread(request: pytest.FixtureRequest, tmp_path: Path) -> ClusterRows:
    return rows_of(tmp_path, request.param)


def of_moments(found: Moments) -> list[NDArray[Any]]:
    arrays = [found.sum_x, found.sum_y, found.cross, found.gram.tiles[0][0]]
    return [array.numpy() for array in arrays]


def test_it_is_read_as_a_table(spread: ClusterRows) -> None:
    assert spread.shape == X.shape
    assert len(spread) == N
    np.testing.assert_array_equal(spread[:], X)
    np.testing.assert_array_equal(spread[2000:2100], X[2000:2100])
    np.testing.assert_array_equal(spread[SOME[::-7]], X[SOME[::-7]])
    np.testing.assert_array_equal(spread[CODES == 1], X[CODES == 1])


def test_it_is_read_standardised(tmp_path: Path) -> None:
    mean, scale = X.mean(0), X.std(0)
    found = rows_of(tmp_path, 2).standardised(mean, scale)
    np.testing.assert_array_equal(found[:], (X - mean) / scale)
    np.testing.assert_allclose(column_mean(found), 0.0, atol=1e-4)


def gathered(X: StoredRows, codes: NDArray[np.int64]) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    return [(X[:], codes)]


@pytest.mark.parametrize("rows", [None, SOME, OF_ONE_PART], ids=["all", "some", "of one part"])
@pytest.mark.parametrize("small", [False, True])
def test_work_meets_each_row_once_and_in_order(
    spread: ClusterRows, rows: NDArray[np.int64] | None, small: bool
) -> None:
    done: list[int] = []
    found = spread.fold(
        gathered, lambda a, b: a + b, CODES, rows=rows, small=small, on_part=done.append
    )
    chosen = np.arange(N) if rows is None else rows
    np.testing.assert_array_equal(np.concatenate([part for part, _codes in found]), X[chosen])
    np.testing.assert_array_equal(np.concatenate([codes for _part, codes in found]), CODES[chosen])
    assert sum(done) == len(chosen)


def test_of_no_row_at_all(spread: ClusterRows) -> None:
    found = spread.fold(gathered, lambda a, b: a + b, CODES, rows=np.empty(0, dtype=np.int64))
    assert [(part.shape, codes.shape) for part, codes in found] == [((0, F), (0,))]


@pytest.mark.parametrize("rows", [None, SOME], ids=["all", "some"])
def test_blocks_come_in_order(spread: ClusterRows, rows: NDArray[np.int64] | None) -> None:
    found = by_blocks(lambda x: x[:, :2] * 2.0, spread, rows)
    np.testing.assert_array_equal(found, X[slice(None) if rows is None else rows, :2] * 2.0)


@pytest.mark.parametrize("rows", [None, SOME], ids=["all", "some"])
def test_moments_are_those_of_the_array_to_the_bit(
    spread: ClusterRows, rows: NDArray[np.int64] | None
) -> None:
    shift = X.mean(0)
    found = of_moments(partial(spread, Y, shift=shift, rows=rows))
    expected = of_moments(partial(X, Y, shift=shift, rows=rows))
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    x = (X - shift)[slice(None) if rows is None else rows].astype(np.float64)
    y = Y[slice(None) if rows is None else rows].astype(np.float64)
    np.testing.assert_allclose(found[3], x.T @ x, rtol=1e-5, atol=1e-2)
    np.testing.assert_allclose(found[2], x.T @ y, rtol=1e-5, atol=1e-2)


@pytest.mark.parametrize("sums_here", [False, True])
def test_loss_and_gradient_are_those_of_the_array_to_the_bit(
    tmp_path: Path, sums_here: bool
) -> None:
    coef = torch.tensor(RNG.normal(size=(3, F)) * 0.1)
    intercept, codes = torch.zeros(3, dtype=torch.float64), torch.tensor(CODES)
    expected = loss_and_gradient(coef, intercept, X, codes, 1e-3)
    for n_workers in (1, 3):
        rows = rows_of(tmp_path / str(n_workers), n_workers, sums_here=sums_here)
        found = loss_and_gradient(coef, intercept, rows, codes, 1e-3)
        assert found[0] == expected[0]
        assert torch.equal(found[1], expected[1])
        assert torch.equal(found[2], expected[2])
    logits = X.astype(np.float64) @ coef.numpy().T
    losses = np.log(np.exp(logits).sum(1)) - logits[np.arange(N), CODES]
    plain = losses.mean() + 0.5e-3 * float((coef**2).sum())
    assert expected[0] == pytest.approx(plain, rel=1e-6)


def test_some_rows_as_a_table_of_their_own(spread: ClusterRows) -> None:
    some = spread.chosen(SOME)
    assert some.shape == (len(SOME), F)
    np.testing.assert_array_equal(some[10:20], X[SOME[10:20]])
    np.testing.assert_array_equal(by_blocks(lambda x: x[:, 0], some), X[SOME, 0])
    inside = np.arange(0, len(SOME), 3)
    found = some.fold(gathered, lambda a, b: a + b, CODES[SOME], rows=inside)
    np.testing.assert_array_equal(np.concatenate([x for x, _codes in found]), X[SOME[inside]])
    np.testing.assert_array_equal(np.concatenate([c for _x, c in found]), CODES[SOME[inside]])
    np.testing.assert_allclose(column_mean(some), X[SOME].mean(0, dtype=np.float64), rtol=1e-12)


def test_means_do_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    found = [column_mean(rows_of(tmp_path / str(n), n)) for n in (1, 2, 100)]
    for one in found[1:]:
        np.testing.assert_allclose(one, found[0], rtol=1e-15)
    np.testing.assert_allclose(found[0], X.mean(0, dtype=np.float64), rtol=1e-12)


def test_a_part_that_is_gone_is_told(spread: ClusterRows, tmp_path: Path) -> None:
    (tmp_path / "parts" / "3").unlink()
    with pytest.raises(WordsightError, match=r"parts/3 cannot be read: .*; give the same command"):
        by_blocks(lambda x: x[:, 0], spread)
