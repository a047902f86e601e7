"""``wordsight explore``: look at a model and its data in a local page."""

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from wordsight.box import model_directory
from wordsight.cli import console
from wordsight.cli.options import Device, Json, ModelPath, TextModel, WordsFile
from wordsight.exceptions import InputError, MissingDependencyError

if TYPE_CHECKING:
    from wordsight.app.layouts import Layouts
    from wordsight.app.session import Session

__all__ = ["explore"]

N_SHOWN = 10_000


def explore(
    model: ModelPath,
    data: Annotated[
        Path | None,
        typer.Argument(
            help="Images to look at: a folder, a parquet file or folder, a .tar or CIFAR archive, "
            "a .npy or .npz file. Without it, pictures can be dropped and classes taught, and no "
            "more."
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="Which images of the data to show.",
            show_default="test, or all of the data where there is none",
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option(help="Show so many images at most, drawn by chance.", min=1)
    ] = N_SHOWN,
    host: Annotated[
        str,
        typer.Option(
            help="Where to listen. Anything but this machine's own loopback lets others in, who "
            "then need the token in the address that is printed."
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="The port; 0 takes one that is free.", min=0, max=65535)
    ] = 8642,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Whether to open a browser.")
    ] = True,
    layout: Annotated[
        Literal["pca", "tsne", "umap"],
        typer.Option(help="How the map is laid out in the end; it begins with pca."),
    ] = "tsne",
    words: WordsFile = None,
    text_model: TextModel = None,
    save_to: Annotated[
        Path | None,
        typer.Option(
            help="The folder that models saved from the page go to.",
            show_default="that of the model",
        ),
    ] = None,
    upload_limit: Annotated[
        int, typer.Option(help="The largest picture that may be dropped, in megabytes.", min=1)
    ] = 25,
    cache: Annotated[
        Path | None,
        typer.Option(
            help="A folder where features, what the model says of the images, and the layout of "
            "the map are kept and found again.",
            show_default="the system's place for caches, for all but the features",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", "--random-state", help="Draws everything that is random.")
    ] = 0,
    device: Device = None,
    json_: Json = False,
) -> None:
    """Look at a model and its data in a page on this machine: map, gate, classify, teach, ask.

    Examples
    --------
    wordsight explore model/ photos/
    wordsight explore box:cifar10 photos/ --port 0 --no-browser
    """
    try:
        from wordsight.app.serving import listen, serve  # noqa: PLC0415 - optional
    except ImportError as error:
        raise MissingDependencyError(
            "the explorer needs fastapi and uvicorn: pip install 'wordsight[app]'"
        ) from error
    from wordsight.app.access import Access  # noqa: PLC0415
    from wordsight.app.server import create_app  # noqa: PLC0415
    from wordsight.app.session import Limits, Session  # noqa: PLC0415
    from wordsight.exploration.layout import umap_is_installed  # noqa: PLC0415
    from wordsight.persistence import load_model  # noqa: PLC0415
    from wordsight.words.text_encoder import SentenceEncoder  # noqa: PLC0415

    if save_to is not None and not save_to.is_dir():
        raise InputError(f"--save-to names {save_to}, which is no folder; make it first")
    if layout == "umap" and not umap_is_installed():
        raise InputError(
            "--layout umap was given, and umap-learn is not installed: pip install "
            "'wordsight[umap]', or use tsne"
        )
    with listen(host, port) as taken:  # before the long work: a port in use is to be told at once
        session = Session(
            load_model(model, words=words, device=device),
            model.resolve().name,
            save_to=model.resolve().parent if save_to is None else save_to,
            encoder=None if text_model is None else SentenceEncoder(text_model, device=device),
            limits=Limits(upload_bytes=upload_limit * 1_000_000),
        )
        layouts = None
        if data is not None:
            session, layouts = _with_images(session, model, data, split, limit, layout, seed, cache)
        else:
            session = _with_room(session)
        access = Access.to(host, taken.getsockname()[1])
        app = create_app(session, layouts=layouts, access=access)
        if json_:
            console.print_json({"address": access.address})
        else:
            console.print_line(access.address)
        sys.stdout.flush()
        console.say("Open this address in a browser. Ctrl-C ends the explorer.")
        try:
            with _faults_told():
                serve(app, taken, access.address, browser=browser)
        finally:
            if layouts is not None:
                layouts.close()  # where a second Ctrl-C did not let the server do it
            if session.is_changed:
                console.warn("the classes or the threshold were changed, and not saved")


class _Faults(logging.Handler):
    """Tells what went wrong inside in a line, and where with --debug."""

    def emit(self, record: logging.LogRecord) -> None:
        reason = f": {record.exc_info[1]!r}" if record.exc_info else ""
        console.warn(record.getMessage() + reason)
        if record.exc_info and console.debug():
            traceback.print_exception(record.exc_info[1], file=sys.stderr)


@contextmanager
def _faults_told() -> Iterator[None]:
    log, teller = logging.getLogger("wordsight.app"), _Faults(logging.WARNING)
    log.addHandler(teller)
    try:
        yield
    finally:
        log.removeHandler(teller)


def _with_room(session: "Session") -> "Session":
    """Leave out classes that the page has no room for."""
    from wordsight.exploration.fewer_classes import with_fewer_classes  # noqa: PLC0415

    n_classes, room = len(session.model.classes_), session.limits.classes
    if n_classes <= room:
        return session
    model, gallery = with_fewer_classes(session.model, session.gallery, room)
    console.say(
        f"The model has {n_classes:,} classes, and the page has room for {room:,}: the unseen ones "
        "that fewest images are nearest to are left out, also of a model saved from the page."
    )
    return replace(session, model=model, gallery=gallery)


def _with_images(
    session: "Session",
    model: Path,
    data: Path,
    split: str | None,
    limit: int,
    layout: Literal["pca", "tsne", "umap"],
    seed: int,
    cache: Path | None,
) -> "tuple[Session, Layouts]":
    """Look at the data, or find what was seen of them before."""
    from wordsight.app.kept import kept_gallery  # noqa: PLC0415
    from wordsight.app.layouts import Layouts  # noqa: PLC0415
    from wordsight.data.download import default_cache  # noqa: PLC0415
    from wordsight.features.cache import FeatureCache  # noqa: PLC0415
    from wordsight.training import open_split  # noqa: PLC0415

    images, taken = open_split(data, split, "test")
    kept = default_cache() / "explorer" if cache is None else cache
    with console.progress():
        gallery = kept_gallery(
            kept, session.model, model_directory(model), images, limit=limit, random_state=seed,
            features=None if cache is None else FeatureCache(cache),
        )  # fmt: skip
    console.say_broken([(one.name, one.reason) for one in gallery.broken])
    name = data.resolve().name + (f", {taken} split" if taken else "")
    session = _with_room(replace(session, gallery=gallery, data_name=name))
    assert session.gallery is not None
    gallery = session.gallery
    return session, Layouts.of(session.model, gallery, kind=layout, random_state=seed, cache=kept)
