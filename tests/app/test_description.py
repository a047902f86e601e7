"""The OpenAPI description says what is so: schemathesis asks by it, and checks every answer."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig

from app.conftest import COLOURS, picture, running
from wordsight import CrossModalClassifier
from wordsight.app.access import Access
from wordsight.app.description import PICTURE_KINDS
from wordsight.app.server import create_app
from wordsight.app.session import Session
from wordsight.exploration.gallery import Gallery

CHECKS = {
    # a word that the model does not know is a sound request, and refused like one that is not
    "positive_data_acceptance": {"expected-statuses": ["2xx", "400", "404"]},
    "negative_data_rejection": {"expected-statuses": ["400", "401", "404", "405", "413", "415"]},
}

ROUTES = {
    ("GET", "/api/health"),
    ("GET", "/api/session"),
    ("GET", "/api/map"),
    ("GET", "/api/gate"),
    ("GET", "/api/images/{i}"),
    ("GET", "/api/images/{i}/about"),
    ("GET", "/api/prototype"),
    ("POST", "/api/threshold"),
    ("POST", "/api/classify"),
    ("POST", "/api/teach/preview"),
    ("POST", "/api/teach"),
    ("POST", "/api/forget"),
    ("POST", "/api/undo"),
    ("POST", "/api/save"),
    ("POST", "/api/ask"),
}
WITHOUT_INPUT = {
    ("GET", "/api/health"),
    ("GET", "/api/session"),
    ("GET", "/api/gate"),
    ("POST", "/api/undo"),
}
SETTINGS = settings(
    max_examples=10,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
ANSWERED: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/api/images/{i}", {"path_parameters": {"i": 3}}),
    ("GET", "/api/images/{i}/about", {"path_parameters": {"i": 3}}),
    ("GET", "/api/map", {"query": {"since": "tsne"}}),
    ("GET", "/api/prototype", {"query": {"word": "red"}}),
    ("POST", "/api/threshold", {"body": {"value": 0.5}}),
    ("POST", "/api/threshold", {"body": {"value": None}}),
    ("POST", "/api/classify", {"body": {"i": 3}}),
    ("POST", "/api/classify", {"body": picture(), "media_type": "image/png"}),
    ("POST", "/api/teach/preview", {"body": {"name": "cyan"}}),
    ("POST", "/api/teach", {"body": {"name": "cyan"}}),
    ("POST", "/api/teach/preview", {"body": {"name": "cyan"}}),
    ("POST", "/api/undo", {}),
    ("POST", "/api/forget", {"body": {"name": "yellow"}}),
    ("GET", "/api/gate", {}),
    ("POST", "/api/undo", {}),
    ("GET", "/api/gate", {}),
    ("POST", "/api/save", {"body": {"name": "another"}}),
    ("POST", "/api/ask", {"body": {"word": "blue green", "k": 3}}),
]
"""Requests that are answered, in this order; the others above are rarely more than refused."""

for kind in PICTURE_KINDS:
    pictures = st.sampled_from([picture(name) for name in COLOURS])
    schemathesis.openapi.media_type(kind, pictures | st.binary(max_size=99))


@pytest.fixture(scope="module")
def described(
    model: CrossModalClassifier, gallery: Gallery, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """The description of a running explorer, which may be changed and saved."""
    folder = tmp_path_factory.mktemp("saved")
    session = Session(model, "colours", gallery=gallery, save_to=folder)
    with running(session) as access:
        yield schemathesis.openapi.from_url(
            f"{access.address}api/openapi.json",
            config=SchemathesisConfig.from_dict({"checks": CHECKS}),
        )


def test_every_route_is_described(described: Any) -> None:
    found = [one.ok() for one in described.get_all_operations()]
    assert {(each.method.upper(), each.path) for each in found} == ROUTES


def test_what_is_done_is_as_described(described: Any) -> None:
    for method, path, sent in ANSWERED:
        kind = {"media_type": "application/json"} if "body" in sent else {}
        answer = described[path][method].Case(**{**kind, **sent}).call_and_validate()
        assert answer.status_code == 200, (path, answer.text)


TOML = """
hooks = "hooks.py"
[auth.openapi.token]
api_key = "secret"
""" + "".join(
    f"[checks.{name}]\nexpected-statuses = {each['expected-statuses']}\n"
    for name, each in CHECKS.items()
)
HOOKS = f"""
import schemathesis
from hypothesis import strategies as st
for kind in {PICTURE_KINDS!r}:
    schemathesis.openapi.media_type(kind, st.sampled_from([{picture()!r}, b"no picture"]))
"""


SOUND = [(*route, GenerationMode.POSITIVE) for route in sorted(ROUTES)]
UNSOUND = [(*route, GenerationMode.NEGATIVE) for route in sorted(ROUTES - WITHOUT_INPUT)]


@pytest.mark.parametrize(("method", "path", "mode"), SOUND + UNSOUND)
def test_every_answer_is_as_described(
    described: Any, method: str, path: str, mode: GenerationMode
) -> None:
    operation = described[path][method]

    @settings(
        max_examples=10,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(mode))
    def check(case: Any) -> None:
        case.call_and_validate()

    check()


@pytest.mark.slow
def test_the_whole_tool_finds_nothing(session: Session, tmp_path: Path) -> None:
    """All checks and all kinds of requests, over a port, where a token is needed."""
    (tmp_path / "hooks.py").write_text(HOOKS, "utf-8")
    (tmp_path / "schemathesis.toml").write_text(TOML, "utf-8")
    with running(session, lambda host, port: Access(host, port, token="secret")) as access:
        address = f"http://127.0.0.1:{access.port}"
        described = create_app(session, access=access).openapi()
        (tmp_path / "openapi.json").write_text(json.dumps(described), "utf-8")
        done = subprocess.run(
            [
                Path(sys.executable).with_name("schemathesis"), "run", "openapi.json",
                "--url", address, "--checks", "all", "--mode", "all", "--max-examples", "40",
                "--generation-deterministic", "--no-color",
            ],
            cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
