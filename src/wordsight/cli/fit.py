"""``wordsight fit``: train a model on labelled images."""

import shlex
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from wordsight.cli import console
from wordsight.cli.cluster import Asked, joined, on_cluster
from wordsight.cli.completion import data_classes
from wordsight.cli.options import (
    CLASSES,
    RUNNING,
    CachePath,
    CachePrecision,
    DataPath,
    Device,
    Json,
    OnBroken,
    Overwrite,
    TextModel,
    WordsFile,
    described,
)
from wordsight.cli.options import names as listed
from wordsight.exceptions import InputError
from wordsight.storage import check_writable, refuse_existing

if TYPE_CHECKING:
    from wordsight.classifiers.selection import Goal
    from wordsight.distributed.cluster import RayCluster
    from wordsight.distributed.features import ClusterFeatures
    from wordsight.distributed.job import Job
    from wordsight.training import Settings, TrainingPlan
    from wordsight.words.vectors import WordVectors

__all__ = ["fit"]

_IMAGES = "Images"
_FEATURES = "Features of images"
_MAP = "The map into word space"
_DECIDING = "The gate and the classifiers"


@on_cluster
def fit(
    data: DataPath,
    out: Annotated[Path, typer.Option(help="The model directory to make.")],
    words: WordsFile = None,
    describe: Annotated[
        Path | None,
        typer.Option(
            help="Know classes by what this YAML or JSON file says of them, not by their names; "
            "needs --text-model.",
            rich_help_panel=CLASSES,
        ),
    ] = None,
    text_model: TextModel = None,
    unseen: Annotated[
        list[str] | None,
        typer.Option(
            help="Classes to be recognised by name alone, separated by commas; may be given "
            "several times. Their images, if any, are left out.",
            autocompletion=data_classes,
            rich_help_panel=CLASSES,
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="Which images of the data to learn from.",
            show_default="train, or all of the data where there is none",
            rich_help_panel=_IMAGES,
        ),
    ] = None,
    features: Annotated[
        str,
        typer.Option(
            help="What is seen in images: patches (the paper's), conv (a network trained here on "
            "the seen classes), or an encoder: transformers:FOLDER, timm:NAME, "
            "open_clip:NAME/WEIGHTS.",
            rich_help_panel=_FEATURES,
        ),
    ] = "patches",
    image_size: Annotated[
        int | None,
        typer.Option(
            help="Height and width of the images, in pixels.",
            show_default="32, or that of the encoder",
            rich_help_panel=_IMAGES,
        ),
    ] = None,
    atoms: Annotated[
        int,
        typer.Option(
            "--atoms",
            "--n-atoms",
            help="Atoms of the dictionary; 8 features each.",
            rich_help_panel=_FEATURES,
        ),
    ] = 1600,
    patches: Annotated[
        int,
        typer.Option(
            "--patches",
            "--n-patches",
            help="Random patches to learn the dictionary from.",
            rich_help_panel=_FEATURES,
        ),
    ] = 400_000,
    dictionary: Annotated[
        Literal["omp1", "kmeans", "random"],
        typer.Option(help="How the dictionary is learned.", rich_help_panel=_FEATURES),
    ] = "omp1",
    encoder: Annotated[
        Literal["soft_threshold", "triangle"],
        typer.Option(help="How patches are encoded.", rich_help_panel=_FEATURES),
    ] = "soft_threshold",
    mirror: Annotated[
        bool,
        typer.Option(
            "--mirror",
            help="Encode mirror images, too, and take the mean: twice the work.",
            rich_help_panel=_FEATURES,
        ),
    ] = False,
    width: Annotated[
        int,
        typer.Option(
            help="Channels of the network's first stage; 8 features each.",
            rich_help_panel=_FEATURES,
        ),
    ] = 32,
    blocks: Annotated[
        int,
        typer.Option(
            "--blocks",
            "--n-blocks",
            help="Residual blocks a stage of the network.",
            rich_help_panel=_FEATURES,
        ),
    ] = 1,
    epochs: Annotated[
        int,
        typer.Option(
            "--epochs",
            "--n-epochs",
            help="Passes of the network over the images.",
            rich_help_panel=_FEATURES,
        ),
    ] = 30,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            help="A folder where the training of the network is kept after each epoch, to go on "
            "from there.",
            show_default="none",
            rich_help_panel=_FEATURES,
        ),
    ] = None,
    map_kind: Annotated[
        Literal["linear", "two-layer", "visual"],
        typer.Option(
            "--map",
            help="The map into word space, or of words to features (visual).",
            rich_help_panel=_MAP,
        ),
    ] = "linear",
    hidden: Annotated[
        int,
        typer.Option(
            "--hidden",
            "--n-hidden",
            help="Hidden units of the two-layer map.",
            rich_help_panel=_MAP,
        ),
    ] = 200,
    weight_decay: Annotated[
        float,
        typer.Option(help="Weight of the penalty of the two-layer map.", rich_help_panel=_MAP),
    ] = 1e-4,
    alpha: Annotated[
        str,
        typer.Option(
            help="Ridge term of the linear map, from which the two-layer map starts, too, or of "
            "the visual map: auto, or a number.",
            rich_help_panel=_MAP,
        ),
    ] = "auto",
    novelty: Annotated[
        Literal[
            "gaussian",
            "per-class",
            "loop",
            "stacking",
            "stacking-centred",
            "stacking-euclidean",
            "shares",
            "mahalanobis",
            "neighbours",
            "confidence",
            "energy",
            "conformal",
            "conformal-per-class",
            "combined",
        ]
        | None,
        typer.Option(
            help="The novelty detector.",
            show_default="gaussian, or chosen with --tune",
            rich_help_panel=_DECIDING,
        ),
    ] = None,
    seen_classifier: Annotated[
        Literal["softmax", "shares"],
        typer.Option(
            help="What tells seen classes apart: a softmax, or shares of their words.",
            rich_help_panel=_DECIDING,
        ),
    ] = "softmax",
    unseen_classifier: Annotated[
        Literal["gaussian", "cosine", "centred", "csls", "inverted-softmax"],
        typer.Option(
            help="What tells unseen classes apart by their words.", rich_help_panel=_DECIDING
        ),
    ] = "gaussian",
    gate: Annotated[
        Literal["hard", "probability"],
        typer.Option(
            help="Whether the detector decides, or its probability weighs (Eq. 2).",
            rich_help_panel=_DECIDING,
        ),
    ] = "hard",
    false_novel_rate: Annotated[
        float | None,
        typer.Option(
            help="Share of seen images that may be called novel.",
            show_default="0.1, or chosen with --tune",
            rich_help_panel=_DECIDING,
        ),
    ] = None,
    tune: Annotated[
        bool,
        typer.Option(
            "--tune",
            help="Choose ridge term, gate and threshold, where they are left open, on seen classes "
            "held out in turn: for the best harmonic mean, or for --keep-seen or "
            "--false-novel-rate.",
            rich_help_panel=_DECIDING,
        ),
    ] = False,
    keep_seen: Annotated[
        float | None,
        typer.Option(
            help="With --tune: the seen accuracy to keep.",
            show_default="none",
            rich_help_panel=_DECIDING,
        ),
    ] = None,
    calibration_fraction: Annotated[
        float,
        typer.Option(
            help="Share of each class held out to set the novelty threshold.",
            rich_help_panel=_DECIDING,
        ),
    ] = 0.1,
    softmax_alpha: Annotated[
        float,
        typer.Option(
            help="Weight of the penalty of the softmax over seen classes.",
            rich_help_panel=_DECIDING,
        ),
    ] = 1e-3,
    temperature: Annotated[
        str,
        typer.Option(
            help="What the softmax's logits are divided by: a number, or auto, learned on held-out "
            "images.",
            rich_help_panel=_DECIDING,
        ),
    ] = "1",
    on_missing: Annotated[
        Literal["error", "skip", "compose"],
        typer.Option(
            help="What to do with a class without a word vector: refuse it, leave it out, or take "
            "the mean of the vectors of its parts.",
            rich_help_panel=CLASSES,
        ),
    ] = "compose",
    on_broken: OnBroken = "error",
    random_state: Annotated[
        int,
        typer.Option(
            "--seed",
            "--random-state",
            help="Draws everything that is random.",
            rich_help_panel=RUNNING,
        ),
    ] = 0,
    device: Device = None,
    cache: CachePath = None,
    cache_precision: CachePrecision = "float32",
    precision: Annotated[
        Literal["float32", "float16"],
        typer.Option(
            help="How the model's large arrays are stored: float16 takes half the room and rounds "
            "each number by at most 1 part in 2,048."
        ),
    ] = "float32",
    overwrite: Overwrite = False,
    json_: Json = False,
    *,
    spread: Asked | None = None,
) -> None:
    """Train a model on labelled images, and save it.

    Examples
    --------
    wordsight fit photos/ --unseen zebra,truck --out model/
    wordsight fit photos/ --unseen zebra --tune --cache cache/ --out model/
    wordsight fit photos/ --words vectors.txt --atoms 400 --out model/
    """
    if spread is not None and cache is not None:
        raise InputError(
            "--cache and --cluster were given, and a cluster keeps features in --run; give "
            "--cluster alone"
        )
    refuse_existing(out, overwrite=overwrite)
    check_writable(out)

    from wordsight.features.cache import FeatureCache  # noqa: PLC0415 - imports torch
    from wordsight.persistence import check_replaceable, save_model  # noqa: PLC0415
    from wordsight.training import Settings, prepare, train  # noqa: PLC0415

    check_replaceable(out, overwrite=overwrite)
    kept = None if cache is None else FeatureCache(cache, cache_precision)
    settings = Settings(
        features=features,
        width=width,
        n_blocks=blocks,
        n_epochs=epochs,
        checkpoint=checkpoint,
        image_size=image_size,
        n_atoms=atoms,
        n_patches=patches,
        dictionary=dictionary,
        encoder=encoder,
        mirror=mirror,
        map=map_kind,
        alpha=_positive(alpha, "--alpha"),
        n_hidden=hidden,
        weight_decay=weight_decay,
        novelty=novelty,
        unseen_classifier=unseen_classifier,
        gate=gate,
        seen_classifier=seen_classifier,
        temperature=_positive(temperature, "--temperature"),
        tune=_goal(tune, keep_seen, false_novel_rate),
        false_novel_rate=0.1 if false_novel_rate is None else false_novel_rate,
        calibration_fraction=calibration_fraction,
        softmax_alpha=softmax_alpha,
        random_state=random_state,
        device=device,
    )
    table = words if describe is None else _described(describe, text_model, words, cache)
    with console.progress():
        plan = prepare(
            data,
            table,
            unseen=listed(unseen),
            split=split,
            on_missing=on_missing,
            on_broken=on_broken,
            settings=settings,
        )
    _say_plan(plan)
    if kept is not None or checkpoint is not None:
        console.set_resumable()
    with joined(spread, partial(_worker_bytes, plan, spread)) as cluster, console.progress():
        features_by = kept if cluster is None else _features_on(cluster, plan, cache_precision)
        model = train(plan, command=console.command_line(), cache=features_by)
    console.log(f"saving the model in {out}")
    save_model(model, out, about=model.about_, precision=precision, overwrite=overwrite)
    if json_:
        console.print_json(_made(out, plan, model.about_))
    else:
        console.print_line(str(out))
    _say_choice(model.about_.get("tuned"))
    _say_done(out, data, float(model.about_["seconds"]))


