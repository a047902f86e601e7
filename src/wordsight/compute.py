"""How big work is cut up: devices, blocks of rows, worker threads and additive statistics.

Everything that sums over images is additive: `partial` makes the statistics of one block of rows,
`merge` adds two of them, `without` takes one away, and a solver needs only the total. One machine,
many cores and many machines run the same three functions.
"""

import functools
import logging
import math
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from wordsight.exact_sums import grid_of, on_grid_, on_outer_grid_, powers_of_two
from wordsight.exceptions import InputError, WordsightError
from wordsight.rows import READ, SpreadRows, StoredRows, cuts, take
from wordsight.threads import n_threads

__all__ = [
    "Moments",
    "RidgeFactor",
    "SymmetricTiles",
    "blocks",
    "column_bounds",
    "halving",
    "in_order",
    "merge",
    "n_threads",
    "one_thread",
    "partial",
    "resolve_device",
    "scratch",
    "without",
]

_log = logging.getLogger(__name__)

_T = TypeVar("_T")
_R = TypeVar("_R")

FloatArray = NDArray[np.float32] | NDArray[np.float64]

TILE = 1600
"""Rows and columns of a tile of a Gram matrix: wide enough for the product to run at full speed,
narrow enough that the lower half of 8 × 8 tiles costs 36 products and not 64."""


STRIPE = 256
"""Rows of a tile that a core multiplies in single and adds in double precision at a time: 3 MB."""

SPARE = 16.0
"""How much larger the largest number may be than any in the first rows."""

DOUBLE_SUMS = 4096
"""Features up to which sums of their products are kept in double precision: 67 MB."""


def resolve_device(device: str | None) -> torch.device:
    """Turn ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or None (the processor) into a torch device."""
    expected = "expected 'cpu' or 'cuda' (or 'cuda:0', ...)"
    if device is not None and not isinstance(device, str):
        raise InputError(f"device={device!r} is not the name of a device; {expected}")
    try:
        chosen = torch.device(device or "cpu")
    except RuntimeError as error:
        raise InputError(f"device={device!r} is not a device; {expected}") from error
    if chosen.type not in ("cpu", "cuda"):  # the others lack double precision or are no processors
        raise InputError(f"device={device!r} is not supported; {expected}")
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise InputError(
            f"device={device!r} was asked for, but torch finds {torch.cuda.device_count()} GPUs "
            "here; use device='cpu'"
        )
    _log.info("computing on %s, %d threads", chosen, torch.get_num_threads())
    return chosen


def blocks(n_rows: int, size: int) -> Iterator[slice]:
    """Cut ``range(n_rows)`` into slices of at most `size` rows, in order."""
    for start in range(0, n_rows, size):
        yield slice(start, min(start + size, n_rows))


def halving(work: Callable[[slice], _R], n_rows: int, doing: str) -> list[_R]:
    """Apply `work` to all rows at once, or to fewer and fewer where GPU memory does not suffice.

    Parameters
    ----------
    work : callable
        Of a slice of rows.
    n_rows : int
    doing : str
        What is being done, for the error.

    Returns
    -------
    list
        What `work` returned, in the order of the rows.

    Raises
    ------
    WordsightError
        Memory does not suffice for a single row.
    """
    done: list[_R] = []
    start, size = 0, n_rows
    while start < n_rows:
        try:
            done.append(work(slice(start, min(start + size, n_rows))))
            start += size
        except torch.OutOfMemoryError as error:
            if size == 1:
                raise WordsightError(
                    f"the GPU ran out of memory while {doing}, one row at a time; free its memory "
                    "or use device='cpu'"
                ) from error
            size = (size + 1) // 2
    return done


