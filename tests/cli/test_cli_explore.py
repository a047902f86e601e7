"""``wordsight explore``: what it opens, what it refuses, and how it ends."""

import json
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image
from starlette.testclient import TestClient

from cli.runs import SEEN, UNSEEN, Run, Runner, check_failed, command, contents
from wordsight.app.serving import listen


class Opened:
    """What ``explore`` would have served."""

    def __init__(self, app: Any, address: str, browser: bool) -> None:
        self.address, self.browser = address, browser
        parts = urlsplit(address)
        self.client = TestClient(app, base_url=f"{parts.scheme}://{parts.netloc}")

    def get(self, path: str) -> Any:
        reply = self.client.get(f"/api/{path}")
        assert reply.status_code == 200, reply.text
        return reply.json()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Opened]]:
    """Apps that are not served but kept, to be asked by the test."""
    kept: list[Opened] = []

    def serve(app: Any, taken: socket.socket, address: str, *, browser: bool) -> None:
        kept.append(Opened(app, address, browser))

    monkeypatch.setattr("wordsight.app.serving.serve", serve)
    yield kept


def test_a_model_and_its_data(
    run: Runner, model: Path, scenes: Path, tmp_path: Path, opened: list[Opened]
) -> None:
    done = run("explore", model, scenes, "--port", "0", "--cache", tmp_path / "cache")
    (explorer,) = opened
    assert (done.code, done.out) == (0, explorer.address + "\n")
    assert "Ctrl-C" in done.err
    assert explorer.browser
    told = explorer.get("session")
    assert {one["name"] for one in told["classes"]} == {*SEEN, *UNSEEN}
    # the test split: five pictures of each of six classes
    assert (told["data"]["name"], told["data"]["n"]) == ("scenes, test split", 30)
    assert told["model"]["name"] == "model"
    assert explorer.get("map")["layout"]["kind"] in {"pca", "tsne"}
    assert {path.split("/")[0] for path in contents(tmp_path / "cache")} >= {
        "features",
        "galleries",
    }


def test_options(
    run: Runner, model: Path, scenes: Path, tmp_path: Path, opened: list[Opened]
) -> None:
    settings = (
        "--port", "0", "--no-browser", "--split", "train", "--limit", "7", "--seed", "3",
        "--layout", "pca", "--upload-limit", "1", "--cache", tmp_path / "cache",
        "--save-to", tmp_path, "--device", "cpu", "--quiet",
    )  # fmt: skip
    done = run("explore", model, scenes, *settings)
    (explorer,) = opened
    assert done == Run(0, explorer.address + "\n", "")
    assert not explorer.browser
    told = explorer.get("session")
    assert (told["data"]["name"], told["data"]["n"]) == ("scenes, train split", 7)
    assert told["limits"]["upload_bytes"] == 1_000_000
    reply = explorer.client.post("/api/save", json={"name": "copy"})
    assert reply.json() == {"path": str(tmp_path / "copy")}
    assert (tmp_path / "copy" / "model.safetensors").is_file()
    # the same seed draws the same images, another one others
    for seed in (3, 4):
        run("explore", model, scenes, *settings, "--seed", seed)
    rows = [[one.get(f"images/{i}/about")["row"] for i in range(7)] for one in opened]
    assert rows[0] == rows[1] != rows[2]


def test_a_model_alone(run: Runner, model: Path, opened: list[Opened]) -> None:
    assert run("explore", model, "--port", "0", "--no-browser").code == 0
    told = opened[0].get("session")
    assert told["data"] is None
    assert opened[0].client.get("/api/map").status_code == 404


