"""What the routes answer, as types: mypy holds the views to them, and OpenAPI is made of them."""

from typing import Literal

from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

__all__ = [
    "AboutAnswer",
    "AskAnswer",
    "ClassifyAnswer",
    "ExplainAnswer",
    "GateAnswer",
    "HealthAnswer",
    "MapAnswer",
    "PreviewAnswer",
    "Refusal",
    "SaveAnswer",
    "SessionAnswer",
]

Kind = Literal["seen", "unseen"]


class Refusal(TypedDict):
    """Why a request is not answered, in one sentence."""

    error: str


class HealthAnswer(TypedDict):
    """That the server is there."""

    ok: bool


class SaveAnswer(TypedDict):
    """Where a model was saved."""

    path: str


class Class(TypedDict):
    """A class of the model, and whether it was taught here."""

    name: str
    kind: Kind
    added: bool


class Model(TypedDict):
    """What the model is; its threshold is counted from its own."""

    name: str
    gate: Literal["hard", "probability"]
    detector: str
    threshold: float
    map: str
    n_features: int
    trained_on: str | None
    describes: bool
    has_text_model: bool


class Data(TypedDict):
    """The images that are shown."""

    name: str
    n: int
    n_broken: int
    labelled: bool
    class_names: list[str]


class Limits(TypedDict):
    """What is refused beyond."""

    upload_bytes: int
    image_pixels: int
    classes: int


class SessionAnswer(TypedDict):
    """What holds of the whole session."""

    version: str
    model: Model
    classes: list[Class]
    data: Data | None
    limits: Limits
    revision: int
    can_undo: bool


class MapLayout(TypedDict):
    """How the map is laid out at present."""

    kind: Literal["pca", "tsne", "umap"]
    refining: bool
    progress: float | None


class Points(TypedDict):
    """The images, one in each place of every list; −1 is no label."""

    x: list[float]
    y: list[float]
    label: list[int]
    predicted: list[int]
    novelty: list[float]
    novel: list[int]
    proba: list[float]


class PlacedWord(TypedDict):
    """The word of a class on the map."""

    name: str
    kind: Kind
    x: float
    y: float


class MapAnswer(TypedDict):
    """The semantic map."""

    revision: int
    layout: MapLayout
    points: Points
    words: list[PlacedWord]
    class_names: list[str]


class Best(TypedDict):
    """The point of the seen–unseen curve with the highest harmonic mean."""

    threshold: float
    harmonic_mean: float
    seen: float
    unseen: float


class Curve(TypedDict):
    """The seen–unseen curve, a point in each place of the lists."""

    threshold: list[float]
    seen: list[float]
    unseen: list[float]
    area: float
    best: Best


class GateAnswer(TypedDict):
    """What the gate judges by; −1 is no guess, and no class of the model."""

    revision: int
    score: list[float]
    seen_guess: list[int]
    unseen_guess: list[int]
    truth: list[int]
    threshold: float
    curve: Curve | None


class Share(TypedDict):
    """A class and its probability."""

    name: str
    kind: Kind
    p: float


class NearWord(TypedDict):
    """A word and its cosine."""

    word: str
    similarity: float


class NearImage(TypedDict):
    """An image of the data by its number, its label, and the cosine of the two mapped points."""

    i: int
    label: str | None
    similarity: float


class AboutAnswer(TypedDict):
    """One image of the data; `row` is its place in the data, broken images counted."""

    i: int
    row: int
    name: str
    label: str | None
    predicted: str
    probability: float
    novelty_score: float
    novelty_proba: float
    is_novel: bool
    top: list[Share]
    nearest_words: list[NearWord]
    revision: int


class ExplainAnswer(TypedDict):
    """What a model says of one image."""

    revision: int
    novelty_score: float
    novelty_proba: float
    is_novel: bool
    threshold: float
    classes: list[Share]
    nearest_words: list[NearWord]
    nearest_images: list[NearImage]


class ClassifyAnswer(ExplainAnswer):
    """The same with the picture's size in pixels, its place on the map, and the time it took."""

    width: int
    height: int
    x: float | None
    y: float | None
    milliseconds: float


class Taken(TypedDict):
    """How many images a class would lose."""

    name: str
    count: int


class PreviewAnswer(TypedDict):
    """What a class would take from the others, were it taught."""

    name: str
    source: Literal["word", "composed", "description", "vector"]
    parts: list[str]
    neighbours: list[NearWord]
    n_taken: int
    taken_from: list[Taken]
    examples: list[int]
    already: bool
    revision: int


class Found(TypedDict):
    """An image of the data by its number, and its cosine with the word."""

    i: int
    similarity: float


class AskAnswer(TypedDict):
    """The images nearest to a word; their average colour is red, green and blue."""

    word: str
    parts: list[str]
    images: list[Found]
    average_colour: list[int]
    nearest_words: list[NearWord]
    revision: int