def in_order(
    work: Callable[[_T], _R], items: Iterator[_T] | Sequence[_T], *, workers: int | None = None
) -> Iterator[_R]:
    """Apply `work` to each item on one thread per core, yielding the results in order.

    Each worker runs its linear algebra on a single thread: no core waits at a barrier for
    another. At most two items per worker are in flight, so memory stays bounded.

    Parameters
    ----------
    work : callable
        Must spend its time in code that releases the interpreter lock (torch does).
    items : iterable
        Read as results are consumed.
    workers : int, optional
        Number of threads; by default one for each core.

    Yields
    ------
    object
        ``work(item)`` for each item, in the order of `items`.
    """
    count = workers or n_threads()
    source = iter(items)
    first = list(islice(source, 2))
    if len(first) < 2:  # done here: starting threads takes longer than many a single item
        yield from _on_one_thread(work, first)
        return
    source = chain(first, source)
    # torch keeps the number for each thread, and the number last set by anyone for threads that
    # have not used it yet: read here, this thread keeps its own; set at the end, new ones get it
    own = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            waiting = [pool.submit(work, item) for item in islice(source, 2 * count)]
            try:
                while waiting:
                    result = waiting.pop(0).result()
                    waiting.extend(pool.submit(work, item) for item in islice(source, 1))
                    yield result
            finally:
                for future in waiting:
                    future.cancel()
    finally:
        torch.set_num_threads(own)


def _on_one_thread(work: Callable[[_T], _R], items: Sequence[_T]) -> list[_R]:
    """Do some work here as a worker would: its last bits must not depend on how much there is."""
    with one_thread():
        return list(map(work, items))


@contextmanager
def one_thread() -> Iterator[None]:
    """Run linear algebra on this thread alone: for small products a barrier costs more."""
    own = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(own)


_scratch = threading.local()


def scratch(name: str, shape: tuple[int, ...], like: torch.Tensor) -> torch.Tensor:
    """Return this thread's buffer of that name: uninitialised, kept from call to call.

    Fresh memory costs more than the arithmetic done in it, since the system clears every page
    before it is first written to.

    Parameters
    ----------
    name : str
        One buffer a name and thread; the next call with the name overwrites it.
    shape : tuple of int
    like : Tensor
        Gives the type and the device.

    Returns
    -------
    Tensor
        Contiguous, of the shape asked for.
    """
    held: dict[str, torch.Tensor] = _scratch.__dict__
    size = math.prod(shape)
    buffer = held.get(name)
    if (
        buffer is None
        or buffer.numel() < size
        or (buffer.dtype, buffer.device) != (like.dtype, like.device)
    ):
        buffer = held[name] = torch.empty(size, dtype=like.dtype, device=like.device)
    return buffer[:size].view(shape)


