"""Additive statistics against NumPy in double precision."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from wordsight.compute import (
    Moments,
    RidgeFactor,
    SymmetricTiles,
    blocks,
    halving,
    merge,
    partial,
    resolve_device,
    without,
)
from wordsight.exceptions import InputError, WordsightError

Array = NDArray[np.float64]
RNG = np.random.default_rng(0)
X = RNG.normal(size=(53, 11)) @ RNG.normal(size=(11, 11)) + RNG.normal(size=11)
Y = RNG.normal(size=(53, 3))


@pytest.fixture(autouse=True, params=[4, 11, 1600])
def tile(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut 11 features into tiles of 4 + 4 + 3, into one that just fits, and into a larger one."""
    monkeypatch.setattr("wordsight.compute.TILE", request.param)


def dense(matrix: SymmetricTiles) -> Array:
    """Both halves of a matrix, by its rows of tiles, of which the lower half is meant."""
    whole = np.zeros((matrix.size, matrix.size))
    top = 0
    for row in matrix.tiles:
        beside = np.hstack([tile.double().numpy() for tile in row])
        whole[top : top + len(beside), : beside.shape[1]] = beside
        top += len(beside)
    half = np.tril(whole)
    both: Array = half + np.tril(half, -1).T
    return both


def assert_moments(moments: Moments, x: Array, y: Array, rtol: float) -> None:
    """Compare with the sums over rows x, counted from the shift, and y."""
    x = x - moments.shift.double().numpy()
    assert moments.n == len(x)
    np.testing.assert_allclose(moments.sum_x.numpy(), x.sum(0), rtol=rtol, atol=rtol * 50)
    np.testing.assert_allclose(moments.sum_y.numpy(), y.sum(0), rtol=rtol, atol=rtol * 50)
    gram = dense(moments.gram)
    np.testing.assert_allclose(gram, x.T @ x, rtol=rtol, atol=rtol * 500)
    np.testing.assert_allclose(moments.cross.numpy(), x.T @ y, rtol=rtol, atol=rtol * 500)
    if len(x):
        variance = x.var(0).mean()
        np.testing.assert_allclose(
            moments.mean_variance(), variance, rtol=rtol * 50, atol=rtol * 500
        )


# additive statistics


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-12), (np.float32, 1e-5)])
@pytest.mark.parametrize("block_size", [1, 7, 53, 2048])
def test_moments_equal_numpy(dtype: Any, rtol: float, block_size: int) -> None:
    moments = partial(X.astype(dtype), Y.astype(dtype), block_size=block_size)
    assert moments.gram.tiles[0][0].dtype == torch.float64  # of so few features
    assert_moments(moments, X, Y, rtol)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.permutations(range(53)), st.lists(st.integers(0, 53), max_size=4), st.integers(1, 60))
def test_any_split_and_order_of_rows_gives_the_same(
    order: list[int], cuts: list[int], block_size: int
) -> None:
    edges = [0, *sorted(cuts), 53]
    total: Moments | None = None
    for start, stop in pairwise(edges):
        rows = np.array(order[start:stop], dtype=np.int64)
        part = partial(X, Y, rows=rows, block_size=block_size)
        total = part if total is None else merge(total, part)
    assert total is not None
    assert_moments(total, X, Y, 1e-12)


@given(st.sets(st.integers(0, 52)))
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_taking_rows_away_undoes_adding_them(chosen: set[int]) -> None:
    rows = np.array(sorted(chosen), dtype=np.int64)
    rest = np.setdiff1d(np.arange(53), rows)
    left = without(partial(X, Y), partial(X, Y, rows=rows))
    assert_moments(left, X[rest], Y[rest], 1e-12)


def test_merging_leaves_its_parts_alone() -> None:
    a, b = partial(X[:20], Y[:20]), partial(X[20:], Y[20:])
    merge(a, b)
    without(merge(a, b), b)
    assert_moments(a, X[:20], Y[:20], 1e-12)
    assert_moments(b, X[20:], Y[20:], 1e-12)


