"""A server with the explorer's answers and made-up data: the page alone is under test.

No model is trained: 10,000 points lie about their words, and every number is drawn.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
from PIL import Image

import wordsight
from wordsight.data.scenes import draw_scene
from wordsight.metrics import seen_unseen_curve

STATIC = Path(wordsight.__file__).parent / "app" / "static"
CSP = (
    "default-src 'self'; img-src 'self' blob: data:; style-src 'self'; script-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
SEEN = ["red square", "red star", "gold circle", "gold cross", "green circle", "green heart"]
SEEN += ["blue square", "blue star", "pink cross"]
UNSEEN = ["red circle", "gold star", "violet heart"]
UPLOAD_BYTES = 2_000_000


class RefusedError(Exception):
    """A request that is answered by a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass
class MadeUp:
    """The state behind the answers."""

    n: int = 10_000
    labelled: bool = True
    with_data: bool = True
    text_model: bool = False
    gate: str = "hard"
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(0)
        self.added: list[str] = []
        self.undo: list[list[str]] = []
        self.revision, self.threshold, self.refined = 1, 0.0, False
        self.names = SEEN + UNSEEN
        self.label = rng.integers(0, len(self.names), self.n)
        angle = 2 * np.pi * np.arange(len(self.names)) / len(self.names)
        self.word_xy = np.stack([np.cos(angle), np.sin(angle)], 1) * 3
        self.xy = {
            "pca": self.word_xy[self.label] * 0.6 + rng.normal(0, 0.9, (self.n, 2)),
            "tsne": self.word_xy[self.label] * 1.2 + rng.normal(0, 0.45, (self.n, 2)),
        }
        is_unseen = self.label >= len(SEEN)
        self.score = rng.normal(np.where(is_unseen, 1.2, -1.6), 1.3)
        right = rng.random(self.n) < 0.8
        guess = rng.integers(0, len(SEEN), self.n)
        self.seen_guess = np.where(right & ~is_unseen, self.label, guess)
        other = rng.integers(len(SEEN), len(self.names), self.n)
        self.unseen_guess = np.where(right & is_unseen, self.label, other)
        self.proba = rng.uniform(0.3, 1, self.n)

    def classes(self) -> list[dict[str, Any]]:
        kinds = [(name, "seen") for name in SEEN] + [(n, "unseen") for n in UNSEEN + self.added]
        return [{"name": n, "kind": k, "added": n in self.added} for n, k in kinds]

    def session(self) -> dict[str, Any]:
        return {
            "version": "0.1.0",
            "model": {
                "name": "scenes-model",
                "gate": self.gate,
                "detector": "GaussianNovelty",
                "threshold": self.threshold,
                "map": "LinearMap",
                "n_features": 1600,
                "trained_on": "made-up pictures",
                "describes": False,
                "has_text_model": self.text_model,
            },
            "classes": self.classes(),
            "data": {
                "name": "scenes",
                "n": self.n,
                "n_broken": 1,
                "labelled": self.labelled,
                "class_names": self.names,
            }
            if self.with_data
            else None,
            "limits": {"upload_bytes": UPLOAD_BYTES, "image_pixels": 50_000_000, "classes": 1000},
            "revision": self.revision,
            "can_undo": bool(self.undo),
        }

    def predicted(self) -> np.ndarray[Any, Any]:
        return np.where(self.score > self.threshold, self.unseen_guess, self.seen_guess)

    def map(self, since: str | None) -> dict[str, Any] | None:
        kind = "tsne" if self.refined or since == "pca" else "pca"
        if since == "tsne":
            return None
        self.refined = kind == "tsne"
        xy = self.xy[kind].round(4)
        names = self.names + self.added
        words = np.vstack([self.word_xy, np.tile([[0.4, 0.4]], (len(self.added), 1))])
        return {
            "revision": self.revision,
            "layout": {"kind": kind, "refining": kind == "pca", "progress": None},
            "points": {
                "x": xy[:, 0].tolist(),
                "y": xy[:, 1].tolist(),
                "label": (self.label if self.labelled else np.full(self.n, -1)).tolist(),
                "predicted": self.predicted().tolist(),
                "novelty": self.score.round(4).tolist(),
                "novel": (self.score > self.threshold).astype(int).tolist(),
                "proba": self.proba.round(3).tolist(),
            },
            "words": [
                {"name": name, "kind": "seen" if name in SEEN else "unseen", "x": x, "y": y}
                for name, (x, y) in zip(names, words.tolist(), strict=True)
            ],
            "class_names": self.names,
        }

    def gate_answer(self) -> dict[str, Any]:
        return {
            "revision": self.revision,
            "score": self.score.tolist(),
            "seen_guess": self.seen_guess.tolist(),
            "unseen_guess": self.unseen_guess.tolist(),
            "truth": (self.label if self.labelled else np.full(self.n, -1)).tolist(),
            "threshold": self.threshold,
            "curve": self.curve() if self.labelled else None,
        }

    def curve(self) -> dict[str, Any]:
        names = np.array(self.names)
        found = seen_unseen_curve(
            names[self.label],
            names[self.seen_guess],
            names[self.unseen_guess],
            self.score,
            seen=SEEN,
            unseen=UNSEEN,
        )
        above = found.thresholds - 1e-9  # the page takes what is above for novel
        at = int(np.flatnonzero(found.thresholds == found.best_threshold)[0])
        return {
            "threshold": above[1:].tolist(),
            "seen": found.seen_accuracy[1:].tolist(),
            "unseen": found.unseen_accuracy[1:].tolist(),
            "area": found.area,
            "best": {
                "threshold": float(above[at]),
                "harmonic_mean": found.best_harmonic_mean,
                "seen": float(found.seen_accuracy[at]),
                "unseen": float(found.unseen_accuracy[at]),
            },
        }

    def about(self, i: int) -> dict[str, Any]:
        return {
            "i": i,
            "row": i,
            "name": f"{i}.png",
            "label": self.names[self.label[i]] if self.labelled else "",
            "predicted": self.classes()[int(self.predicted()[i])]["name"],
            "probability": float(self.proba[i]),
            "novelty_score": float(self.score[i]),
            "novelty_proba": float(1 / (1 + np.exp(-self.score[i]))),
            "is_novel": bool(self.score[i] > self.threshold),
            "top": self.shares(),
            "nearest_words": self.near_words(),
        }

    def shares(self) -> list[dict[str, Any]]:
        left = [0.62, 0.2, 0.1, 0.05]
        return [
            {"name": c["name"], "kind": c["kind"], "p": left[k] if k < len(left) else 0.003}
            for k, c in enumerate(reversed(self.classes()))
        ]

    def near_words(self) -> list[dict[str, Any]]:
        near = ["circle", "ring", "round", "sphere", "oval", "disc"]
        return [{"word": w, "similarity": 0.81 - 0.06 * k} for k, w in enumerate(near)]

    def classify(self, body: bytes, kind: str) -> dict[str, Any]:
        if kind == "application/json":
            i = int(json.loads(body)["i"])
            score, (x, y) = float(self.score[i]), self.xy["tsne"][i].tolist()
        else:
            try:
                Image.open(BytesIO(body)).load()
            except (OSError, SyntaxError) as error:
                raise RefusedError(
                    422, "the upload is no picture that can be read; give PNG or JPEG"
                ) from error
            score, (x, y) = 1.5, (0.5, 0.5)
        near = np.argsort(np.abs(self.score - score))[:8]
        return {
            "width": 32,
            "height": 32,
            "novelty_score": score,
            "novelty_proba": float(1 / (1 + np.exp(-score))),
            "is_novel": score > self.threshold,
            "threshold": self.threshold,
            "classes": self.shares(),
            "nearest_words": self.near_words(),
            "nearest_images": [
                {"i": int(i), "label": self.names[self.label[i]], "similarity": 0.9} for i in near
            ],
            "x": x,
            "y": y,
            "milliseconds": 41.5,
        }

    def preview(self, body: dict[str, Any]) -> dict[str, Any]:
        name = body["name"].strip()
        if name == "qzxv":
            raise RefusedError(
                422, "no word vector for 'qzxv'; near: quiz, quartz (name it by known words)"
            )
        return {
            "name": name,
            "source": "composed" if " " in name else "word",
            "parts": name.split(),
            "neighbours": self.near_words(),
            "n_taken": 482,
            "taken_from": [
                {"name": "red square", "count": 310},
                {"name": "gold star", "count": 172},
            ],
            "examples": list(range(12)),
            "already": any(c["name"] == name for c in self.classes()),
        }

    def change(self, added: list[str]) -> dict[str, Any]:
        self.undo.append(self.added)
        self.added, self.revision = added, self.revision + 1
        return self.session()

    def ask(self, body: dict[str, Any]) -> dict[str, Any]:
        if body["word"] == "qzxv":
            raise RefusedError(
                422, "no word vector for 'qzxv'; near: quiz, quartz (ask a known word)"
            )
        return {
            "word": body["word"],
            "parts": body["word"].split(),
            "images": [{"i": i, "similarity": 0.9 - i / 100} for i in range(24)],
            "average_colour": [176, 62, 58],
            "nearest_words": self.near_words(),
        }

    def image(self, i: int) -> bytes:
        picture = draw_scene(self.names[self.label[i]], i % 40).image
        return _png(Image.fromarray(picture).resize((128, 128), Image.Resampling.NEAREST))

    def answer(self, method: str, url: str, body: bytes, kind: str) -> tuple[Any, str]:
        """Give what to send and its type; bytes as they are, all else as JSON."""
        path, query = urlsplit(url).path, parse_qs(urlsplit(url).query)
        parts = path.strip("/").split("/")
        if method == "GET" and not path.startswith("/api/"):
            file = STATIC / (parts[-1] if path != "/" else "index.html")
            return file.read_bytes(), TYPES[file.suffix]
        if parts[1] == "images":
            i = int(parts[2])
            return (self.about(i), "json") if len(parts) == 4 else (self.image(i), "image/png")
        if parts[1] == "prototype":
            return self.image(3), "image/png"
        if parts[1] == "classify":
            return self.classify(body, kind), "json"
        sent = json.loads(body) if body else {}
        answers: dict[str, Callable[[], Any]] = {
            "session": self.session,
            "health": lambda: {"ok": True},
            "map": lambda: self.map(query.get("since", [None])[0]),
            "gate": self.gate_answer,
            "ask": lambda: self.ask(sent),
            "threshold": lambda: self.set_threshold(sent["value"]),
            "teach/preview": lambda: self.preview(sent),
            "teach": lambda: self.change([*self.added, sent["name"]]),
            "forget": lambda: self.change([n for n in self.added if n != sent["name"]]),
            "undo": self.take_back,
            "save": lambda: {"path": f"/models/{sent['name']}"},
        }
        return answers["/".join(parts[1:])](), "json"

    def set_threshold(self, value: float | None) -> dict[str, Any]:
        self.threshold = 0.0 if value is None else value
        return self.session()

    def take_back(self) -> dict[str, Any]:
        self.added, self.revision = self.undo.pop(), self.revision + 1
        return self.session()


def _png(image: Image.Image) -> bytes:
    stream = BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


@contextmanager
def served(made_up: MadeUp, port: int = 0) -> Iterator[str]:
    """Serve the page and these answers on this machine; gives the address."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            self.reply("GET", b"")

        def do_POST(self) -> None:
            self.reply("POST", self.rfile.read(int(self.headers["Content-Length"] or 0)))

        def reply(self, method: str, body: bytes) -> None:
            made_up.requests.append(f"{method} {self.path}")
            kind, status = self.headers.get("Content-Type", ""), 200
            try:
                content, of_type = made_up.answer(method, self.path, body, kind)
            except RefusedError as refused:
                content, of_type, status = {"error": str(refused)}, "json", refused.status
            if content is None:
                status, content = 204, b""
            elif of_type == "json":
                content, of_type = json.dumps(content).encode(), "application/json"
            self.send_response(status)
            self.send_header("Content-Type", of_type)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Content-Security-Policy", CSP)
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    with served(MadeUp(), 8765) as address:
        threading.Event().wait()
