"""Where work runs: in this process, or on the workers of a Ray cluster.

Work is a function of this package and plain arguments. It is sent out a few pieces at a time,
however many there are; what fails is tried again, also on another machine, and what goes on failing
is told with its reason. Which worker does what, and when, changes no result.
"""

import logging
import os
import socket
import warnings
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, is_dataclass, replace
from importlib import import_module, metadata
from itertools import islice
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from numpy.typing import NDArray

from wordsight import __version__
from wordsight.exceptions import InputError, WordsightError
from wordsight.rows import pairwise
from wordsight.threads import use_threads

__all__ = ["Cluster", "Failed", "Here", "Outcome", "RayCluster", "WorkerSettings", "connect"]

_log = logging.getLogger(__name__)

_T = TypeVar("_T")
_Reference = Any
"""What stands for a value that may lie on another machine."""

RETRIES = 2
"""How often a piece of work that raised an error is tried again."""

CRASHES = 20
"""How often one whose worker was lost is tried again: that is seldom the fault of the work."""

WAITING = 2
"""Pieces of work sent out for each worker: one is at hand when it has finished another."""

SHARE_OF_GPU = 0.25
"""Of a GPU that a worker takes, where nothing is said: four keep it busy while they decode."""

SECONDS_TO_ANSWER = 10.0
"""In which a cluster has to take a connection."""

_LOST = "its worker or machine was lost {count} times"


@dataclass(frozen=True)
class Failed:
    """Why a piece of work could not be done.

    Attributes
    ----------
    reason : str
    attempts : int
    """

    reason: str
    attempts: int


@dataclass(frozen=True)
class Outcome(Generic[_T]):
    """What became of a piece of work.

    Attributes
    ----------
    index : int
        Which one.
    value : object or Failed
        What it returned.
    attempts : int
        How often it was begun.
    """

    index: int
    value: _T | Failed
    attempts: int = 1


@dataclass(frozen=True)
class WorkerSettings:
    """What a worker takes of the machine it is on.

    Attributes
    ----------
    cores : int
        Cores, and threads.
    gpus : float or None
        GPUs; a share of one where several workers share it. None is a quarter of one where the
        cluster has any.
    memory : int
        Bytes that are set aside for it: no more workers are started on a machine than its memory
        holds. 0 sets nothing aside.
    """

    cores: int = 1
    gpus: float | None = None
    memory: int = 0


class Cluster(ABC):
    """Something that does pieces of work."""

    @property
    @abstractmethod
    def n_workers(self) -> int:
        """How many pieces of work run at once, as far as is known now."""

    @abstractmethod
    def share(self, value: _T) -> _T:
        """Bring a value to where work is done, once for all the pieces that take it.

        Returns
        -------
        object
            What to give as an argument in its place.
        """

    @abstractmethod
    def run(
        self, function: Callable[..., _T], calls: Iterable[tuple[Any, ...]]
    ) -> Iterator[Outcome[_T]]:
        """Call `function` with each tuple of arguments, and yield what becomes of it, when it does.

        Raises
        ------
        InputError
            The function raised one: that is the fault of who asked.
        """

    @abstractmethod
    def fold(
        self,
        function: Callable[..., _T],
        calls: Sequence[tuple[Any, ...]],
        merge: Callable[[_T, _T], _T],
        *,
        small: bool = False,
        on_done: Callable[[int], None] | None = None,
    ) -> _T:
        """Call `function` with each tuple, and merge what it returns pairwise in their order.

        Parameters
        ----------
        function, calls
            At least one call.
        merge : callable
        small : bool
            Whether results are merged here, and not by a worker.
        on_done : callable, optional
            Called with the index of a call that is done.

        Raises
        ------
        WordsightError
            A call goes on failing.
        """