def _worker_bytes(plan: "TrainingPlan", spread: Asked | None) -> int:
    from wordsight.distributed.memory import bytes_to_fit  # noqa: PLC0415

    assert spread is not None
    return bytes_to_fit(plan.model.features, plan.image_size, spread.shard_images)


def _features_on(
    cluster: "tuple[RayCluster, Job]",
    plan: "TrainingPlan",
    precision: Literal["float32", "float16"],
) -> "ClusterFeatures":
    """Return what makes the features of a plan's images on a cluster."""
    from wordsight.distributed.features import ClusterFeatures  # noqa: PLC0415
    from wordsight.unfinished import versions  # noqa: PLC0415

    choice = vars(plan.settings.feature_choice)
    about = {f"features: {name}": str(value) for name, value in choice.items()}
    about["version of Wordsight or its libraries"] = versions()
    return ClusterFeatures(*cluster, about, precision, on_choice=console.say)


def _made(out: Path, plan: "TrainingPlan", about: Mapping[str, Any]) -> dict[str, Any]:
    """Describe the model for ``--json``."""
    return {
        "model": str(out),
        "seen": list(plan.class_counts),
        "unseen": list(plan.unseen),
        "class_counts": dict(plan.class_counts),
        "n_images": len(plan.dataset),
        "left_out": dict(plan.left_out),
        "without_vector": list(plan.without_vector),
        "broken": [{"name": one.name, "reason": one.reason} for one in plan.broken],
        "tuned": about.get("tuned"),
        "seconds": about["seconds"],
    }


