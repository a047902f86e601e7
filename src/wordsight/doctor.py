"""What an installation runs on and what it lacks, so that somebody else can tell why it fails.

Nothing is imported here that may be broken: each part is tried, and what fails is a finding.
"""

import importlib
import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from wordsight import __version__
from wordsight.progress import report

__all__ = ["Examination", "Finding", "examine"]

EXTRAS = (
    "fast", "app", "text", "transformers", "timm", "open_clip", "umap", "index", "gzsl", "ray",
)  # fmt: skip
"""Extras for users; an extra that this version does not have is left out."""

VARIABLES = (
    "WORDSIGHT_CACHE",
    "WORDSIGHT_DATA",
    "WORDSIGHT_DEBUG",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "CUDA_VISIBLE_DEVICES",
    "NO_COLOR",
    "FORCE_COLOR",
)
"""The part of the environment that Wordsight, or what it computes with, reads."""

_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)(\[[^]]*\])?\s*(?P<version>[^;]*)(?P<marker>;.*)?")
_LEAST_DISK = 1e9
_MOST_FILES = 100_000
_STAGES = ("versions", "processors", "folders", "a model of two classes")


@dataclass(frozen=True)
class Finding:
    """Something that is missing or broken.

    Attributes
    ----------
    what : str
    advice : str
        What to do.
    is_needed : bool
        Whether Wordsight does not work without it.
    """

    what: str
    advice: str
    is_needed: bool


