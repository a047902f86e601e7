"""Wrong usage: one sentence on what was given, what is expected and what to do, exit code 2."""

from typing import Annotated, Literal

import pytest
import typer

from cli.runs import Runner, check_failed
from wordsight.cli.common import equip
from wordsight.cli.usage import UsageError, sentence

FIT = ("fit", "data", "--out", "model")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("ft",), "wordsight has no command 'ft'; did you mean: fit"),
        (("evalute", "m", "d"), "did you mean: evaluate"),
        (("fetch", "cifar10"), "did you mean: data fetch"),
        (("data", "scene"), "wordsight data has no command 'scene'; did you mean: data scenes"),
        (("data", "inf"), "wordsight data has no command 'inf'; did you mean: data info"),
        (("nonsense",), "has no command 'nonsense'; see: wordsight --help"),
        (("--quite", "info", "m"), "wordsight has no option --quite; did you mean: --quiet"),
        ((*FIT, "--unsen", "cat"), "wordsight fit has no option --unsen; did you mean: --unseen"),
        ((*FIT, "--nonsense"), "no option --nonsense; see: wordsight fit --help"),
        ((*FIT, "--gate", "open"), "--gate open was given; expected hard or probability"),
        ((*FIT, "--gate=open"), "--gate open was given; expected hard or probability"),
        ((*FIT, "--on-missing", "x"), "--on-missing x was given; expected error, skip or compose"),
        ((*FIT, "--n-atoms", "many"), "--atoms many was given; expected a whole number"),
        ((*FIT, "--keep-seen", "most"), "--keep-seen most was given; expected a number"),
        ((*FIT, "--tune=yes"), "--tune takes no value; give it alone"),
        (("fit", "data", "--out"), "--out was given no value; expected a path (the model dir"),
        (("fit", "data"), "wordsight fit was given no --out; expected a path (the model dir"),
        (("fit", "--out", "m"), "wordsight fit was given no DATA; expected labelled images"),
        (("predict",), "wordsight predict was given no"),
        (("words", "near", "cat", "-n", "0"), "-n 0 was given; expected a whole number of at leas"),
        (("words", "near", "cat", "-n0"), "-n 0 was given; expected a whole number of at least 1"),
        (("words", "near", "polar", "bear"), "more than it takes: bear; leave it out, put a name"),
        (("data", "fetch", "mnist"), "NAME mnist was given; expected cifar10 or cifar100"),
    ],
)
def test_wrong_usage_is_told_as_every_error(
    run: Runner, arguments: tuple[str, ...], said: str
) -> None:
    done = run(*arguments)
    check_failed(done, 2, said)
    usage, error = done.err.splitlines()
    assert usage.startswith("Usage: wordsight")
    assert len(error) <= 400


@pytest.mark.parametrize("group", [(), ("data",), ("words",)])
def test_a_group_alone_shows_its_help(run: Runner, group: tuple[str, ...]) -> None:
    done = run(*group)
    assert (done.code, done.out) == (2, "")
    assert "Commands:" in done.err
    assert done.errors == []


def test_ranges_are_told() -> None:
    other = typer.Typer()

    @other.command()
    def paint(
        hue: Annotated[int, typer.Option(min=0, max=360)] = 0,
        dark: Annotated[float, typer.Option(max=1)] = 0,
        on: Annotated[Literal["wall", "door"] | None, typer.Option()] = None,
    ) -> None:
        """Paint."""

    equip(other)
    for arguments, said in (
        (["--hue", "400"], "--hue 400 was given; expected a whole number from 0 to 360"),
        (["--dark", "2"], "--dark 2 was given; expected a number of at most 1"),
        (["--on=roof"], "--on roof was given; expected wall or door"),
    ):
        with pytest.raises(UsageError) as caught:
            other(arguments, standalone_mode=False)
        assert said in sentence(caught.value)
