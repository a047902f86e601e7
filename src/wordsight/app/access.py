"""Who may talk to the explorer: this machine's browser, on pages of the explorer itself.

A server on loopback is still within reach of every page that the browser shows, by a form, an
image or a name that is made to point to 127.0.0.1. So every request is held to three things: the
Host it names, the Origin it comes from, and, where the explorer listens to other machines, a token.
"""

import hmac
import ipaddress
import secrets
import socket
from dataclasses import dataclass, field

__all__ = ["Access", "is_loopback"]

_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
_DEFAULT_PORT = 80


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach what listens on `host`."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class Access:
    """What a request has to bring.

    Attributes
    ----------
    host : str
        Where the server listens: a name or an address.
    port : int
    token : str or None
        Asked for where other machines can reach the server; None on loopback.
    """

    host: str
    port: int
    token: str | None = field(default=None, repr=False)

    @classmethod
    def to(cls, host: str, port: int) -> "Access":
        """Return the access to a server: with a new token unless it listens on loopback alone."""
        token = None if is_loopback(host) else secrets.token_urlsafe(24)
        return cls(host, port, token)

    @property
    def address(self) -> str:
        """What to open in a browser, the token included."""
        host = self.host
        if _is_wildcard(host):
            host = socket.gethostname()
        port = "" if self.port == _DEFAULT_PORT else f":{self.port}"
        query = "" if self.token is None else f"?token={self.token}"
        return f"http://{_bracketed(host)}{port}/{query}"

    @property
    def cookie(self) -> str:
        """The name of the cookie that keeps the token; browsers share cookies between ports."""
        return f"wordsight-{self.port}"

    def allows_host(self, header: str) -> bool:
        """Say whether a Host header names this server."""
        name, port = _split(header)
        if port != self.port:
            return False
        if name in _LOOPBACK_NAMES or name == _bracketed(self.host.lower()):
            return True
        # a name can be made to point here (DNS rebinding); an address cannot
        return _is_wildcard(self.host) and (_is_address(name) or name == _own_name())

    def allows_token(self, given: str | None) -> bool:
        """Say whether the token is the right one, in a time that does not tell how far it is."""
        if self.token is None:
            return True
        return given is not None and hmac.compare_digest(given.encode(), self.token.encode())


def _split(header: str) -> tuple[str, int | None]:
    """Split a Host header into name and port; the port is None where it is none."""
    name, colon, port = header.strip().lower().rpartition(":")
    if not colon or name.endswith(":") or header.strip().endswith("]"):
        return header.strip().lower(), _DEFAULT_PORT
    return name, int(port) if port.isascii() and port.isdigit() and len(port) <= 5 else None


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _is_wildcard(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_unspecified
    except ValueError:
        return False


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _own_name() -> str:
    return socket.gethostname().lower()