@dataclass
class Examination:
    """All that was found.

    Attributes
    ----------
    sections : dict of str to dict
        Facts by title and name; values are what JSON can hold.
    findings : list of Finding
        What is broken, and then what is missing.
    """

    sections: dict[str, dict[str, Any]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def works(self) -> bool:
        """Whether everything that is needed is there and works."""
        return not any(finding.is_needed for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Return the same as one JSON object."""
        findings = [asdict(finding) for finding in self.findings]
        return {"works": self.works, **self.sections, "findings": findings}

    def lacks(self, what: str, advice: str, *, is_needed: bool = False) -> None:
        """Note something that is missing or broken."""
        self.findings.append(Finding(_without_home(what), _without_home(advice), is_needed))


def examine() -> Examination:
    """Look at versions, processors and folders, and try the whole on a few synthetic pictures.

    Returns
    -------
    Examination
        The home folder is written as ``~``, and of the environment only `VARIABLES` are read.
    """
    found = Examination()
    steps = (_versions, _processors, _folders, _try_it)
    for number, (name, step) in enumerate(zip(_STAGES, steps, strict=True)):
        step(found)
        report(f"examining {name}", number + 1, len(steps))
    found.findings.sort(key=lambda finding: not finding.is_needed)
    return found


def _versions(found: Examination) -> None:
    core, extras = _requirements()
    found.sections["versions"] = {
        "wordsight": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        **{name: _check_core(found, name, wanted) for name, wanted in core.items()},
    }
    found.sections["extras"] = {
        extra: _check_extra(found, extra, wanted) for extra, wanted in extras.items()
    }


def _requirements() -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Return the versions asked for: of what is always needed, and of what each extra needs."""
    try:
        stated = importlib.metadata.requires("wordsight") or []
    except importlib.metadata.PackageNotFoundError:  # run from its sources
        stated = []
    core: dict[str, str] = {}
    extras: dict[str, dict[str, str]] = {}
    for text in stated:
        parts = _REQUIREMENT.match(text)
        assert parts is not None
        name, wanted, marker = parts["name"], parts["version"].strip(" ()"), parts["marker"] or ""
        extra = re.search(r"extra\s*==\s*['\"]([\w-]+)['\"]", marker)
        if extra is None:
            core[name] = wanted
        elif (known := extra[1].replace("-", "_")) in EXTRAS and name != "wordsight":
            extras.setdefault(known, {})[name] = wanted
    core = core or dict.fromkeys(("torch", "numpy", "scipy", "scikit-learn", "pillow"), "")
    return core, extras


def _check_core(found: Examination, name: str, wanted: str) -> str:
    version = _installed(name)
    if version is None:
        advice = "install Wordsight again: pip install --force-reinstall wordsight"
        found.lacks(f"{name} is not installed", advice, is_needed=True)
        return "missing"
    if _is_older(version, wanted):
        found.lacks(
            f"{name} is {version}, and {wanted} is needed",
            f"pip install '{name}{wanted}'",
            is_needed=True,
        )
    return version


def _check_extra(found: Examination, extra: str, wanted: dict[str, str]) -> str:
    versions = {name: _installed(name) for name in wanted}
    lacking = [name for name, version in versions.items() if version is None]
    install = f"pip install 'wordsight[{extra}]'"
    if lacking:
        found.lacks(f"{', '.join(lacking)} of the extra {extra}", f"where you want it: {install}")
        return f"missing: {install}"
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _is_older(version: str, wanted: str) -> bool:
    """Compare the numbers of a version with the least that is asked for."""
    least = re.search(r">=\s*([\d.]+)", wanted)
    if least is None:
        return False
    have, need = ([int(n) for n in re.findall(r"\d+", x)] for x in (version, least[1]))
    return have[: len(need)] < need


def _processors(found: Examination) -> None:
    facts: dict[str, Any] = {"cores of the machine": os.cpu_count()}
    found.sections["processors"] = facts
    facts.update(_memory())
    try:
        compute, pools = (
            importlib.import_module(name) for name in ("wordsight.compute", "threadpoolctl")
        )
        torch = importlib.import_module("torch")
        facts["cores for this process"] = compute.n_threads()
        facts["threads of torch"] = torch.get_num_threads()
        facts["BLAS"] = [
            f"{pool['internal_api']} {pool['version'] or ''} ({pool['num_threads']} threads)"
            for pool in pools.threadpool_info()
            if pool["user_api"] == "blas"
        ]
        facts["BLAS of torch"] = "MKL" if torch.backends.mkl.is_available() else "another"
        facts["devices"] = ["cpu", *_gpus(torch)]
    except Exception as error:  # an import of compiled code fails in many ways
        found.lacks(
            f"computing fails: {type(error).__name__}: {_one_line(error)}",
            "install torch again, as pytorch.org/get-started says for this system",
            is_needed=True,
        )


def _gpus(torch: Any) -> list[str]:
    return [
        f"cuda:{number} {torch.cuda.get_device_name(number)}, "
        f"{_bytes(torch.cuda.get_device_properties(number).total_memory)}"
        for number in range(torch.cuda.device_count())
    ]


def _memory() -> dict[str, str]:
    """Return memory in all and free, where the system tells."""
    try:
        page = os.sysconf("SC_PAGE_SIZE")
        pages = {"memory": "SC_PHYS_PAGES", "memory free": "SC_AVPHYS_PAGES"}
        return {name: _bytes(page * os.sysconf(what)) for name, what in pages.items()}
    except (AttributeError, ValueError, OSError):
        return {}


def _folders(found: Examination) -> None:
    from wordsight.data.download import ARCHIVES, default_cache  # noqa: PLC0415 - light
    from wordsight.exceptions import InputError  # noqa: PLC0415

    facts: dict[str, Any] = {"program": _without_home(str(Path(__file__).parent))}
    found.sections["folders"] = facts
    facts["disk free here"] = _disk(found, Path.cwd())
    facts["disk free for temporary files"] = _disk(found, Path(tempfile.gettempdir()))
    try:
        cache = default_cache()
    except InputError as error:
        found.lacks("no folder for downloads", str(error))
    else:
        facts["downloads (WORDSIGHT_CACHE)"] = _size(cache)
        for name, archive in ARCHIVES.items():
            there = (cache / archive.file_name).is_file()
            facts[name] = "there" if there else f"not there: wordsight data fetch {name}"
    if "WORDSIGHT_DATA" in os.environ:
        facts["data of tests and benchmarks (WORDSIGHT_DATA)"] = _size(
            Path(os.environ["WORDSIGHT_DATA"])
        )
    facts["environment"] = {
        name: _without_home(os.environ[name]) for name in VARIABLES if name in os.environ
    } or None


def _disk(found: Examination, place: Path) -> str | None:
    try:
        free = shutil.disk_usage(place).free
    except OSError:
        return None
    if free < _LEAST_DISK:
        found.lacks(f"only {_bytes(free)} are free in {place}", "make room before a training")
    return _bytes(free)


def _size(place: Path) -> str:
    """Say where a folder is, and how much is in it."""
    shown = _without_home(str(place))
    if not place.is_dir():
        return f"{shown} (not there)"
    n_files = n_bytes = 0
    for folder, _, names in os.walk(place):
        for name in names:
            try:
                n_bytes += (Path(folder) / name).stat().st_size
            except OSError:
                continue
            n_files += 1
            if n_files == _MOST_FILES:  # a doctor who counts for minutes is of no use
                return f"{shown} (more than {n_files:,} files, {_bytes(n_bytes)})"
    return f"{shown} ({n_files:,} files, {_bytes(n_bytes)})"


def _try_it(found: Examination) -> None:
    """Learn two classes of synthetic pictures, and recognise a third by its name."""
    facts: dict[str, Any] = {}
    found.sections["self-check"] = facts
    try:
        n_words, seconds = _recognise()
        facts["vocabulary"] = f"{n_words:,} words"
        facts["fit and predict"] = f"works, {seconds:.1f} s"
    except Exception as error:  # whatever it is, it is what we are looking for
        facts["fit and predict"] = "fails"
        found.lacks(
            f"a small training fails: {type(error).__name__}: {_one_line(error)}",
            "install Wordsight again, or report this with the output of: wordsight doctor --json",
            is_needed=True,
        )


def _recognise() -> tuple[int, float]:
    """Run the whole on two classes; return how many words the package knows, and the seconds."""
    from wordsight.classifiers.cross_modal import CrossModalClassifier  # noqa: PLC0415 - torch
    from wordsight.data.scenes import make_scenes  # noqa: PLC0415
    from wordsight.features.patch_features import PatchFeatures  # noqa: PLC0415
    from wordsight.words.vectors import WordVectors  # noqa: PLC0415

    start = time.perf_counter()
    images, labels = make_scenes(12, ["red circle", "blue star"], image_size=(16, 16))
    words = WordVectors.default()
    model = CrossModalClassifier(
        words,
        unseen=["gold cross"],
        features=PatchFeatures(8, n_patches=500, random_state=0),
        calibration_fraction=0.3,
        false_novel_rate=0.3,
        random_state=0,
    ).fit(images, labels)
    proba = model.predict_proba(images)
    if proba.shape != (len(images), 3) or not abs(proba.sum(axis=1) - 1).max() < 1e-6:
        raise ArithmeticError(f"probabilities of shape {proba.shape} do not add up to 1")
    return len(words), time.perf_counter() - start


def _without_home(text: str) -> str:
    try:
        home = str(Path.home())
    except RuntimeError:
        return text
    return text if home in (os.sep, ".") else text.replace(home, "~")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _bytes(n: float) -> str:
    return f"{n / 1e9:.1f} GB" if n >= 1e9 else f"{n / 1e6:.1f} MB"
