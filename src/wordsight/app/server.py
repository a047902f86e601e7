"""`create_app`: the explorer of a session as an ASGI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, JSONResponse
from starlette.staticfiles import StaticFiles

from wordsight import __version__
from wordsight.app.access import Access
from wordsight.app.description import Described
from wordsight.app.explorer import Explorer
from wordsight.app.guard import Guard
from wordsight.app.layouts import Layouts
from wordsight.app.routes import router
from wordsight.app.session import NotThereError, Session
from wordsight.exceptions import BrokenImageError, InputError, WordsightError

__all__ = ["STATIC", "create_app"]

STATIC = Path(__file__).parent / "static"


def create_app(
    session: Session,
    *,
    layouts: Layouts | None = None,
    access: Access | None = None,
    static: Path = STATIC,
) -> FastAPI:
    """Make the explorer of a session.

    Parameters
    ----------
    session : Session
        A model, its images, and what is changed in them.
    layouts : Layouts, optional
        Of the session's images; their principal components by default.
    access : Access, optional
        Who may ask; by default who comes to 127.0.0.1, port 8642.
    static : pathlib.Path
        The folder of the page.

    Returns
    -------
    FastAPI
    """
    if layouts is None and session.gallery is not None:
        layouts = Layouts.of(session.model, session.gallery, kind="pca")
    explorer = Explorer(session, layouts)

    @asynccontextmanager
    async def running(app: FastAPI) -> AsyncIterator[None]:
        if layouts is not None:
            layouts.start()
        yield
        explorer.close()

    # the pages that FastAPI makes of its description would load scripts from elsewhere
    app = Described(
        title="Wordsight", version=__version__, lifespan=running, redirect_slashes=False,
        docs_url=None, redoc_url=None, openapi_url="/api/openapi.json",
    )  # fmt: skip
    app.access = access = access or Access("127.0.0.1", 8642)
    app.state.explorer = explorer
    app.include_router(router)
    app.mount("/static", StaticFiles(directory=static, check_dir=False), name="static")

    @app.get("/", include_in_schema=False)
    async def index() -> FileResponse:
        return FileResponse(static / "index.html")

    for kind in (HTTPException, RequestValidationError, WordsightError):
        app.add_exception_handler(kind, _told)
    app.add_middleware(Guard, access=access)
    return app


async def _told(request: Request, error: Exception) -> Response:
    """Tell an error that is meant for people, in one sentence; `Guard` sees to the others."""
    headers = None
    path = request.scope["path"]  # in a URL, //name/ would be a host
    if isinstance(error, HTTPException):
        status, sentence, headers = error.status_code, str(error.detail), error.headers
        if status == 404:
            sentence = f"there is nothing at {path}"
        if status == 405:
            sentence = f"{request.method} is not taken at {path}"
    elif isinstance(error, RequestValidationError):
        first = error.errors()[0]
        status, sentence = 400, f"{first['loc'][-1]}: {first['msg']}"
    elif isinstance(error, BrokenImageError):
        status, sentence = 400, f"{error.name} cannot be read: {error.reason}"
    elif isinstance(error, InputError):
        status, sentence = 404 if isinstance(error, NotThereError) else 400, str(error)
    else:
        status, sentence = 500, str(error)
    return JSONResponse({"error": sentence}, status, headers)