def test_a_sum_may_take_the_place_of_its_first_part() -> None:
    a, b = partial(X[:20], Y[:20]), partial(X[20:], Y[20:])
    place = a.gram.tiles[0][0].data_ptr()
    total = merge(a, b, overwrite=True)
    assert total.gram.tiles[0][0].data_ptr() == place
    assert_moments(total, X, Y, 1e-12)
    assert_moments(b, X[20:], Y[20:], 1e-12)


def test_a_shift_changes_what_is_counted_and_not_what_is_learned() -> None:
    shift = RNG.normal(size=11) * 3
    moved, plain = partial(X, Y, shift=shift), partial(X, Y)
    assert_moments(moved, X, Y, 1e-12)
    here, there = RidgeFactor(moved, 0.1), RidgeFactor(plain, 0.1)
    np.testing.assert_allclose(here.mean_x.numpy(), X.mean(0), rtol=1e-12)
    np.testing.assert_allclose(there.mean_x.numpy(), X.mean(0), rtol=1e-12)
    B = torch.tensor(RNG.normal(size=(11, 2)))
    np.testing.assert_allclose(here.solve(B).numpy(), there.solve(B).numpy(), rtol=1e-9)


def test_features_far_from_zero_keep_their_precision() -> None:
    far = (X + 1e4).astype(np.float32)  # steps of 0.001 are all that single precision has here
    exact = np.cov(far.astype(np.float64), rowvar=False, bias=True)
    factor = RidgeFactor(partial(far, Y.astype(np.float32), shift=far.mean(0)), 0.5)
    expected = np.linalg.inv(exact + 0.5 * np.eye(11))
    solved = factor.solve(torch.eye(11, dtype=torch.float64)).numpy()
    np.testing.assert_allclose(solved, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
    np.testing.assert_allclose(factor.mean_x.numpy(), far.mean(0, dtype=np.float64), rtol=1e-7)


def test_parts_with_different_shifts_cannot_be_added() -> None:
    a, b = partial(X, Y), partial(X, Y, shift=np.ones(11))
    for call in (merge, without):
        with pytest.raises(InputError, match="counted from different points"):
            call(a, b)


def test_views_and_read_only_arrays_are_taken() -> None:
    x, y, shift = X.copy(), Y.copy(), X.mean(0)
    for array in (x, y, shift):
        array.flags.writeable = False
    assert_moments(partial(x, y, shift=shift), X, Y, 1e-12)
    assert_moments(partial(x[::-1], y[::-1]), X, Y, 1e-12)
    assert_moments(partial(np.asfortranarray(x), y), X, Y, 1e-12)
    np.testing.assert_array_equal(x, X)


def test_every_block_is_reported_once() -> None:
    counts: list[int] = []
    partial(X, Y, block_size=20, on_block=counts.append)
    assert counts == [20, 20, 13]


@pytest.mark.parametrize("size", [1, 4, 53, 100])
def test_blocks_cover_all_rows_in_order(size: int) -> None:
    cuts = list(blocks(53, size))
    assert [row for cut in cuts for row in range(53)[cut]] == list(range(53))
    assert all(0 < cut.stop - cut.start <= size for cut in cuts)
    assert list(blocks(0, size)) == []


# the factor


@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float64, 1e-10), (torch.float32, 1e-3)])
def test_the_factor_equals_numpy(dtype: torch.dtype, rtol: float) -> None:
    C = np.cov(X, rowvar=False, bias=True) + 0.3 * np.eye(11)
    L = np.linalg.cholesky(C)
    B = RNG.normal(size=(11, 4))
    factor = RidgeFactor(partial(X, Y), 0.3, dtype)
    b = torch.tensor(B)

    def close(ours: torch.Tensor, expected: NDArray[Any]) -> None:
        assert ours.dtype == dtype
        np.testing.assert_allclose(ours, expected, rtol=rtol, atol=rtol * np.abs(expected).max())

    close(factor.solve(b), np.linalg.solve(C, B))
    close(factor.whiten(b), np.linalg.solve(L, B))
    close(factor.unwhiten(b), np.linalg.solve(L.T, B))
    close(factor.unwhiten(factor.whiten(b)), np.linalg.solve(C, B))


