"""Every route of the explorer, on a model and pictures whose answers are known beforehand."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from app.conftest import N_OF_EACH, SEEN, SHOWN, json_of, picture, solid
from wordsight import CrossModalClassifier, __version__
from wordsight.exploration.gallery import Gallery

CLASSES = [*SEEN, "yellow"]
LABELS = np.repeat(SHOWN, N_OF_EACH)
PREDICTED = ["yellow" if name == "cyan" else name for name in LABELS]
JUDGED_NOVEL = np.isin(LABELS, ["cyan", "yellow"])


def names(entries: list[dict[str, Any]]) -> list[str]:
    return [entry["name"] for entry in entries]


def test_health(client: TestClient) -> None:
    assert json_of(client.get("/api/health")) == {"ok": True}


# session


def test_session(client: TestClient) -> None:
    told = json_of(client.get("/api/session"))
    assert told["version"] == __version__
    assert told["model"] == {
        "name": "colours",
        "gate": "hard",
        "detector": "GaussianNovelty",
        "threshold": 0.0,
        "map": "LinearMap",
        "n_features": 3,
        "trained_on": None,
        "describes": False,
        "has_text_model": False,
    }
    assert told["classes"] == [
        {"name": name, "kind": "unseen" if name == "yellow" else "seen", "added": False}
        for name in CLASSES
    ]
    assert told["data"] == {
        "name": "folder",
        "n": len(LABELS),
        "n_broken": 1,
        "labelled": True,
        "class_names": list(SHOWN),
    }
    assert told["limits"] == {
        "upload_bytes": 25_000_000,
        "image_pixels": 100_000_000,
        "classes": 1000,
    }
    assert (told["revision"], told["can_undo"]) == (0, False)


def test_without_data(without_data: TestClient) -> None:
    assert json_of(without_data.get("/api/session"))["data"] is None
    for view in ("map", "gate", "images/0", "images/0/about"):
        told = json_of(without_data.get(f"/api/{view}"), 404)
        assert "no images were given" in told["error"]
        assert "wordsight explore" in told["error"]
    for view, sent in (("ask", {"word": "red"}), ("classify", {"i": 0})):
        assert "no images" in json_of(without_data.post(f"/api/{view}", json=sent), 404)["error"]


def test_what_needs_no_data(without_data: TestClient) -> None:
    told = json_of(without_data.post("/api/classify", content=picture("red")))
    assert told["classes"][0]["name"] == "red"
    assert (told["nearest_images"], told["x"], told["y"]) == ([], None, None)
    seen = json_of(without_data.post("/api/teach/preview", json={"name": "cyan"}))
    assert (seen["source"], seen["n_taken"], seen["examples"]) == ("word", 0, [])
    # cosines with (0, 1, 1): dark 0.5 / √(0.14 · 2) = 0.9449, green and blue 1 / √2
    assert seen["neighbours"][0] == {"word": "dark", "similarity": pytest.approx(0.9449, abs=1e-4)}
    assert [near["word"] for near in seen["neighbours"][1:3]] == ["green", "blue"]
    told = json_of(without_data.post("/api/teach", json={"name": "cyan"}))
    assert names(told["classes"]) == [*CLASSES, "cyan"]
    cyan = json_of(without_data.post("/api/classify", content=picture("cyan")))
    assert cyan["classes"][0]["name"] == "cyan"


# map


def test_map(client: TestClient) -> None:
    told = json_of(client.get("/api/map"))
    assert told["layout"] == {"kind": "pca", "refining": False, "progress": None}
    assert told["class_names"] == list(SHOWN)
    points = told["points"]
    assert [SHOWN[code] for code in points["label"]] == LABELS.tolist()
    assert [CLASSES[code] for code in points["predicted"]] == PREDICTED
    assert points["novel"] == JUDGED_NOVEL.astype(int).tolist()
    assert ((np.array(points["novelty"]) > 0) == JUDGED_NOVEL).all()
    assert all(0.5 < p <= 1 for p in points["proba"])
    assert names(told["words"]) == CLASSES
    assert len(points["x"]) == len(points["y"]) == len(LABELS)


def test_images_of_a_class_lie_together_and_by_their_word(client: TestClient) -> None:
    told = json_of(client.get("/api/map"))
    places = np.column_stack([told["points"]["x"], told["points"]["y"]])
    words = {word["name"]: (word["x"], word["y"]) for word in told["words"]}
    for name in SEEN:
        own = np.linalg.norm(places[name == LABELS] - words[name], axis=1)
        others = np.linalg.norm(places[name != LABELS] - words[name], axis=1)
        assert own.max() < others.min()


def test_nothing_new_of_a_layout_that_is_done_is_told_at_once(client: TestClient) -> None:
    # nothing will come, and whoever waits is to know that
    told = json_of(client.get("/api/map", params={"since": "pca"}))
    assert told["layout"]["refining"] is False


# images


def test_image_is_enlarged_pixel_by_pixel(client: TestClient, gallery: Gallery) -> None:
    reply = client.get("/api/images/3")
    assert (reply.status_code, reply.headers["content-type"]) == (200, "image/png")
    shown = np.asarray(Image.open(io.BytesIO(reply.content)))
    expected = solid("blue", N_OF_EACH, seed=7)[3].repeat(12, axis=0).repeat(12, axis=1)
    np.testing.assert_array_equal(shown, expected)  # 8 pixels become 96


def test_image_is_not_sent_twice(client: TestClient) -> None:
    first = client.get("/api/images/3")
    again = client.get("/api/images/3", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = client.get("/api/images/4", headers={"If-None-Match": first.headers["etag"]})
    assert other.status_code == 200


@pytest.mark.parametrize("i", ["25", "-1", "999999999999999999999"])
@pytest.mark.parametrize("view", ["", "/about"])
def test_image_that_is_not_there(client: TestClient, i: str, view: str) -> None:
    told = json_of(client.get(f"/api/images/{i}{view}"), 404)
    assert told["error"] == f"there is no image {i}; there are 25, counted from 0"


def test_about_an_image(client: TestClient, gallery: Gallery) -> None:
    i = 22  # the third yellow one
    told = json_of(client.get(f"/api/images/{i}/about"))
    assert told["i"] == i
    assert told["row"] == i + 1  # one that is broken stands before it
    assert told["name"].endswith("yellow/2.png")
    assert (told["label"], told["predicted"], told["is_novel"]) == ("yellow", "yellow", True)
    assert told["top"][0] == {"name": "yellow", "kind": "unseen", "p": told["probability"]}
    assert told["novelty_score"] > 0
    assert told["nearest_words"][0]["word"] in {"yellow", "red"}
    similarities = [near["similarity"] for near in told["nearest_words"]]
    assert similarities == sorted(similarities, reverse=True)


# gate


def test_gate(client: TestClient) -> None:
    told = json_of(client.get("/api/gate"))
    truth = [CLASSES.index(name) if name in CLASSES else -1 for name in LABELS]
    assert told["truth"] == truth
    assert told["unseen_guess"] == [3] * len(LABELS)  # there is one unseen class
    seen_guess = np.array(told["seen_guess"])
    is_seen = np.isin(truth, range(3))
    np.testing.assert_array_equal(seen_guess[is_seen], np.array(truth)[is_seen])
    assert ((np.array(told["score"]) > told["threshold"]) == JUDGED_NOVEL).all()


def test_curve_is_what_counting_gives(client: TestClient) -> None:
    told = json_of(client.get("/api/gate"))
    score, truth = np.array(told["score"]), np.array(told["truth"])
    seen_guess, unseen_guess = np.array(told["seen_guess"]), np.array(told["unseen_guess"])
    curve = told["curve"]
    for threshold, seen, unseen in zip(
        curve["threshold"], curve["seen"], curve["unseen"], strict=True
    ):
        guess = np.where(score > threshold, unseen_guess, seen_guess)
        right = [(guess == truth)[truth == code].mean() for code in range(4)]
        assert seen == pytest.approx(np.mean(right[:3]), abs=1e-4)
        assert unseen == pytest.approx(right[3], abs=1e-4)
    # the two kinds are told apart without a mistake
    assert curve["area"] == 1.0
    best = curve["best"]
    assert (best["harmonic_mean"], best["seen"], best["unseen"]) == (1.0, 1.0, 1.0)
    is_seen, is_yellow = (truth >= 0) & (truth < 3), truth == 3
    assert score[is_seen].max() < best["threshold"] < score[is_yellow].min()


def test_no_curve_without_an_unseen_class(client: TestClient) -> None:
    json_of(client.post("/api/forget", json={"name": "yellow"}))
    told = json_of(client.get("/api/gate"))
    assert told["curve"] is None
    assert set(told["unseen_guess"]) == {-1}
    assert told["truth"][-1] == -1


# threshold


def test_threshold_moves_the_verdicts_and_not_the_scores(client: TestClient) -> None:
    before = json_of(client.get("/api/gate"))
    highest = max(before["score"]) + 1
    told = json_of(client.post("/api/threshold", json={"value": highest}))
    assert told["model"]["threshold"] == pytest.approx(highest, rel=1e-4)
    assert told["revision"] == 0
    after = json_of(client.get("/api/gate"))
    np.testing.assert_allclose(after["score"], before["score"], rtol=1e-5)
    points = json_of(client.get("/api/map"))["points"]
    assert not any(points["novel"])
    assert points["novelty"] == after["score"]
    assert set(points["predicted"]) == {0, 1, 2}
    assert json_of(client.get("/api/images/22/about"))["is_novel"] is False
    # a yellow picture is of a seen class now, by hand and among the data
    for sent in ({"content": picture("yellow")}, {"json": {"i": 22}}):
        told = json_of(client.post("/api/classify", **sent))
        assert (told["is_novel"], told["classes"][0]["kind"]) == (False, "seen")
        assert 0 < told["novelty_score"] < told["threshold"]
    assert json_of(client.post("/api/threshold", json={"value": None}))["model"]["threshold"] == 0
    assert json_of(client.get("/api/map"))["points"]["novel"] == JUDGED_NOVEL.astype(int).tolist()


@pytest.mark.parametrize(
    "sent", ['{"value": "high"}', "{}", '{"value": NaN}', '{"value": 1e999}', '{"value": -1e300}']
)
def test_no_threshold(client: TestClient, sent: str) -> None:
    reply = client.post(
        "/api/threshold", content=sent, headers={"Content-Type": "application/json"}
    )
    assert "error" in json_of(reply, 400)
    assert json_of(client.get("/api/session"))["model"]["threshold"] == 0


# classify


def test_classify_a_dropped_picture(client: TestClient, model: CrossModalClassifier) -> None:
    told = json_of(client.post("/api/classify", content=picture("green")))
    assert (told["width"], told["height"]) == (8, 8)
    assert (told["is_novel"], told["threshold"]) == (False, 0.0)
    assert told["novelty_score"] < 0
    assert names(told["classes"])[0] == "green"
    assert sum(entry["p"] for entry in told["classes"]) == pytest.approx(1, abs=1e-3)
    probabilities = [entry["p"] for entry in told["classes"]]
    assert probabilities == sorted(probabilities, reverse=True)
    assert told["nearest_words"][0]["word"] == "green"
    nearest = told["nearest_images"]
    assert {near["i"] for near in nearest[:N_OF_EACH]} == set(np.flatnonzero(LABELS == "green"))
    assert all(near["label"] == LABELS[near["i"]] for near in nearest)
    assert told["milliseconds"] > 0
    # it lies where the other green pictures lie
    points = json_of(client.get("/api/map"))["points"]
    green = np.column_stack([points["x"], points["y"]])[LABELS == "green"]
    assert np.linalg.norm(green - (told["x"], told["y"]), axis=1).min() < 0.05
    assert model.predict(solid("green", 1, seed=11)) == ["green"]


def test_classify_an_image_of_the_data(client: TestClient) -> None:
    told = json_of(client.post("/api/classify", json={"i": 22}))
    about = json_of(client.get("/api/images/22/about"))
    assert told["classes"][:4] == about["top"]
    assert told["novelty_score"] == about["novelty_score"]
    assert 22 not in [near["i"] for near in told["nearest_images"]]
    points = json_of(client.get("/api/map"))["points"]
    assert (told["x"], told["y"]) == pytest.approx((points["x"][22], points["y"][22]), abs=1e-3)
    assert (
        "there is no image 25"
        in json_of(client.post("/api/classify", json={"i": 25}), 404)["error"]
    )


# teach, forget, undo


def test_preview_changes_nothing(client: TestClient) -> None:
    told = json_of(client.post("/api/teach/preview", json={"name": "cyan"}))
    assert (told["name"], told["source"], told["parts"]) == ("cyan", "word", [])
    assert told["n_taken"] == N_OF_EACH
    assert told["taken_from"] == [{"name": "yellow", "count": N_OF_EACH}]
    assert set(told["examples"]) == set(np.flatnonzero(LABELS == "cyan").tolist())
    assert told["already"] is False
    assert names(json_of(client.get("/api/session"))["classes"]) == CLASSES


def test_preview_of_a_class_that_is_there(client: TestClient) -> None:
    assert json_of(client.post("/api/teach/preview", json={"name": "yellow"}))["already"] is True


def test_preview_of_a_composed_name(client: TestClient) -> None:
    told = json_of(client.post("/api/teach/preview", json={"name": "blue green"}))
    assert (told["source"], told["parts"]) == ("composed", ["blue", "green"])
    # the mean of the two is half of cyan
    assert told["neighbours"][0] == {"word": "cyan", "similarity": pytest.approx(1.0)}


def test_teach_forget_undo(client: TestClient) -> None:
    told = json_of(client.post("/api/teach", json={"name": "cyan"}))
    assert told["classes"][-1] == {"name": "cyan", "kind": "unseen", "added": True}
    assert (told["revision"], told["can_undo"]) == (1, True)
    seen = json_of(client.get("/api/map"))
    assert seen["revision"] == 1
    # now every picture is what it is
    assert [[*CLASSES, "cyan"][code] for code in seen["points"]["predicted"]] == LABELS.tolist()
    assert json_of(client.get("/api/gate"))["truth"][N_OF_EACH] == 4

    told = json_of(client.post("/api/forget", json={"name": "yellow"}))
    assert names(told["classes"]) == [*SEEN, "cyan"]
    assert told["revision"] == 2
    told = json_of(client.post("/api/undo"))
    assert names(told["classes"]) == [*CLASSES, "cyan"]
    assert (told["revision"], told["can_undo"]) == (3, True)
    told = json_of(client.post("/api/undo"))
    assert names(told["classes"]) == CLASSES
    assert (told["revision"], told["can_undo"]) == (4, False)
    points = json_of(client.get("/api/map"))["points"]
    assert [CLASSES[code] for code in points["predicted"]] == PREDICTED
    assert "none to undo" in json_of(client.post("/api/undo"), 400)["error"]


def test_a_word_that_is_taught_does_not_move_the_others(client: TestClient) -> None:
    before = json_of(client.get("/api/map"))
    json_of(client.post("/api/teach", json={"name": "cyan"}))
    after = json_of(client.get("/api/map"))
    assert after["words"][: len(CLASSES)] == before["words"]
    assert (after["points"]["x"], after["points"]["y"]) == (
        before["points"]["x"],
        before["points"]["y"],
    )
    cyan = after["words"][-1]
    points = np.column_stack([after["points"]["x"], after["points"]["y"]])
    nearest = np.linalg.norm(points - (cyan["x"], cyan["y"]), axis=1).argmin()
    assert LABELS[nearest] == "cyan"


@pytest.mark.parametrize(
    ("view", "sent", "said"),
    [
        ("teach", {"name": "yellow"}, "yellow is a class of the model already"),
        ("teach", {"name": "red"}, "red is a class of the model already"),
        ("teach", {"name": "mauve"}, "no word vector for 'mauve'"),
        ("teach", {"name": " "}, "no name"),
        ("teach", {"name": "cyan", "description": "blue and green"}, "--text-model"),
        ("teach", {"name": "x" * 201}, "at most 200 characters"),
        ("teach/preview", {"name": "mauve"}, "no word vector for 'mauve'"),
        ("teach/preview", {"name": ""}, "no name"),
        ("forget", {"name": "red"}, "red is a seen class"),
        ("forget", {"name": "mauve"}, "mauve is not a class of the model"),
        ("ask", {"word": "mauve"}, "no word vector for 'mauve'"),
        ("ask", {"word": "red", "k": 0}, "greater than or equal to 1"),
        ("ask", {"word": ["red"]}, "valid string"),
        ("ask", {"word": "red", "path": "/etc/passwd"}, "path"),
        ("ask", [], "expected JSON with word, k"),
    ],
)
def test_what_cannot_be_done_is_said(client: TestClient, view: str, sent: Any, said: str) -> None:
    told = json_of(client.post(f"/api/{view}", json=sent), 400)
    assert said in told["error"]
    assert json_of(client.get("/api/session"))["revision"] == 0


# ask


def test_ask(client: TestClient) -> None:
    told = json_of(client.post("/api/ask", json={"word": "red", "k": N_OF_EACH}))
    assert (told["word"], told["parts"]) == ("red", [])
    assert {image["i"] for image in told["images"]} == set(np.flatnonzero(LABELS == "red").tolist())
    # cosines with (1, 0, 0): yellow 1 / √2, dark 0.1 / √0.14
    assert told["nearest_words"][0]["word"] == "yellow"
    assert told["nearest_words"][0]["similarity"] == pytest.approx(2**-0.5, abs=1e-4)


def test_average_colour_of_one_picture_is_its_colour(client: TestClient) -> None:
    told = json_of(client.post("/api/ask", json={"word": "blue", "k": 1}))
    (image,) = told["images"]
    pixels = solid("blue", N_OF_EACH, seed=7)[image["i"]]  # the blue ones stand first
    assert told["average_colour"] == pixels[0, 0].tolist()


# the page itself, and what is not there


def test_unknown_routes_are_json(client: TestClient) -> None:
    told = json_of(client.get("/api/nothing"), 404)
    assert told == {"error": "there is nothing at /api/nothing"}
    assert "error" in json_of(client.get("/api/health/", follow_redirects=False), 404)
    assert "error" in json_of(client.get("/static/../server.py"), 404)
    assert "error" in json_of(client.get("/docs"), 404)
    assert "error" in json_of(client.get("/openapi.json"), 404)
    assert "error" in json_of(client.delete("/api/session"), 405)


@pytest.mark.parametrize("path", ["%2e%2e/server.py", "..%2fserver.py", "%2fetc%2fpasswd", "x%00"])
def test_nothing_outside_the_static_folder(client: TestClient, path: str) -> None:
    assert "error" in json_of(client.get(f"/static/{path}"), 404)