def _described(
    descriptions: Path, text_model: Path | None, words: Path | None, cache: Path | None
) -> "WordVectors":
    if words is not None:
        raise InputError(
            "--words and --describe were given; give one of them, by which classes are known"
        )
    return described(descriptions, text_model, "--describe", cache)


def _goal(tune: bool, keep_seen: float | None, false_novel_rate: float | None) -> "Goal | None":
    """Return what to tune for, from the options that say so."""
    from wordsight.classifiers.selection import Goal  # noqa: PLC0415 - imports torch

    if not tune:
        if keep_seen is not None:
            raise InputError(
                f"--keep-seen {keep_seen:g} was given without --tune; give both, and the threshold "
                "is chosen on seen classes held out"
            )
        return None
    if keep_seen is not None and false_novel_rate is not None:
        raise InputError(
            "--keep-seen and --false-novel-rate were given; give one, since the "
            "threshold serves one of them"
        )
    if keep_seen is not None:
        return Goal("keep_seen", keep_seen)
    return Goal() if false_novel_rate is None else Goal("false_novel_rate", false_novel_rate)


def _positive(text: str, option: str) -> float | Literal["auto"]:
    if text == "auto":
        return "auto"
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise InputError(f"{option} {text} was given; expected auto, or a number above 0")
    return value


