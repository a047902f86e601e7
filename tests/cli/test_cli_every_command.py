"""What every command has: shared options, examples that run, one JSON value with --json.

A new command is covered as soon as it is registered. Its examples run in a folder that holds what
`SANDBOX` names; what cannot run there has its reason in `NOT_RUN`.
"""

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.runs import SEEN, SMALL, Runner, check_failed
from wordsight import demo
from wordsight.cli import app
from wordsight.cli.common import examples_of

DOCUMENT = Path(__file__).parents[2] / "docs" / "cli.md"

NOT_RUN = {
    "demo": "takes longer; it runs in tests/test_demo.py",
    "reproduce": "needs CIFAR-10; it runs in test_cli_reproduce.py",
    "benchmark gzsl": "needs published features",
    "data fetch": "needs the network",
    "runs show": "needs a run; it runs in tests/distributed",
    "explore": "serves until it is stopped; it runs in test_cli_explore.py",
}
CLUSTER = " --cluster "
"""In examples that run in tests/distributed, or would need a cluster of many machines."""

JSON_LINES = {"predict"}
EXTRA: dict[str, tuple[str, ...]] = {
    "fit": SMALL,
    "data scenes": ("--train", "2", "--test", "1"),
}
"""Options that make an example quick."""

WORDS = ["red", "blue", "gold", "circle", "star", "zebra", "truck", "polar", "bear", "bicycle"]


