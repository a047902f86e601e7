"""Shell completion: in a real bash, and what the program answers to the others."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.runs import SEEN, UNSEEN, Runner

Complete = Callable[..., list[str]]


@pytest.fixture
def complete(run: Runner, monkeypatch: pytest.MonkeyPatch) -> Complete:
    """What the program answers where bash asks to complete the last of some words."""

    def answer(*words: object) -> list[str]:
        given = [shlex.quote(str(word)) for word in words[:-1]]
        monkeypatch.setenv("_WORDSIGHT_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", "\n".join(["wordsight", *given, str(words[-1])]))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        done = run()
        assert (done.code, done.err) == (0, "")
        return done.out.split("\n")[:-1] if done.out.strip() else []

    return answer


def test_commands_options_and_choices(complete: Complete) -> None:
    assert complete("ev") == ["evaluate"]
    assert complete("data", "") == ["info", "fetch", "scenes"]
    assert complete("fit", "photos", "--un") == ["--unseen", "--unseen-classifier"]
    assert set(complete("info", "--")) >= {"--json", "--quiet", "--verbose", "--help"}
    assert complete("fit", "photos", "--gate", "") == ["hard", "probability"]
    assert complete("fit", "photos", "--gate", "p") == ["probability"]
    assert complete("data", "fetch", "cifar1") == ["cifar10", "cifar100"]
    assert complete("completion", "") == ["bash", "zsh", "fish"]
    assert complete("fit", "ph") == []  # a path: left to the shell


def test_classes_of_a_model_and_of_images(complete: Complete, model: Path, scenes: Path) -> None:
    among = ("predict", model, "photo.png", "--among")
    assert sorted(complete(*among, "")) == sorted([*SEEN, *UNSEEN])
    assert sorted(complete(*among, "gold")) == ["gold circle", "gold star"]
    assert complete(*among, '"gold star,gold') == ["gold star,gold circle"]  # each once
    assert complete("fit", scenes, "--unseen", "red ") == ["red circle", "red star"]


def test_where_there_is_no_model_nothing_is_named(complete: Complete, tmp_path: Path) -> None:
    assert complete("predict", tmp_path, "photo.png", "--among", "") == []
    (tmp_path / "config.json").write_text("[1]", encoding="utf-8")
    assert complete("predict", tmp_path, "photo.png", "--among", "") == []
    assert complete("fit", tmp_path / "none", "--unseen", "") == []


def test_json_holds_the_script(run: Runner) -> None:
    for shell in ("bash", "zsh", "fish"):
        script = run("completion", shell).out
        assert "_WORDSIGHT_COMPLETE" in script
        assert json.loads(run("completion", shell, "--json").out) == {
            "shell": shell,
            "script": script.strip() + ("\n" if shell == "bash" else ""),
        }


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A folder with this program in it, under the name by which a shell finds it."""
    place = tmp_path / "bin"
    place.mkdir()
    start = place / "wordsight"
    start.write_text(f'#!/bin/sh\nexec {sys.executable} -m wordsight "$@"\n', encoding="utf-8")
    start.chmod(0o755)
    return place


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash on this system")
def test_in_a_real_bash(program: Path, model: Path, tmp_path: Path) -> None:
    questions: list[tuple[list[str], list[str]]] = [
        (["fi"], ["fit"]),
        # bash cuts words at the equals sign
        (["fit", "photos", "--gate", "=", "pr"], ["probability"]),
        (["fit", "photos", "--gate", "="], ["hard", "probability"]),
        (["predict", str(model), "x.png", "--among", "gold"], ["gold\\ circle", "gold\\ star"]),
        (["predict", str(model), "x.png", "--among", '"gold c'], ["gold circle"]),
    ]
    lines = ["source <(wordsight completion bash)", "complete -p wordsight"]
    for words, _ in questions:
        listed = " ".join(shlex.quote(word) for word in ("wordsight", *words))
        lines += [
            f"COMP_WORDS=({listed}) COMP_CWORD={len(words)}",
            f"_wordsight_completion wordsight {shlex.quote(words[-1])} ''",
            """printf '%s\\n' "${COMPREPLY[@]}" --""",
        ]
    done = subprocess.run(
        ["bash", "--norc", "-c", "\n".join(lines)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PATH": f"{program}{os.pathsep}{os.environ['PATH']}"},
    )
    assert done.stderr == ""
    registered, *answers = done.stdout.splitlines()
    assert registered == "complete -o default -F _wordsight_completion wordsight"
    found = "\n".join(answers).split("\n--")
    assert [one.split("\n") for one in (text.strip("\n") for text in found[:-1])] == [
        sorted(expected) if "gold" in words[-1] else expected for words, expected in questions
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shell", "check"),
    [
        ("zsh", "autoload -Uz compinit; compinit -u; source <(wordsight completion zsh); "
                "print ${_comps[wordsight]}"),
        ("fish", "wordsight completion fish | source; complete -C 'wordsight ev'"),
    ],
)  # fmt: skip
def test_in_other_shells_where_they_are(program: Path, shell: str, check: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} on this system")
    done = subprocess.run(
        [shell, "-c", check],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PATH": f"{program}{os.pathsep}{os.environ['PATH']}"},
    )
    assert ("evaluate" if shell == "fish" else "_wordsight_completion") in done.stdout