class Here(Cluster):
    """The process that asks, doing one piece of work after another."""

    @property
    def n_workers(self) -> int:
        """Always 1."""
        return 1

    def share(self, value: _T) -> _T:
        """Return the value."""
        return value

    def run(
        self, function: Callable[..., _T], calls: Iterable[tuple[Any, ...]]
    ) -> Iterator[Outcome[_T]]:
        """Do the work, in order."""
        for index, arguments in enumerate(calls):
            yield _outcome(index, *_tried(function, arguments, 1 + RETRIES))

    def fold(
        self,
        function: Callable[..., _T],
        calls: Sequence[tuple[Any, ...]],
        merge: Callable[[_T, _T], _T],
        *,
        small: bool = False,
        on_done: Callable[[int], None] | None = None,
    ) -> _T:
        """Do the work, in order; the parameters are those of `Cluster.fold`."""

        def done() -> Iterator[_T]:
            for index, arguments in enumerate(calls):
                value, _tries = _tried(function, arguments, 1 + RETRIES)
                if isinstance(value, Failed):
                    raise WordsightError(value.reason)
                yield value
                if on_done is not None:
                    on_done(index)

        return pairwise(done(), merge)


def _outcome(index: int, value: _T | Failed, attempts: int) -> Outcome[_T]:
    return Outcome(
        index, Failed(value.reason, attempts) if isinstance(value, Failed) else value, attempts
    )


def _told(function: Callable[..., _T], *arguments: Any) -> _T | Failed:
    """Call a function; what is wrong with the data comes back as words."""
    try:
        return function(*arguments)
    except InputError:
        raise
    except (WordsightError, OSError, MemoryError) as error:
        return Failed(str(error) or type(error).__name__, 1)


def _tried(
    function: Callable[..., _T], arguments: tuple[Any, ...], most: int
) -> tuple[_T | Failed, int]:
    """Call a function until it does not fail, `most` times at most; say how often, too."""
    for attempt in range(1, most):
        value = _told(function, *arguments)
        if not isinstance(value, Failed):
            return value, attempt
    return _told(function, *arguments), most


def _on_worker(
    settings: WorkerSettings, tries: int, function: Callable[..., _T], *arguments: Any
) -> Any:
    """Call a function on a worker, which uses no more than its share of the machine."""
    import torch  # noqa: PLC0415 - on the worker

    use_threads(settings.cores)
    torch.set_num_threads(settings.cores)
    try:
        return _packed(_tried(function, arguments, tries)[0])
    except InputError as error:  # as words, which any version of this package can read
        return _Misuse(str(error))


@dataclass(frozen=True)
class _Misuse:
    """The words of an `InputError`."""

    reason: str


def _merged(merge: Callable[[_T, _T], _T], a: Any, b: Any) -> Any:
    """Merge two results on a worker; a failure is handed on."""
    for one in (a, b):
        if isinstance(one, Failed | _Misuse):
            return one
    return _packed(merge(_unpacked(a), _unpacked(b)))


@dataclass(frozen=True)
class _Packed:
    """A tensor as an array, which crosses from one process to another without a copy."""

    values: NDArray[Any]


def _packed(value: Any) -> Any:
    """Turn the tensors in a result into arrays."""
    import torch  # noqa: PLC0415 - on the worker

    if isinstance(value, torch.Tensor):
        return _Packed(value.cpu().numpy())
    return _inside(_packed, value)


def _unpacked(value: Any) -> Any:
    """Undo `_packed`; the tensors are of their own memory, since what was sent is read-only."""
    import torch  # noqa: PLC0415

    if isinstance(value, _Packed):
        return torch.from_numpy(value.values.copy())
    return _inside(_unpacked, value)


