"""Running the explorer: a port of this machine, a server on it, and a browser that shows it."""

import contextlib
import errno
import socket
import sys
import threading
import webbrowser

import uvicorn
from starlette.types import ASGIApp

from wordsight.app.connections import Connection
from wordsight.exceptions import InputError

if sys.platform != "win32":
    import resource

__all__ = ["listen", "serve", "server_of"]

_AT_A_TIME, _WAITING = 32, 2048
"""Connections that are taken up before anything else is done, and those that wait for it."""

_FILES = 4096
"""Files to be open at once, of which each connection is one; many systems begin with 1,024."""


def listen(host: str, port: int) -> socket.socket:
    """Take a port, before the long work; whoever comes meanwhile waits.

    Parameters
    ----------
    host : str
        An address or a name of this machine.
    port : int
        0 takes one that is free.

    Returns
    -------
    socket.socket
        It listens already.

    Raises
    ------
    InputError
        The port is in use or may not be taken; the host is none of this machine.
    """
    taken: socket.socket | None = None
    try:
        (family, kind, protocol, _name, address), *_others = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        taken = socket.socket(family, kind, protocol)
        if sys.platform != "win32":  # where it would let two servers share the port
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)
        taken.listen(_WAITING)
    except OSError as error:
        if taken is not None:
            taken.close()
        raise InputError(_refused(host, port, error)) from error
    return taken


def _refused(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} is in use, perhaps by another explorer; close that one, or name another "
            "port (--port; 0 takes one that is free)"
        )
    if error.errno == errno.EACCES:
        return f"port {port} may not be taken by you; name one above 1023 (--port)"
    reason = error.strerror or str(error)
    return f"nothing can listen on {host}, port {port} ({reason}); use --host 127.0.0.1"


class _Server(uvicorn.Server):
    """A server that takes up few connections at a time, so that it knows how many it has."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        for each in sockets or []:
            each.listen(_WAITING)  # as many may wait for it all the same


def server_of(app: ASGIApp) -> uvicorn.Server:
    """Return a server of the explorer, which is to be run on a port that was taken."""
    config = uvicorn.Config(
        app,
        http=Connection,
        backlog=_AT_A_TIME,
        log_config=None,
        log_level="critical",  # what fails inside is told by `Guard`, and the rest is noise
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nobody stands between, and headers can say anything
        ws="none",
        timeout_keep_alive=15,
        timeout_graceful_shutdown=2,
    )
    return _Server(config)


def serve(app: ASGIApp, taken: socket.socket, address: str, *, browser: bool) -> None:
    """Answer requests until a signal ends it.

    Parameters
    ----------
    app : ASGI application
    taken : socket.socket
        From `listen`.
    address : str
        What a browser is to open.
    browser : bool
        Whether to open one.
    """
    _allow_files()
    if browser:  # which waits for the first answer, as the port is open already
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
    server_of(app).run(sockets=[taken])


def _allow_files() -> None:
    """Let this process open more files, as far as it may."""
    if sys.platform == "win32":
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