def leaves(group: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    for part, inner in group.commands.items():
        full = f"{name} {part}".strip()
        if getattr(inner, "commands", None):
            yield from leaves(inner, full)
        else:
            yield full, inner


LEAVES = dict(leaves(typer.main.get_command(app)))
EXAMPLES = [(name, example) for name, command in LEAVES.items() for example in examples_of(command)]


@pytest.fixture
def sandbox(scenes: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which examples run: images, a model, word vectors."""
    (tmp_path / "photos").symlink_to(scenes)
    (tmp_path / "new_photos").symlink_to(scenes / "test")
    shutil.copy(scenes / "test" / SEEN[0] / "00000.png", tmp_path / "photo.jpg")
    shutil.copytree(model, tmp_path / "model")
    rows = [f"{word} {n % 3} {n % 5} {n + 1}" for n, word in enumerate(WORDS)]
    (tmp_path / "vectors.txt").write_text("\n".join(rows), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORDSIGHT_CACHE", str(tmp_path / "downloads"))
    return tmp_path


def split(example: str) -> list[str]:
    """Return the arguments of an example, without what the shell does with its output."""
    program, *arguments = shlex.split(example.partition(" > ")[0])
    assert program == "wordsight"
    return arguments


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_has_the_shared_options(name: str) -> None:
    options = {option for one in LEAVES[name].params for option in one.opts}
    assert options >= {"--quiet", "-q", "--verbose", "-v", "--json", "--debug"}


@pytest.mark.parametrize("name", LEAVES)
def test_every_help_ends_with_examples(run: Runner, name: str) -> None:
    examples = examples_of(LEAVES[name])
    assert 1 <= len(examples) <= 3
    shown = run(*name.split(), "--help").out
    assert max(map(len, shown.splitlines())) <= 80
    _, title, end = shown.rpartition("\nExamples:\n")
    assert title
    for example in examples:
        assert example.startswith(f"wordsight {name}")
        assert example in re.sub(r" \\\n\s*", " ", end)
    assert len([line for line in end.splitlines() if line.startswith("  wordsight ")]) == len(
        examples
    )


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_every_example_is_understood(name: str, example: str) -> None:
    arguments = split(example)[len(name.split()) :]
    LEAVES[name].make_context(name, arguments)  # raises what is wrong with it


@pytest.mark.parametrize(
    ("name", "example"),
    [
        (name, example)
        for name, example in EXAMPLES
        if name not in NOT_RUN and CLUSTER not in example
    ],
)
def test_every_example_runs_and_prints_json(
    sandbox: Path, run: Runner, name: str, example: str
) -> None:
    arguments = [*split(example), *EXTRA.get(name, ())]
    if "--out" in arguments and name in JSON_LINES:
        assert run(*arguments).code == 0  # it writes rows or prints them
        return
    if "--out" in arguments and Path(arguments[arguments.index("--out") + 1]).exists():
        arguments.append("--overwrite")
    done = run(*arguments, "--json")
    assert done.code == 0, done.err
    texts = done.out.splitlines() if name in JSON_LINES else [done.out]
    assert texts
    for text in texts:
        json.loads(text)


def test_what_is_not_run_is_there_and_json_lines_are_documented() -> None:
    assert set(NOT_RUN) <= set(LEAVES)
    text = DOCUMENT.read_text(encoding="utf-8")
    for name in JSON_LINES:
        section = text.split(f"## `wordsight {name}")[1].split("\n## ")[0]
        assert "JSON lines" in section


def test_a_training_is_described_in_json(sandbox: Path, run: Runner) -> None:
    arguments = ("fit", "photos", "--unseen", "zebra,red star", "--out", "new", *SMALL)
    found = json.loads(run(*arguments, "--json").out)
    assert found["model"] == "new"
    assert found["unseen"] == ["zebra", "red star"]
    assert sorted(found["seen"]) == ["blue circle", "blue star", "gold circle", "gold star",
                                     "red circle"]  # fmt: skip
    assert found["n_images"] == 5 * 20
    assert found["left_out"] == {"red star": 20}
    assert (sandbox / "new" / "config.json").exists()


def test_the_demo_prints_its_scores_alone(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = demo.DemoSettings(n_train=10, n_test=1, n_atoms=4, n_patches=500, n_mapped=1)
    monkeypatch.setattr(demo, "run_demo", partial(demo.run_demo, settings=settings))
    done = run("demo", "--out", tmp_path / "demo", "--json")
    assert done.code == 0
    assert 0 <= json.loads(done.out)["unseen_accuracy"] <= 1
    assert "Done in" in done.err


def test_options_may_stand_before_the_command(run: Runner) -> None:
    after = run("words", "near", "cat", "-n", "3", "--json")
    before = run("--json", "words", "near", "cat", "-n", "3")
    assert before == after
    assert len(json.loads(before.out)) == 3
    # nothing is kept from run to run
    assert not run("words", "near", "cat", "-n", "3").out.startswith("[")


def test_a_failure_prints_no_json(tmp_path: Path, run: Runner) -> None:
    check_failed(run("words", "info", tmp_path / "none.txt", "--json"), 2, "there is no file")


def test_verbose_tells_stages_and_times_on_stderr(
    scenes: Path, tmp_path: Path, run: Runner
) -> None:
    arguments = ("fit", scenes, *SMALL, "--cache", tmp_path / "cache", "--out", tmp_path / "model")
    first = run(*arguments, "--verbose")
    assert first.out == f"{tmp_path / 'model'}\n"
    log = [line for line in first.err.splitlines() if re.match(r"\[ *\d+\.\d s\] ", line)]
    assert any("computing on cpu" in line and "threads" in line for line in log)
    assert any(line.endswith("0 of 1 blocks of features were in the cache") for line in log)
    took = " ".join(line for line in log if "] took: " in line)
    for stage in ("drawing patches", "computing features", "training the softmax"):
        assert re.search(rf"{stage} \d+\.\d\d s", took)
    assert re.search(r"done, with at most \d+ MB of memory$", log[-1])
    # sorted by time, and not twice
    seconds = [float(line[1:].split()[0]) for line in log]
    assert seconds == sorted(seconds)
    again = run("-v", *arguments, "--overwrite")
    assert "1 of 1 blocks of features were in the cache" in again.err
    assert "] " not in run("info", tmp_path / "model").err


def test_quiet_and_verbose_contradict_each_other(run: Runner) -> None:
    for arguments in (("-q", "words", "info", "-v"), ("words", "info", "--verbose", "--quiet")):
        check_failed(run(*arguments), 2, "--quiet and --verbose were given; give one of them")
