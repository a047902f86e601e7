"""The explorer under load: few and many clients, each with a connection of its own."""

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.benchmark import Benchmark, Failed, Outcome, Setting, Target
from benchmarks.crowd import Crowd, Explorer, Heard, Request, running_explorer
from benchmarks.material import room, small_model, write_pngs

__all__ = ["BENCHMARK", "differences", "mixed"]

_N_IMAGES = 360


def run(setting: Setting) -> Outcome:
    """Ask the same from a new explorer each time, by one client, by 32 and by 1,000."""
    n_atoms, n_requests = (50, 200) if setting.quick else (1600, 2000)
    sizes = (1, 100) if setting.quick else (1, 32, 1000)
    # whatever else the machine does counts: here both sides want all of it
    facts: dict[str, Any] = {"n_requests": n_requests, "load_of_the_machine": os.getloadavg()[0]}
    with room() as folder:
        small_model(folder / "model", n_atoms=n_atoms)
        write_pngs(folder / "data", _N_IMAGES)
        requests = mixed(folder / "data", n_requests)
        for size in sizes:
            with running_explorer(folder / "model", folder / "data", folder / "cache") as explorer:
                alone = Crowd(explorer.port, 1).ask(sorted(set(requests), key=str))
                before = explorer.memory()
                start = time.perf_counter()
                heard = Crowd(explorer.port, size, patient=True).ask(requests)
                seconds = time.perf_counter() - start
                facts[f"{size:,} at once"] = _told(heard, seconds, explorer)
                added = explorer.memory() - before
                if explorer.process.poll() is not None:
                    raise Failed(f"the explorer ended under {size:,} clients")
            wrong = len(differences(heard, alone))
    return Outcome(
        [],
        {"wrong": float(wrong), "memory": added},
        unit="request",
        facts=facts,
    )


def mixed(data: Path, n: int) -> list[Request]:
    """Return n requests of all kinds that change nothing: an eighth each.

    Parameters
    ----------
    data : Path
        The images that the explorer shows, which are dropped on it, too.
    n : int
    """
    uploads = [file.read_bytes() for file in sorted(data.iterdir())]
    kinds = [
        lambda i: Request("/api/session"),
        lambda i: Request("/api/map"),
        lambda i: Request("/api/gate"),
        lambda i: Request("/static/explorer.js"),
        lambda i: Request(f"/api/images/{i}"),
        lambda i: Request(f"/api/images/{i}/about"),
        lambda i: Request.of_json("/api/ask", word="red circle", k=1 + i % 10),
        lambda i: Request("/api/classify", uploads[i], "image/png"),
    ]
    return [kinds[i % len(kinds)](i // len(kinds) % len(uploads)) for i in range(n)]


def differences(heard: list[Heard], alone: list[Heard]) -> list[Heard]:
    """Return the answers that are not those to the same requests alone."""
    right = {each.request: _lasting(each) for each in alone}
    return [each for each in heard if each.status != 200 or _lasting(each) != right[each.request]]


def _lasting(heard: Heard) -> Any:
    """Return what an answer has to say each time it is asked for."""
    if heard.headers.get("content-type") != "application/json":
        return heard.body
    said = json.loads(heard.body)
    said.pop("milliseconds", None)
    return said


def _told(heard: list[Heard], seconds: float, explorer: Explorer) -> dict[str, Any]:
    p50, p99 = np.percentile([1e3 * each.seconds for each in heard], [50, 99]).tolist()
    return {
        "requests_per_second": len(heard) / seconds,
        "p50_ms": p50,
        "p99_ms": p99,
        "told_to_come_again": sum(each.n_refused for each in heard),
        "peak_megabytes": explorer.memory(),
    }


BENCHMARK = Benchmark(
    name="explorer",
    title="Explorer under load",
    about="`wordsight explore` with a model of 1,600 atoms and 360 images in a process of its own, "
    "asked 2,000 times by clients on the same cores: session, map, gate, a script, images, what is "
    "said of them, words and dropped pictures, an eighth each. Clients keep their connections, and "
    "come again a second after they are told to; times run until the answer is there.",
    targets=(
        Target(
            "memory",
            "explorer: memory that 1,000 clients at once take beyond one",
            250.0,
            "MB",
        ),
        Target(
            "wrong",
            "answers to 1,000 clients at once that are wrong or missing",
            0.0,
            agreement=True,
        ),
    ),
    run=run,
)