@dataclass
class SymmetricTiles:
    """The lower half of a symmetric matrix, in square tiles.

    Attributes
    ----------
    size : int
        Rows (and columns) of the whole matrix.
    tiles : list of list of Tensor
        ``tiles[i][j]`` for ``j <= i``: rows of tile i, columns of tile j.
    """

    size: int
    tiles: list[list[torch.Tensor]]

    @classmethod
    def zeros(cls, size: int, dtype: torch.dtype, device: torch.device) -> Self:
        """Make an all-zero matrix."""
        widths = [cut.stop - cut.start for cut in blocks(size, TILE)]
        return cls(
            size,
            [
                [
                    torch.zeros(height, width, dtype=dtype, device=device)
                    for width in widths[: i + 1]
                ]
                for i, height in enumerate(widths)
            ],
        )

    def add_gram(
        self, X: torch.Tensor, grid: tuple[torch.Tensor, torch.Tensor] | None = None
    ) -> None:
        """Add ``Xᵀ X``, X of shape (n, size), in place.

        Where the matrix is wider than X, the product is first rounded to a grid, of rows and of
        columns, if one is given.
        """
        cut = list(blocks(self.size, TILE))
        columns = [X[:, one] for one in cut]
        places = [(i, j) for i, row in enumerate(self.tiles) for j in range(len(row))]
        if self.tiles[0][0].dtype == X.dtype:
            for i, j in places:
                self.tiles[i][j].addmm_(columns[i].T, columns[j])
            return

        def add(stripe: tuple[int, int, slice]) -> None:
            i, j, some = stripe
            product = (columns[i][:, some].T @ columns[j]).double()
            if grid is not None:
                on_outer_grid_(product, grid[0][cut[i]][some], grid[1][cut[j]])
            self.tiles[i][j][some].add_(product)

        stripes = [(i, j, some) for i, j in places for some in blocks(len(columns[i].T), STRIPE)]
        deque(in_order(add, stripes, workers=1 if X.is_cuda else None), 0)

    def combined(self, other: "SymmetricTiles", sign: float) -> "SymmetricTiles":
        """Return ``self + sign · other`` as a new matrix."""
        return SymmetricTiles(
            self.size,
            [
                [torch.add(a, b, alpha=sign) for a, b in zip(mine, theirs, strict=True)]
                for mine, theirs in zip(self.tiles, other.tiles, strict=True)
            ],
        )

    def times(self, V: torch.Tensor) -> torch.Tensor:
        """Return the product of the matrix with V of shape (size, k), in the precision of V."""
        product = torch.zeros_like(V)
        cuts = list(blocks(self.size, TILE))
        places = [(i, j) for i in range(len(cuts)) for j in range(i + 1)]

        def part(place: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor | None]:
            i, j = place
            tile = self.tiles[i][j].to(V.dtype)  # of a wider type only a tile for each core
            # the upper half is the lower one, turned over
            return tile @ V[cuts[j]], tile.T @ V[cuts[i]] if j < i else None

        for (i, j), (below, above) in zip(places, in_order(part, places), strict=True):
            product[cuts[i]] += below
            if above is not None:
                product[cuts[j]] += above
        return product

    def cholesky_(self) -> bool:
        """Replace the matrix by its Cholesky factor, in place; say whether there is one.

        Column by column of tiles: the one on the diagonal is factored, those below it are solved
        with it, and their products are taken from the tiles that remain. Nothing but a tile for
        each core is held beside the matrix, and only its lower half is.
        """
        tiles = self.tiles
        for k in range(len(tiles)):
            tiles[k][k], failed = next(in_order(torch.linalg.cholesky_ex, [tiles[k][k]]))
            if int(failed):
                return False

            def solve(i: int, k: int = k) -> None:
                right = tiles[k][k].T
                solved = torch.linalg.solve_triangular(right, tiles[i][k], upper=True, left=False)
                tiles[i][k].copy_(solved)  # as it lay: products of rows run along them

            def update(place: tuple[int, int], k: int = k) -> None:
                i, j = place
                tiles[i][j].addmm_(tiles[i][k], tiles[j][k].T, alpha=-1.0)

            rest = range(k + 1, len(tiles))
            deque(in_order(solve, rest), 0)
            deque(in_order(update, [(i, j) for i in rest for j in range(k + 1, i + 1)]), 0)
        return True

    def to_(self, dtype: torch.dtype) -> None:
        """Bring the matrix to another precision, a tile at a time: there are never two of it."""
        for row in self.tiles:
            for j, tile in enumerate(row):
                row[j] = tile.to(dtype)

    def to(self, dtype: torch.dtype, device: torch.device) -> "SymmetricTiles":
        """Return the matrix in another precision or elsewhere; itself where it is so already."""
        return SymmetricTiles(self.size, [[t.to(device, dtype) for t in row] for row in self.tiles])

    def add_(self, other: "SymmetricTiles") -> None:
        """Add another matrix, in place."""
        for mine, theirs in zip(self.tiles, other.tiles, strict=True):
            for a, b in zip(mine, theirs, strict=True):
                a.add_(b)

    def trace(self) -> float:
        """Return the sum of the diagonal."""
        return float(sum(row[-1].diagonal().sum(dtype=torch.float64) for row in self.tiles))


@dataclass
class Moments:
    """Additive first and second moments of features X and targets Y over some rows.

    Rows are counted from `shift`, which all parts of one sum share: it is near the mean, so that
    single precision loses nothing when features are far from zero.

    Attributes
    ----------
    n : int
        Number of rows.
    shift : Tensor, shape (F,)
        What was subtracted from every row of X.
    sum_x : Tensor of float64, shape (F,)
    sum_y : Tensor of float64, shape (d,)
    gram : SymmetricTiles, F × F
        Sum of ``x xᵀ``, in double precision; of more than `DOUBLE_SUMS` features in that of the
        features, to save memory.
    cross : Tensor of float64, shape (F, d)
        Sum of ``x yᵀ``.
    """

    n: int
    shift: torch.Tensor
    sum_x: torch.Tensor
    sum_y: torch.Tensor
    gram: SymmetricTiles
    cross: torch.Tensor

    def mean_variance(self) -> float:
        """Return the variance of a feature, averaged over the features."""
        total = self.gram.trace() - float(self.sum_x @ self.sum_x) / self.n
        return max(total, 0.0) / (self.n * self.gram.size)