def test_making_the_factor_leaves_the_moments_alone() -> None:
    moments = partial(X, Y)
    RidgeFactor(moments, 0.3)
    assert_moments(moments, X, Y, 1e-12)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_factor_may_take_the_place_of_the_moments(dtype: torch.dtype) -> None:
    moments, kept = partial(X, Y), partial(X, Y)
    places = {tile.data_ptr() for row in moments.gram.tiles for tile in row}
    factor = RidgeFactor(moments, 0.3, dtype, overwrite=True)
    B = torch.tensor(RNG.normal(size=(11, 2)))
    assert torch.equal(factor.solve(B), RidgeFactor(kept, 0.3, dtype).solve(B))
    assert not any(moments.gram.tiles), "what was overwritten cannot be taken for the moments"
    assert torch.equal(moments.cross, kept.cross)
    if dtype == torch.float64:  # off the diagonal the memory is the same
        below = {tile.data_ptr() for i, row in enumerate(factor._factor.tiles) for tile in row[:i]}
        assert below <= places


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_products_run_in_the_precision_of_the_other_matrix(dtype: torch.dtype) -> None:
    # whole numbers, whose sums are exact: else the two halves of a tile may differ in a last bit
    whole_numbers = RNG.integers(-8, 9, X.shape).astype(np.float32)
    gram = partial(whole_numbers, Y, shift=np.zeros(X.shape[1])).gram
    V = RNG.normal(size=(11, 3))
    rtol = 1e-13 if dtype == torch.float64 else 1e-5
    product = gram.times(torch.tensor(V, dtype=dtype))
    assert product.dtype == dtype
    whole = dense(gram)
    np.testing.assert_allclose(product, whole @ V, rtol=rtol, atol=rtol * np.abs(whole).max())


def test_a_singular_system_is_one_sentence() -> None:
    constant = np.ones((20, 3))
    with pytest.raises(WordsightError, match=r"3 × 3 system .* singular with alpha=0") as caught:
        RidgeFactor(partial(constant, Y[:20]), 0.0)
    assert "use a larger alpha" in str(caught.value)
    RidgeFactor(partial(constant, Y[:20]), 1e-6)  # which a ridge term mends


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_a_gpu_gives_the_same_sums() -> None:
    moments = partial(X, Y, device=resolve_device("cuda"))
    assert_moments(
        Moments(
            moments.n,
            moments.shift.cpu(),
            moments.sum_x.cpu(),
            moments.sum_y.cpu(),
            partial(X, Y).gram,
            moments.cross.cpu(),
        ),
        X,
        Y,
        1e-12,
    )
    B = torch.tensor(RNG.normal(size=(11, 2)))
    solved = RidgeFactor(moments, 0.1).solve(B.cuda()).cpu()
    expected = RidgeFactor(partial(X, Y), 0.1).solve(B)
    np.testing.assert_allclose(solved, expected, rtol=1e-9)


def test_work_that_does_not_fit_is_cut_in_halves() -> None:
    tried: list[int] = []

    def work(cut: slice) -> list[int]:
        tried.append(cut.stop - cut.start)
        if tried[-1] > 3:
            raise torch.OutOfMemoryError("no room")
        return list(range(cut.start, cut.stop))

    found = halving(work, 10, "counting")
    assert [row for rows in found for row in rows] == list(range(10))
    assert tried == [10, 5, 3, 3, 3, 1]


def test_memory_too_small_for_a_single_row_is_one_sentence() -> None:
    def work(cut: slice) -> None:
        raise torch.OutOfMemoryError("no room")

    with pytest.raises(WordsightError, match=r"ran out of memory while counting.*device='cpu'"):
        halving(work, 8, "counting")
