"""The OpenAPI description: what each route takes, and all that it may answer."""

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from wordsight.app.access import Access
from wordsight.app.answers import Refusal

__all__ = ["ALWAYS", "PICTURE_KINDS", "Described", "Responses", "refusals", "takes"]

Responses = dict[int | str, dict[str, Any]]

PICTURE_KINDS = (
    "application/octet-stream",
    "image/bmp",
    "image/gif",
    "image/jpeg",
    "image/png",
    "image/tiff",
    "image/webp",
    "image/x-portable-anymap",
)

_REFUSALS = {
    400: "What is asked is not understood, or cannot be done.",
    401: "The token is missing or wrong.",
    403: "It comes from another site, or to another host.",
    404: "There is no such image, or there are no images at all.",
    408: "The body stalled.",
    413: "The body is too long.",
    415: "The body is of another kind.",
    500: "A fault of the explorer's own, which is told in the terminal.",
    503: "Too much is asked at once; it may be asked again after `Retry-After` seconds.",
}
_RETRY = {"Retry-After": {"required": True, "schema": {"type": "integer", "minimum": 1}}}


def refusals(*statuses: int) -> Responses:
    """Return how refusals with these statuses are described."""
    return {
        status: {"model": Refusal, "description": _REFUSALS[status]}
        | ({"headers": _RETRY} if status == 503 else {})
        for status in statuses
    }


ALWAYS = refusals(400, 401, 403, 500, 503)
"""What every route may answer."""


def takes(*kinds: str, body: type[BaseModel] | None = None) -> dict[str, Any]:
    """Describe a body that a route reads by itself.

    Parameters
    ----------
    *kinds : str
        Media types of a body that is bytes.
    body : type, optional
        What JSON is to hold.
    """
    content: dict[str, Any] = {
        kind: {"schema": {"type": "string", "format": "binary"}} for kind in kinds
    }
    if body is not None:
        content["application/json"] = {"schema": body.model_json_schema()}
    return {"requestBody": {"required": True, "content": content}}


class Described(FastAPI):
    """An application that is described as it is.

    FastAPI describes a status 422, which is a 400 here; and it cannot know of the token.
    """

    access: Access

    def openapi(self) -> dict[str, Any]:
        """Return the description."""
        if self.openapi_schema is None:
            made = super().openapi()
            has_token = self.access.token is not None
            for path in made["paths"].values():
                for operation in path.values():
                    operation["responses"].pop("422", None)
                    if not has_token:
                        operation["responses"].pop("401", None)
            parts = made["components"]
            for name in ("HTTPValidationError", "ValidationError"):
                parts["schemas"].pop(name, None)
            if has_token:
                cookie = {"type": "apiKey", "in": "cookie", "name": self.access.cookie}
                parts["securitySchemes"] = {"token": cookie}
                made["security"] = [{"token": []}]
        assert self.openapi_schema is not None
        return self.openapi_schema