def partial(
    X: FloatArray | StoredRows,
    Y: FloatArray,
    *,
    shift: FloatArray | None = None,
    rows: NDArray[np.int64] | None = None,
    block_size: int = 4096,
    device: torch.device | None = None,
    on_block: Callable[[int], None] | None = None,
) -> Moments:
    """Sum the moments of some rows, a block at a time.

    Parameters
    ----------
    X : ndarray or StoredRows, shape (n, F)
        Features; float32 is multiplied in float32, and summed over blocks in float64.
    Y : ndarray, shape (n, d)
        Targets.
    shift : ndarray, shape (F,), optional
        Subtracted from every row; zero by default. Parts to be merged must share it.
    rows : ndarray of int, optional
        The rows to sum over; by default all. Only one block of them is ever copied.
    block_size : int
        Rows a block at most; see `cuts`.
    device : torch.device, optional
        Where the products run and the sums live.
    on_block : callable, optional
        Called with the number of rows just added.

    Returns
    -------
    Moments
    """
    where = device or torch.device("cpu")
    origin = np.zeros(X.shape[1]) if shift is None else shift
    grids = _Grids.of(X, Y, origin)
    if isinstance(X, SpreadRows):
        work = functools.partial(_partial_of_part, shift=origin, size=block_size, grids=grids)
        total = _moved(X.fold(work, _merge_parts, Y, rows=rows, on_part=on_block), where)
    else:
        total = _partial(X, Y, origin, rows, block_size, where, grids, on_block)
    if X.dtype == np.float32 and len(origin) > DOUBLE_SUMS:
        total.gram.to_(torch.float32)
    return total


@dataclass(frozen=True)
class _Grids:
    """Grids of the sums in `Moments`, by what the first rows of a whole table are like."""

    x: torch.Tensor
    y: torch.Tensor
    gram: tuple[torch.Tensor, torch.Tensor]
    cross: tuple[torch.Tensor, torch.Tensor]

    @classmethod
    def of(cls, X: FloatArray | StoredRows, Y: FloatArray, origin: FloatArray) -> "Self | None":
        if X.dtype == np.float64:  # a block is as good as the sum: nothing is rounded away
            return None
        n = float(len(X))
        x, y = column_bounds(X[:READ] - origin), column_bounds(Y[:READ])
        rows = torch.as_tensor(powers_of_two(x))
        return cls(grid_of(n * x), grid_of(n * y), (rows, grid_of(n * x)), (rows, grid_of(n * y)))

    def to(self, device: torch.device) -> "_Grids":
        """Return the same grids elsewhere."""
        (a, b), (c, d) = self.gram, self.cross
        return _Grids(
            self.x.to(device),
            self.y.to(device),
            (a.to(device), b.to(device)),
            (c.to(device), d.to(device)),
        )


def column_bounds(rows: NDArray[Any]) -> NDArray[np.float64]:
    """Estimate bounds of columns from some of their rows, generously: larger ones may follow.

    Parameters
    ----------
    rows : ndarray, shape (n, F)

    Returns
    -------
    ndarray of float64, shape (F,)
    """
    largest = SPARE * np.abs(rows).max(axis=0, initial=0.0).astype(np.float64)
    # a column of nothing so far may yet hold something
    bounds: NDArray[np.float64] = np.where(
        largest > 0.0, largest, 2.0**-20 * largest.max(initial=0.0)
    )
    return bounds