def _say_plan(plan: "TrainingPlan") -> None:
    """Say what will be done, what is left out, and how long it will take."""
    settings = plan.settings
    where = f"the {plan.split} split of" if plan.split else "all of"
    console.say(f"Learning from {where} {plan.data_name}:")
    for name, count in plan.left_out.items():
        console.say(f"  left out: {count} images of {name}, which is to stay unseen")
    for name in plan.without_vector:
        console.say(f"  left out: {name}, which has no word vector")
    console.say_broken([(one.name, one.reason) for one in plan.broken])
    console.say(f"  {len(plan.class_counts)} seen classes: {', '.join(plan.class_counts)}")
    console.say(
        f"  {len(plan.unseen)} unseen classes, by name alone: {', '.join(plan.unseen)}"
        if plan.unseen
        else "  no unseen class; names can be added when predicting (--also)"
    )
    console.say(f"  {len(plan.dataset)} images of {plan.image_size[0]} × {plan.image_size[1]}")
    console.say(
        f"  features: {settings.feature_choice.describe(plan.image_size)}; map: "
        f"{_about_map(settings)}; novelty: {_about_novelty(settings)}; gate: {settings.gate}; seen "
        f"classes: {settings.seen_classifier}; unseen classes: {settings.unseen_classifier}; seed: "
        f"{settings.random_state}"
    )
    console.say_estimate(plan.estimate_seconds())


def _about_map(settings: "Settings") -> str:
    if settings.map != "two-layer":
        return f"{settings.map}, alpha {settings.alpha}"
    return (
        f"two-layer, {settings.n_hidden} hidden units, weight decay {settings.weight_decay:g}, "
        f"alpha {settings.alpha}"
    )


def _about_novelty(settings: "Settings") -> str:
    goal = settings.tune
    if goal is None:
        return f"{settings.novelty or 'gaussian'}, {settings.false_novel_rate:.0%} of seen images"
    wanted = {
        "harmonic_mean": "the best harmonic mean",
        "keep_seen": f"a seen accuracy of {goal.value}",
        "false_novel_rate": f"{goal.value} of seen images",
    }[goal.kind]
    return f"{settings.novelty or 'chosen'}, tuned for {wanted}"


def _say_choice(tuned: Mapping[str, Any] | None) -> None:
    """Say what was chosen on classes held out."""
    if tuned is None:
        return
    alpha = "" if tuned["alpha"] is None else f"ridge term {tuned['alpha']:.3g}, "
    console.say(
        f"Chosen among {tuned['n_candidates']} on seen classes held out: {alpha}gate "
        f"{tuned['gate']}, {tuned['false_novel_rate']:.1%} of seen images novel (there: seen "
        f"accuracy {tuned['seen_accuracy']:.3f}, unseen {tuned['unseen_accuracy']:.3f})."
    )


def _say_done(out: Path, data: Path, seconds: float) -> None:
    model, images = shlex.quote(str(out)), shlex.quote(str(data))
    console.say(f"Trained in {console.duration(seconds)}; the model is in {out}. Next:")
    console.say(f"  wordsight evaluate {model} {images}")
    console.say(f"  wordsight predict {model} some_folder/ --out predictions.csv")
    console.say(f"  wordsight info {model}")
