"""The examples in the docstrings, run as they stand."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import wordsight

_ROOT = Path(wordsight.__file__).parent


def module_names() -> list[str]:
    """Name every module of the package; importing ``__main__`` would run it."""
    paths = [path.relative_to(_ROOT.parent) for path in _ROOT.rglob("*.py")]
    names = [".".join(path.with_suffix("").parts) for path in paths if path.stem != "__main__"]
    return sorted(name.removesuffix(".__init__") for name in names)


@pytest.mark.parametrize("name", module_names())
def test_examples(name: str) -> None:
    try:
        module = import_module(name)
    except ImportError as error:
        if not error.name or error.name.startswith("wordsight"):
            raise
        pytest.skip(f"{error.name}, which {name} needs, is not installed")
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    "name",
    [
        "ConvFeatures",
        "CrossModalClassifier",
        "LinearMap",
        "PatchFeatures",
        "SoftmaxClassifier",
        "WordGaussians",
        "WordVectors",
    ],
)
def test_main_parts_show_how_they_are_used(name: str) -> None:
    part = getattr(wordsight, name)
    found = doctest.DocTestFinder(recurse=False).find(part)
    assert any(test.examples for test in found)
