"""The house rules that a machine can check: layers, imports, no pickle, documentation."""

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

import wordsight

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "wordsight"
FILES = sorted(SOURCE.rglob("*.py"))
NAMES = [
    ".".join(file.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")
    for file in FILES
]
TREES = {name: ast.parse(file.read_bytes()) for name, file in zip(NAMES, FILES, strict=True)}
HEAVY = ("torch", "sklearn", "scipy", "PIL", "pyarrow", "matplotlib", "safetensors")


def layers() -> list[str]:
    """Every module that the contract names."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = settings["tool"]["importlinter"]["contracts"]
    return [name.strip(" ()") for layer in contract["layers"] for name in re.split("[|:]", layer)]


def above(name: str) -> list[str]:
    """The module itself and the packages it lies in, but the root."""
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(2, len(parts) + 1)]


def python(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout


# layers


def test_the_contract_holds() -> None:
    run = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    done = subprocess.run(
        [sys.executable, "-c", run], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", [name for name in NAMES if name != "wordsight"])
def test_every_module_has_one_place_in_the_contract(name: str) -> None:
    named = [module for module in above(name) if module in layers()]
    is_package = any(other.startswith(f"{name}.") for other in NAMES)
    if name == "wordsight.__main__":
        assert named == [], "the entry point lies above all layers"
    elif is_package and not named:
        # its modules are placed one by one: then it holds nothing itself
        body = TREES[name].body
        assert all(isinstance(node, ast.Expr) for node in body), f"{name} is in no layer"
    else:
        assert len(named) == 1, f"{name} is in {len(named)} layers of the contract, not in one"


def test_the_contract_names_only_what_there_is() -> None:
    assert len(layers()) == len(set(layers()))
    assert set(layers()) <= set(NAMES)


def imports(name: str) -> Iterator[tuple[str, int]]:
    """Every module imported anywhere in a module, and the level of relative ones."""
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            yield from ((alias.name, 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "", node.level


@pytest.mark.parametrize("name", NAMES)
def test_imports_are_absolute_and_never_of_pickle(name: str) -> None:
    for module, level in imports(name):
        assert level == 0, f"{name} imports relatively"
        assert module.split(".")[0] not in {
            "pickle", "cPickle", "joblib", "dill", "cloudpickle", "shelve", "marshal",
        }  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_loaded_that_could_execute(name: str) -> None:
    for node in ast.walk(TREES[name]):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        assert called not in {"torch.load", "torch.save", "eval", "exec", "yaml.load"}
        options = {keyword.arg: keyword.value for keyword in node.keywords}
        if "allow_pickle" in options:
            assert ast.unparse(options["allow_pickle"]) == "False"
        elif called in {"np.load", "numpy.load", "np.save", "numpy.save"}:
            pytest.fail(f"{name}, line {node.lineno}: {called} without allow_pickle=False")


# the package root


def test_importing_the_package_imports_nothing_heavy() -> None:
    loaded = python("import sys, wordsight; print(*sys.modules)").split()
    assert "wordsight" in loaded
    assert not set(HEAVY) & set(loaded)
    assert "numpy" not in loaded


def test_every_public_name_is_there() -> None:
    for name in wordsight.__all__:
        assert getattr(wordsight, name) is not None
    assert set(wordsight.__all__) <= set(dir(wordsight))
    assert wordsight.__all__ == sorted(wordsight.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        _ = wordsight.Nonsense  # a name that is not in the list


def test_public_names_are_those_that_the_type_checker_sees() -> None:
    seen = [
        alias.asname or alias.name
        for node in ast.walk(TREES["wordsight"])
        if isinstance(node, ast.If)
        for statement in node.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    ]
    assert sorted(seen) == sorted(wordsight.__all__)


# documentation


def modules() -> list[ModuleType]:
    found = pkgutil.walk_packages(wordsight.__path__, "wordsight.")
    return [importlib.import_module(each.name) for each in found if "__main__" not in each.name]


def public_things() -> Iterator[tuple[str, Any]]:
    """Public functions, classes and their public methods, each where it is defined."""
    for module in modules():
        for name, thing in vars(module).items():
            own = getattr(thing, "__module__", None) == module.__name__
            if name.startswith("_") or not own or not isinstance(thing, FunctionType | type):
                continue
            yield f"{module.__name__}.{name}", thing
            for method, body in vars(thing).items() if isinstance(thing, type) else ():
                if not method.startswith("_") and isinstance(body, FunctionType):
                    yield f"{module.__name__}.{name}.{method}", body


def section(doc: str, title: str) -> list[str]:
    """The names explained in one section of a numpydoc docstring."""
    found = re.search(rf"^{title}\n-+\n(.*?)(?=\n\n[^\n]+\n---|\Z)", doc, re.DOTALL | re.MULTILINE)
    heads = [line for line in found[1].splitlines() if line[:1].strip()] if found else []
    return [name.strip(" *") for head in heads for name in head.split(" :")[0].split(",")]


def arguments(thing: Any) -> list[str]:
    """The arguments to explain: those of a command are where each carries a line of help."""
    if isinstance(thing, type):
        if "__init__" not in vars(thing) or issubclass(thing, tuple):
            return []
        thing = vars(thing)["__init__"]
    return [
        name
        for name, parameter in inspect.signature(thing).parameters.items()
        if name not in {"self", "cls"} and not name.startswith("_")
        if not any(
            getattr(option, "help", None)
            for option in getattr(parameter.annotation, "__metadata__", ())
        )
    ]


THINGS = dict(public_things())


@pytest.mark.parametrize("name", NAMES)
def test_every_module_says_what_it_is_for(name: str) -> None:
    assert ast.get_docstring(TREES[name])


@pytest.mark.parametrize("name", THINGS)
def test_public_things_are_documented(name: str) -> None:
    thing = THINGS[name]
    if isinstance(thing, FunctionType) and "." in thing.__qualname__ and not thing.__doc__:
        # a method may inherit its documentation
        holder = THINGS[name.rpartition(".")[0]]
        assert inspect.getdoc(getattr(holder, thing.__name__)), f"{name} has no docstring"
        return
    doc = inspect.cleandoc(thing.__doc__ or "")
    assert doc, f"{name} has no docstring"
    expected = arguments(thing)
    explained = section(doc, "Parameters")
    if is_dataclass(thing):
        explained = explained + section(doc, "Attributes")
    if getattr(thing, "_is_protocol", False):
        return  # nothing makes one
    if not explained and not isinstance(thing, type):
        if len(expected) <= 3:
            return  # one sentence explains a function of few arguments
        if re.search(r"parameters [^.]*those of", doc):
            return
    missing = [argument for argument in expected if argument not in explained]
    assert not missing, f"{name} does not explain {', '.join(missing)}"