def _inside(change: Callable[[Any], Any], value: Any) -> Any:
    if isinstance(value, tuple | list):
        return type(value)(change(one) for one in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(
            value, **{one.name: change(getattr(value, one.name)) for one in fields(value)}
        )
    return value


def _versions() -> tuple[str, ...]:
    """Return the versions of what results depend on."""
    found = [f"wordsight {__version__}"]
    for name in ("torch", "numpy", "scikit-learn"):
        found.append(f"{name} {metadata.version(name)}")
    return tuple(found)


class RayCluster(Cluster):
    """The workers of a Ray cluster.

    Parameters
    ----------
    ray : module
    settings : WorkerSettings
    """

    def __init__(self, ray: Any, settings: WorkerSettings) -> None:
        if settings.gpus is None:
            has_gpus = ray.cluster_resources().get("GPU", 0) > 0
            settings = replace(settings, gpus=SHARE_OF_GPU if has_gpus else 0.0)
        self._ray, self._settings = ray, settings
        options: dict[str, Any] = {"num_cpus": settings.cores}
        if settings.gpus:
            options["num_gpus"] = settings.gpus
        if settings.memory:
            options["memory"] = settings.memory
        # a worker that was lost is ours to count; a sum that was lost Ray makes again
        # and a worker stays, also one with a GPU, so that a model is brought there once
        stays: dict[str, Any] = {**options, "max_calls": 0}
        self._work = ray.remote(**stays, max_retries=0)(_on_worker)
        self._sum = ray.remote(**stays, max_retries=CRASHES)(_on_worker)
        self._merge = ray.remote(num_cpus=settings.cores, max_retries=CRASHES)(_merged)

    @property
    def n_workers(self) -> int:
        """How many workers the machines that are there now have room for."""
        has = self._ray.cluster_resources()
        room = has.get("CPU", 0) / self._settings.cores
        if self._settings.gpus:
            room = min(room, has.get("GPU", 0) / self._settings.gpus)
        if self._settings.memory:
            room = min(room, has.get("memory", 0) / self._settings.memory)
        return int(room)

    def describe(self) -> str:
        """Say what the cluster is, in words."""
        n_nodes = sum(node["Alive"] for node in self._ray.nodes())
        machines = "1 machine" if n_nodes == 1 else f"{n_nodes} machines"
        gpus = f" with {self._settings.gpus:g} GPUs each" if self._settings.gpus else ""
        return f"a Ray cluster of {machines}, with room for {self.n_workers} workers{gpus}"

    def check(self) -> None:
        """Refuse a cluster that has no room for a worker, or where another version would work."""
        if self.n_workers < 1:
            has = self._ray.cluster_resources()
            memory = has.get("memory", 0) / 1e9
            raise WordsightError(
                f"the cluster has no room for a worker: it has {has.get('CPU', 0):g} cores, "
                f"{has.get('GPU', 0):g} GPUs and {memory:.1f} GB, and a worker takes "
                f"{self._settings.cores} cores, {self._settings.gpus:g} GPUs and "
                f"{self._settings.memory / 1e9:.1f} GB; give it larger machines or ask for less"
            )
        there = self._here(self._sum.remote(self._settings, 1, _versions))
        if there != _versions():
            raise InputError(
                f"the cluster has {', '.join(map(str, there))}, and this machine "
                f"{', '.join(_versions())}; install the same versions on both"
            )

    def share(self, value: _T) -> _T:
        """Put the value into the cluster's object store."""
        return cast(_T, self._ray.put(value))

    def run(
        self, function: Callable[..., _T], calls: Iterable[tuple[Any, ...]]
    ) -> Iterator[Outcome[_T]]:
        """Send the work out, a few pieces a worker at a time."""
        source = enumerate(calls)
        again: deque[_Try] = deque()
        out: dict[_Reference, _Try] = {}
        try:
            while True:
                room = max(1, WAITING * self.n_workers) - len(out)
                for one in islice(_next(again, source), max(0, room)):
                    one.attempts += 1
                    out[self._work.remote(self._settings, 1, function, *one.arguments)] = one
                if not out:
                    return
                # looked at again now and then: machines come and go
                done, _rest = self._ray.wait(list(out), num_returns=1, timeout=5.0)
                for reference in done:
                    one = out.pop(reference)
                    value = self._value(reference, one)
                    if isinstance(value, Failed) and one.may_try_again():
                        again.append(one)
                    else:
                        yield _outcome(one.index, value, one.attempts)
        finally:  # the reader may stop early
            for reference in out:
                self._ray.cancel(reference, force=True)

    def _value(self, reference: _Reference, one: "_Try") -> Any:
        try:
            value = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            if self._is_of_work(error):
                one.errors += 1
                return Failed(_last_line(error), 1)
            one.crashes += 1
            lost = _LOST.format(count=one.crashes)
            return Failed(f"{lost} ({type(error).__name__})", 1)
        if isinstance(value, _Misuse):
            raise InputError(value.reason)
        if isinstance(value, Failed):
            one.errors += 1
        return _unpacked(value)

    def _is_of_work(self, error: Exception) -> bool:
        """Tell an error of the work from the loss of its worker, or of what was sent to it."""
        told = self._ray.exceptions
        cause = getattr(error, "cause", None)
        return isinstance(error, told.RayTaskError) and not isinstance(cause, told.RayError)

    def fold(
        self,
        function: Callable[..., _T],
        calls: Sequence[tuple[Any, ...]],
        merge: Callable[[_T, _T], _T],
        *,
        small: bool = False,
        on_done: Callable[[int], None] | None = None,
    ) -> _T:
        """Send the work out; sums stay on the machines until they are merged.

        The parameters are those of `Cluster.fold`.
        """
        tries, told = 0, set[int]()

        def tell(index: int) -> None:
            if on_done is not None and index not in told:  # not again after a loss
                told.add(index)
                on_done(index)

        while True:
            tries += 1
            try:
                return self._fold(function, calls, merge, small, tell)
            except self._ray.exceptions.RayError as error:
                if self._is_of_work(error):
                    raise WordsightError(
                        f"a worker failed: {_last_line(error)}; mend what is wrong and start again"
                    ) from error
                if tries > CRASHES:
                    lost = _LOST.format(count=tries)
                    raise WordsightError(
                        f"a sum over the data cannot be made: {lost}; give workers more room "
                        "(--worker-memory) and start again"
                    ) from error

    def _fold(
        self,
        function: Callable[..., _T],
        calls: Sequence[tuple[Any, ...]],
        merge: Callable[[_T, _T], _T],
        small: bool,
        on_done: Callable[[int], None],
    ) -> _T:
        shared = self._ray.put(merge)

        def sums() -> Iterator[_Reference]:
            """Yield the sum of each call, keeping few of them under way."""
            out: deque[tuple[int, _Reference]] = deque()
            waiting = iter(enumerate(calls))
            while True:
                room = max(1, WAITING * self.n_workers) - len(out)
                for index, arguments in islice(waiting, max(0, room)):
                    # one that cannot read its data tries again where it is
                    sent = self._sum.remote(self._settings, 1 + RETRIES, function, *arguments)
                    out.append((index, sent))
                if not out:
                    return
                index, reference = out.popleft()
                self._ray.wait([reference], num_returns=1, fetch_local=False)
                on_done(index)
                yield self._here(reference) if small else reference

        if small:
            total: _T = pairwise(sums(), merge)
            return total
        found: _T = self._here(pairwise(sums(), lambda a, b: self._merge.remote(shared, a, b)))
        return found

    def _here(self, reference: _Reference) -> Any:
        value = self._ray.get(reference)
        if isinstance(value, _Misuse):
            raise InputError(value.reason)
        if isinstance(value, Failed):
            raise WordsightError(value.reason)
        return _unpacked(value)


class _Try:
    """A piece of work and how it went so far."""

    def __init__(self, index: int, arguments: tuple[Any, ...]) -> None:
        self.index, self.arguments = index, arguments
        self.attempts = self.errors = self.crashes = 0

    def may_try_again(self) -> bool:
        return self.errors <= RETRIES and self.crashes <= CRASHES


def _next(again: deque[_Try], source: Iterator[tuple[int, tuple[Any, ...]]]) -> Iterator[_Try]:
    """Yield what is to be tried again, then what is new."""
    while True:
        if again:
            yield again.popleft()
            continue
        new = next(source, None)
        if new is None:
            return
        yield _Try(*new)


def _last_line(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(error).__name__


@contextmanager
def connect(address: str, settings: WorkerSettings | None = None) -> Iterator[RayCluster]:
    """Join a Ray cluster, or start one on this machine.

    Parameters
    ----------
    address : str
        ``"auto"``: the cluster that ``ray start`` began on this machine or ``RAY_ADDRESS`` names,
        or else one of this machine's cores that ends with the block. Otherwise the address of a
        cluster: ``host:6379``.
    settings : WorkerSettings, optional

    Yields
    ------
    RayCluster

    Raises
    ------
    WordsightError
        Ray is not installed, there is no cluster at that address, it has no room for a worker, or
        it is lost within the block.
    InputError
        The cluster runs other versions than this machine.
    """
    ray = _ray()
    was_there = ray.is_initialized()
    if not was_there:
        _join(ray, address)
    try:
        cluster = RayCluster(ray, settings or WorkerSettings())
        cluster.check()
        yield cluster
    except ray.exceptions.RayError as error:
        raise WordsightError(
            f"the cluster was lost ({type(error).__name__}: {_last_line(error)}); give the same "
            "command again: what is finished is not done anew"
        ) from error
    finally:
        if not was_there:  # one that was started for this ends with it
            ray.shutdown()


def _ray() -> Any:
    # before it is imported: nothing is reported to anyone, and it changes no GPU's visibility
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise WordsightError(
            "--cluster needs ray, which is not installed; install it: pip install 'wordsight[ray]'"
        ) from error
    return ray


def _started_here() -> str | None:
    """Return the address of the cluster that commands on this machine are to join, if there is one.

    Ray itself would join any that runs, also one that another program has for itself and takes
    along when it ends.
    """
    named = os.environ.get("RAY_ADDRESS")
    if named:
        return None if named == "local" else named
    folder = os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp"
    try:
        noted = Path(folder, "ray", "ray_current_cluster")
        # whoever has a cluster runs their code here: no stranger may name theirs
        if noted.stat().st_uid not in (0, getattr(os, "getuid", int)()):
            return None
        address = noted.read_text(encoding="utf-8").strip()
        _check_address(address)
    except (OSError, UnicodeDecodeError, WordsightError):
        return None  # there is none, or no more
    return address


def _check_address(address: str) -> None:
    """Refuse an address where nobody listens: Ray itself would wait for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        raise InputError(
            f"--cluster {address} was given; expected auto, or the address of a Ray cluster such "
            "as 10.0.0.1:6379"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=SECONDS_TO_ANSWER).close()
    except (OSError, OverflowError) as error:
        raise WordsightError(
            f"there is no Ray cluster at {address} ({error}); start one with ray start --head, or "
            "give --cluster auto"
        ) from error


def _hear(said: Mapping[str, Any], *_: Any, **__: Any) -> None:
    """Give what Ray says to whoever reads logs."""
    for line in said.get("lines", ()):
        _log.info("Ray: %s", line)


def _join(ray: Any, address: str) -> None:
    """Join a cluster, or start one."""
    where = _started_here() if address == "auto" else address
    if address != "auto":
        _check_address(address)
    # that a machine was lost Ray prints among the results, and no option of it says otherwise
    with suppress(ImportError):
        inner = import_module("ray._private.worker")
        setattr(inner, "print_to_stdstream", _hear)  # noqa: B010 - known to no type checker
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Ray's own making
        if where is not None:
            try:
                ray.init(address=where, **options)
            except ConnectionError as error:
                raise WordsightError(
                    f"there is no Ray cluster at {where} ({_last_line(error)}); start one with "
                    "ray start --head, or give --cluster auto"
                ) from error
            except ValueError as error:
                raise InputError(
                    f"--cluster {where} was given; expected auto, or the address of a Ray cluster "
                    "such as 10.0.0.1:6379"
                ) from error
            return
        # on this machine alone, and nothing listens to others
        ray.init(address="local", include_dashboard=False, _node_ip_address="127.0.0.1", **options)