def _partial(
    X: FloatArray | StoredRows,
    Y: FloatArray,
    origin: FloatArray,
    rows: NDArray[np.int64] | None,
    block_size: int,
    where: torch.device,
    grids: _Grids | None,
    on_block: Callable[[int], None] | None = None,
) -> Moments:
    """Sum the moments of rows that are read here."""
    dtype = torch.float64 if X.dtype == np.float64 else torch.float32
    n_features, n_targets = X.shape[1], Y.shape[1]
    grids = None if grids is None else grids.to(where)
    total = Moments(
        0,
        torch.tensor(origin, dtype=dtype, device=where),
        torch.zeros(n_features, dtype=torch.float64, device=where),
        torch.zeros(n_targets, dtype=torch.float64, device=where),
        SymmetricTiles.zeros(n_features, torch.float64, where),
        torch.zeros(n_features, n_targets, dtype=torch.float64, device=where),
    )
    n_rows = len(X) if rows is None else len(rows)
    # one block of memory for all blocks of rows: fresh memory costs more than what is done in it
    buffer = torch.empty(min(block_size, n_rows), n_features, dtype=dtype)
    for cut in cuts(X, block_size, rows):
        chosen = cut if rows is None else rows[cut]
        x = _read(X, chosen, buffer[: cut.stop - cut.start]).to(where).sub_(total.shift)
        y = torch.tensor(np.ascontiguousarray(Y[chosen]), dtype=dtype, device=where)
        total.n += len(x)
        sum_x, sum_y = x.sum(0, dtype=torch.float64), y.sum(0, dtype=torch.float64)
        cross = (y.T @ x).T.double()  # skinny products run faster this way round
        if grids is not None:
            on_grid_(sum_x, grids.x)
            on_grid_(sum_y, grids.y)
            on_outer_grid_(cross, *grids.cross)
        total.sum_x += sum_x
        total.sum_y += sum_y
        total.cross += cross
        total.gram.add_gram(x, None if grids is None else grids.gram)
        if on_block is not None:
            on_block(len(x))
    return total


def _partial_of_part(
    X: StoredRows, Y: FloatArray, *, shift: FloatArray, size: int, grids: _Grids | None
) -> Moments:
    """Sum a part, in double precision over blocks of rows."""
    return _partial(X, Y, shift, None, size, torch.device("cpu"), grids)


def _merge_parts(a: Moments, b: Moments) -> Moments:
    return merge(a, b, overwrite=True)


def _moved(moments: Moments, device: torch.device) -> Moments:
    """Bring moments to where they are to be used."""
    return Moments(
        moments.n,
        moments.shift.to(device),
        moments.sum_x.to(device),
        moments.sum_y.to(device),
        moments.gram.to(torch.float64, device),
        moments.cross.to(device),
    )


def _read(
    X: FloatArray | StoredRows, rows: slice | NDArray[np.int64], buffer: torch.Tensor
) -> torch.Tensor:
    held = buffer.numpy()
    if isinstance(rows, slice):
        held[...] = X[rows]
    else:
        take(X, rows, held)
    return buffer


def _combined(a: Moments, b: Moments, sign: int) -> Moments:
    if not torch.equal(a.shift, b.shift):
        raise InputError(
            "these moments are counted from different points; give all parts one shift"
        )
    return Moments(
        a.n + sign * b.n,
        a.shift,
        a.sum_x + sign * b.sum_x,
        a.sum_y + sign * b.sum_y,
        a.gram.combined(b.gram, sign),
        a.cross + sign * b.cross,
    )


def merge(a: Moments, b: Moments, *, overwrite: bool = False) -> Moments:
    """Add the moments of two sets of rows that share no row.

    Parameters
    ----------
    a, b : Moments
    overwrite : bool, default False
        Whether the sum takes the memory of `a`, which is then lost.

    Returns
    -------
    Moments
    """
    if not overwrite:
        return _combined(a, b, 1)
    nothing = SymmetricTiles(a.gram.size, [])
    total = _combined(replace(a, gram=nothing), replace(b, gram=nothing), 1)
    a.gram.add_(b.gram)
    return replace(total, gram=a.gram)


def without(total: Moments, part: Moments) -> Moments:
    """Take the rows of `part` out of `total`."""
    return _combined(total, part, -1)


SUBSTITUTION = 512
"""Rows a step of forward and backward substitution within a tile."""