def test_broken_images_are_told(
    run: Runner, model: Path, tmp_path: Path, opened: list[Opened]
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.new("RGB", (16, 16), "red").save(folder / "a.png")
    (folder / "b.png").write_bytes(b"no picture")
    done = run(
        "explore", model, folder, "--port", "0", "--no-browser", "--cache", tmp_path / "cache"
    )
    assert done.code == 0
    assert "1 images cannot be read" in done.err
    assert "b.png" in done.err
    told = opened[0].get("session")["data"]
    assert (told["n"], told["n_broken"], told["labelled"]) == (1, 1, False)
    assert opened[0].get("gate")["curve"] is None
    assert opened[0].get("map")["points"]["label"] == [-1]


def test_words_that_names_are_looked_up_in(
    run: Runner, model: Path, tmp_path: Path, opened: list[Opened]
) -> None:
    path = tmp_path / "words.txt"
    lines = [f"zebra{number} " + " ".join([str(number + 1)] * 50) for number in range(3)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert run("explore", model, "--port", "0", "--words", path).code == 0
    told = opened[0].client.post("/api/teach/preview", json={"name": "zebra0"}).json()
    assert [near["word"] for near in told["neighbours"]] == ["zebra1", "zebra2"]


def test_other_machines_need_the_token(run: Runner, model: Path, opened: list[Opened]) -> None:
    done = run("explore", model, "--host", "0.0.0.0", "--port", "0", "--no-browser")
    assert done.code == 0
    token = urlsplit(opened[0].address).query.removeprefix("token=")
    assert len(token) >= 32
    assert opened[0].client.get("/api/session").status_code == 401
    assert opened[0].client.get(f"/?token={token}", follow_redirects=False).status_code == 303
    assert opened[0].client.get("/api/session").status_code == 200


def test_the_commands_of_the_guide_run(
    run: Runner,
    model: Path,
    scenes: Path,
    tmp_path: Path,
    opened: list[Opened],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("explorer", "cli"):
        page = Path(__file__).parents[2] / "docs" / f"{name}.md"
        text = page.read_text(encoding="utf-8")
        commands = [
            shlex.split(line)[1:]
            for line in text.splitlines()
            if line.startswith("wordsight explore ")
        ]
        assert commands
        for number, arguments in enumerate(commands):
            here = tmp_path / f"{name} {number}"
            here.mkdir()
            shutil.copytree(model, here / "model")
            for data in ("photos", "cifar10"):
                (here / data).symlink_to(scenes)
            monkeypatch.chdir(here)
            monkeypatch.setenv("WORDSIGHT_CACHE", str(tmp_path / "cache"))
            assert run(*arguments, "--port", "0").code == 0
            has_data = bool({"photos/", "cifar10/"} & set(arguments))
            assert (opened[-1].get("session")["data"] is not None) == has_data
    assert (tmp_path / "cache" / "explorer" / "galleries").is_dir()


def test_a_fault_is_told_in_a_line(
    run: Runner, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def serve(app: Any, taken: socket.socket, address: str, *, browser: bool) -> None:
        def broken(*arguments: Any) -> None:
            raise RuntimeError("of its own")

        monkeypatch.setattr("wordsight.app.routes.session_view", broken)
        opened = Opened(app, address, browser)
        assert opened.client.get("/api/session").status_code == 500

    monkeypatch.setattr("wordsight.app.serving.serve", serve)
    quiet = run("explore", model, "--port", "0")
    assert "wordsight: warning: a request failed: GET /api/session: RuntimeError" in quiet.err
    assert "Traceback" not in quiet.err
    assert "Traceback" in run("explore", model, "--port", "0", "--debug").err


# what is refused


def test_a_port_in_use_is_misuse(run: Runner, model: Path) -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        check_failed(
            run("explore", model, "--port", port), 2, f"port {port} is in use", "another", "--port"
        )


def test_what_is_not_there(run: Runner, model: Path, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    check_failed(run("explore", nowhere, "--port", "0"), 2, "there is no model")
    check_failed(run("explore", model, nowhere, "--port", "0"), 2, "there is no file or folder")
    check_failed(run("explore", model, "--port", "0", "--save-to", nowhere), 2, "--save-to")
    check_failed(run("explore", model, "--host", "192.0.2.1"), 2, "192.0.2.1", "--host")
    check_failed(
        run("explore", model, "--port", "0", "--text-model", nowhere), 2, "no sentence-transformers"
    )


def test_umap_that_is_not_installed(
    run: Runner, model: Path, scenes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wordsight.exploration.layout.umap_is_installed", lambda: False)
    done = run("explore", model, scenes, "--port", "0", "--layout", "umap")
    check_failed(done, 2, "umap-learn is not installed")


def test_the_extra_is_named_where_it_is_missing(model: Path) -> None:
    script = (
        "import sys; import wordsight.cli as c; sys.modules['uvicorn'] = None;"
        f"sys.exit(c.main(['explore', {str(model)!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    failed = Run(done.returncode, done.stdout, done.stderr)
    check_failed(failed, 1, "pip install 'wordsight[app]'")


# a real one


@pytest.mark.slow
def test_from_the_first_view_to_ctrl_c(model: Path, scenes: Path, tmp_path: Path) -> None:
    own = shutil.copytree(model, tmp_path / "models" / "model")
    process = subprocess.Popen(
        command("explore", own, scenes, "--port", "0", "--no-browser", "--cache", tmp_path / "c"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a test run in the background has SIGINT ignored, and so would its children
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    try:
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(address, timeout=60) as page:
            assert b"<title>" in page.read()

        def post(path: str, **sent: Any) -> Any:
            request = urllib.request.Request(
                f"{address}api/{path}", json.dumps(sent).encode(),
                {"Content-Type": "application/json"},
            )  # fmt: skip
            with urllib.request.urlopen(request, timeout=60) as reply:
                return json.load(reply)

        shutil.rmtree(own)  # the model that is open
        assert post("teach", name="pink heart")["classes"][-1]["name"] == "pink heart"
        assert post("classify", i=0)["width"] == 16
        shutil.rmtree(tmp_path / "models")  # and the place to save to
        with pytest.raises(urllib.error.HTTPError) as refused:
            post("save", name="late")
        assert "is gone" in json.load(refused.value)["error"]
    finally:
        for _ in range(2):  # as people do
            process.send_signal(signal.SIGINT)
            time.sleep(0.02)
        _out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "were changed, and not saved" in err
    assert err.splitlines()[-1].startswith("wordsight: error: interrupted")
    port = urlsplit(address).port
    assert port is not None
    listen("127.0.0.1", port).close()  # it is free again
