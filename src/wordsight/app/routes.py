"""The explorer's routes, as the page and `docs/explorer.md` know them."""

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from wordsight.app.answers import (
    AboutAnswer,
    AskAnswer,
    ClassifyAnswer,
    GateAnswer,
    HealthAnswer,
    MapAnswer,
    PreviewAnswer,
    SaveAnswer,
    SessionAnswer,
)
from wordsight.app.bodies import JSON_BYTES, json_body, parse, read_body
from wordsight.app.description import ALWAYS, PICTURE_KINDS, Responses, refusals, takes
from wordsight.app.explorer import Explorer
from wordsight.app.pictures import png
from wordsight.app.views import about_view, asked_view, session_view
from wordsight.exploration.asking import ask
from wordsight.exploration.prototype import prototype

__all__ = ["router"]

router = APIRouter(prefix="/api", responses=ALWAYS)

_FORMS = ("text/", "multipart/", "application/x-www-form-urlencoded")
"""What any page's form may send here unasked; a picture is never sent so."""


def _explorer(request: Request) -> Explorer:
    explorer: Explorer = request.app.state.explorer
    return explorer


Here = Annotated[Explorer, Depends(_explorer)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Threshold(_Strict):
    value: float | None


class _Image(_Strict):
    i: int


class _Class(_Strict):
    name: str = Field(max_length=200)
    description: str | None = Field(default=None, max_length=10_000)


class _Name(_Strict):
    name: str = Field(max_length=200)


class _Word(_Strict):
    word: str = Field(max_length=200)
    k: int = Field(default=24, ge=1, le=200)


_OF_BODIES = refusals(408, 413, 415)
_NO_IMAGE = refusals(404)
_PNG: Responses = {200: {"content": {"image/png": {}}, "description": "A PNG file."}}


def _json(text: bytes) -> Response:
    return Response(text, media_type="application/json")


def _session(here: Explorer) -> SessionAnswer:
    return session_view(here.session, here.session.state)


@router.get("/health")
async def health() -> HealthAnswer:
    """Say that the server is there."""
    return {"ok": True}


@router.get("/session")
async def session(here: Here) -> SessionAnswer:
    """Return the model, its classes, the data and the limits."""
    return _session(here)


@router.get(
    "/map",
    response_model=MapAnswer,
    responses={**_NO_IMAGE, 204: {"description": "The layout is still of the kind `since`."}},
)
async def semantic_map(here: Here, since: str = "") -> Response:
    """Return the semantic map; nothing while it is still of the kind that the page has."""
    text = await run_in_threadpool(here.map, since)
    return Response(status_code=204) if text is None else _json(text)


@router.get("/gate", response_model=GateAnswer, responses=_NO_IMAGE)
async def gate(here: Here) -> Response:
    """Return scores, guesses and the seen–unseen curve."""
    return _json(await run_in_threadpool(here.gate))


@router.get(
    "/images/{i}",
    response_class=Response,
    responses={**_PNG, **_NO_IMAGE, 304: {"description": "It is as `If-None-Match` says."}},
)
async def image(here: Here, request: Request, i: int) -> Response:
    """Return an image of the data as a PNG file."""
    encoded, digest = await here.picture_queue.run(here.picture, i)
    headers = {"ETag": f'"{digest}"', "Cache-Control": "private, no-cache"}
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(encoded, media_type="image/png", headers=headers)


@router.get("/images/{i}/about", responses=_NO_IMAGE)
async def about(here: Here, i: int) -> AboutAnswer:
    """Return what is to be said of one image of the data."""
    return await run_in_threadpool(about_view, here.check_image(i), i)


@router.post("/threshold", responses=_OF_BODIES, openapi_extra=takes(body=_Threshold))
async def threshold(
    here: Here, given: Annotated[_Threshold, Depends(json_body(_Threshold))]
) -> SessionAnswer:
    """Move the threshold, or put it back."""
    await here.queue.run(here.session.set_threshold, given.value)
    return _session(here)


@router.post(
    "/classify",
    responses={**_OF_BODIES, **_NO_IMAGE},
    openapi_extra=takes(*PICTURE_KINDS, body=_Image),
)
async def classify(here: Here, request: Request) -> ClassifyAnswer:
    """Say what is in a picture: bytes of an image file, or the number of one of the data."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        given = parse(await read_body(request, JSON_BYTES), _Image)
        return await here.queue.run(here.classify_one, given.i)
    if kind.startswith(_FORMS):
        raise HTTPException(415, f"a picture is expected, and {kind} was sent")
    async with here.uploads.read(request, here.session.limits.upload_bytes) as encoded:
        return await here.queue.run(here.classify, encoded)


@router.post("/teach/preview", responses=_OF_BODIES, openapi_extra=takes(body=_Class))
async def preview(
    here: Here, given: Annotated[_Class, Depends(json_body(_Class))]
) -> PreviewAnswer:
    """Say what a new class would take from the others."""
    return await here.queue.run(here.preview, given.name, given.description)


@router.post("/teach", responses=_OF_BODIES, openapi_extra=takes(body=_Class))
async def teach(here: Here, given: Annotated[_Class, Depends(json_body(_Class))]) -> SessionAnswer:
    """Add a class."""
    await here.queue.run(here.session.teach, given.name, given.description)
    return _session(here)


@router.post("/forget", responses=_OF_BODIES, openapi_extra=takes(body=_Name))
async def forget(here: Here, given: Annotated[_Name, Depends(json_body(_Name))]) -> SessionAnswer:
    """Take an unseen class away."""
    await here.queue.run(here.session.forget, given.name)
    return _session(here)


@router.post("/undo")
async def undo(here: Here) -> SessionAnswer:
    """Take back the last change of the classes."""
    await here.queue.run(here.session.undo)
    return _session(here)


@router.post("/save", responses=_OF_BODIES, openapi_extra=takes(body=_Name))
async def save(here: Here, given: Annotated[_Name, Depends(json_body(_Name))]) -> SaveAnswer:
    """Save the model as it is now under a new name."""
    return {"path": str(await here.queue.run(here.session.save, given.name))}


@router.post("/ask", responses={**_OF_BODIES, **_NO_IMAGE}, openapi_extra=takes(body=_Word))
async def asked(here: Here, given: Annotated[_Word, Depends(json_body(_Word))]) -> AskAnswer:
    """Return the images nearest to a word."""
    state = here.session.state
    answer = await here.queue.run(ask, state.model, state.images(), given.word, given.k)
    return asked_view(state, answer)


@router.get("/prototype", response_class=Response, responses=_PNG)
async def prototype_of(here: Here, word: Annotated[str, Field(max_length=200)]) -> Response:
    """Return the prototype of a word as a PNG file."""
    state = here.session.state
    pixels = await here.queue.run(prototype, state.model, word, state.gallery)
    return Response(png(pixels), media_type="image/png")