class RidgeFactor:
    """The Cholesky factor L of ``C + alpha I``, C the covariance of the features.

    The one expensive thing that the linear map and the softmax share: the map solves with it, the
    softmax uses it to make its problem round. It is held as the lower half of tiles: in single
    precision, with 12,800 features, 370 MB.

    Parameters
    ----------
    moments : Moments
        Of the rows to learn from.
    alpha : float
        Ridge term, in units of a feature's variance.
    dtype : torch.dtype, default float64
        Precision of the factor.
    overwrite : bool, default False
        Whether to make the factor of the very tiles of the Gram matrix, which is then lost; what
        else the moments are of stays.
    """

    def __init__(
        self,
        moments: Moments,
        alpha: float,
        dtype: torch.dtype = torch.float64,
        *,
        overwrite: bool = False,
    ) -> None:
        self.alpha = alpha
        self.mean_x = moments.sum_x / moments.n
        mean = self.mean_x.to(dtype)
        gram = moments.gram
        cuts = list(blocks(gram.size, TILE))
        self._factor = SymmetricTiles(gram.size, [])
        for i, row in enumerate(gram.tiles):
            system = [tile.to(dtype, copy=not overwrite) for tile in row]
            if overwrite:
                row.clear()
            for j, tile in enumerate(system):
                tile.div_(moments.n).addr_(mean[cuts[i]], mean[cuts[j]], alpha=-1.0)
            system[i].diagonal().add_(alpha)
            self._factor.tiles.append(system)
        if not self._factor.cholesky_():
            raise WordsightError(
                f"the {gram.size} × {gram.size} system of the linear map is singular with "
                f"alpha={alpha:g}; use a larger alpha, drop constant features, or standardise the "
                "others"
            )
        self.mean_x += moments.shift.to(torch.float64)

    def solve(self, B: torch.Tensor) -> torch.Tensor:
        """Return ``(C + alpha I)⁻¹ B`` for B of shape (F, k)."""
        return self.unwhiten(self.whiten(B))

    def whiten(self, B: torch.Tensor) -> torch.Tensor:
        """Return ``L⁻¹ B`` for B of shape (F, k).

        By blocks, since a library's own routine is ten times slower for the few columns there
        are: each is one skinny product, which reads its part of L once, and several run at once.
        """
        tiles = self._factor.tiles
        cuts = list(blocks(self._factor.size, TILE))
        solved = B.to(tiles[0][0].dtype).clone()
        for k, cut in enumerate(cuts):
            with one_thread():
                _forward(tiles[k][k], solved[cut])

            def update(i: int, k: int = k, cut: slice = cut) -> None:
                solved[cuts[i]].addmm_(tiles[i][k], solved[cut], alpha=-1.0)

            deque(in_order(update, range(k + 1, len(cuts))), 0)
        return solved

    def unwhiten(self, B: torch.Tensor) -> torch.Tensor:
        """Return ``L⁻ᵀ B`` for B of shape (F, k), from the last block to the first."""
        tiles = self._factor.tiles
        cuts = list(blocks(self._factor.size, TILE))
        # columns as rows: skinny products with a tile, and not its transpose, run twice as fast
        solved = B.to(tiles[0][0].dtype).T.clone(memory_format=torch.contiguous_format)
        for k, cut in reversed(list(enumerate(cuts))):
            with one_thread():
                _backward(tiles[k][k], solved[:, cut])

            def update(j: int, k: int = k, cut: slice = cut) -> None:
                solved[:, cuts[j]].addmm_(solved[:, cut], tiles[k][j], alpha=-1.0)

            deque(in_order(update, range(k)), 0)
        return solved.T.contiguous()


def _forward(lower: torch.Tensor, solved: torch.Tensor) -> None:
    """Solve with a lower triangle, in place."""
    for cut in blocks(len(lower), SUBSTITUTION):
        solved[cut] -= lower[cut, : cut.start] @ solved[: cut.start]
        solved[cut] = torch.linalg.solve_triangular(lower[cut, cut], solved[cut], upper=False)


def _backward(lower: torch.Tensor, solved: torch.Tensor) -> None:
    """Solve for rows that are multiplied with a lower triangle, in place."""
    for cut in reversed(list(blocks(len(lower), SUBSTITUTION))):
        solved[:, cut] -= solved[:, cut.stop :] @ lower[cut.stop :, cut]
        solved[:, cut] = torch.linalg.solve_triangular(
            lower[cut, cut], solved[:, cut], upper=False, left=False
        )
