"""Half precision: rounded by no more than the format rounds, and only what it can hold."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from wordsight import ConvFeatures, CrossModalClassifier, LinearMap, PatchFeatures, WordVectors
from wordsight.exceptions import DataError, InputError
from wordsight.features.residual_network import (
    ResidualNetwork,
    count_weights,
    kernel_runs,
    weights_of,
)
from wordsight.half_precision import half_or_whole, in_runs, single
from wordsight.persistence import load_model, save_model

CLASSES = ["dark", "bright"]
WORDS = WordVectors(
    [*CLASSES, "grey", "dim"], np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
)


def pictures(n: int, seed: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    codes = np.arange(n) % 2
    shade = np.where(codes == 0, 60, 180)[:, None, None, None]
    pixels = np.clip(shade + rng.normal(0, 40, (n, 12, 12, 3)), 0, 255).astype(np.uint8)
    return pixels, np.array(CLASSES)[codes]


def fitted(features: Any) -> CrossModalClassifier:
    model = CrossModalClassifier(
        WORDS, ["grey"], features=features, mapping=LinearMap(0.1), random_state=0
    )
    return model.fit(*pictures(200, 1))


@pytest.fixture(scope="module")
def of_patches() -> CrossModalClassifier:
    return fitted(PatchFeatures(60, n_patches=2000, max_iter=3, random_state=0))


@pytest.fixture(scope="module")
def of_a_network() -> CrossModalClassifier:
    return fitted(ConvFeatures(8, n_epochs=2, batch_size=32, random_state=0))


def test_a_number_is_off_by_at_most_one_part_in_2048() -> None:
    values = np.random.default_rng(0).normal(size=5000).astype(np.float32)
    half = half_or_whole(values)
    assert half.dtype == np.float16
    ordinary = np.abs(values) > 2.0**-14  # the smallest with all 11 bits, by the standard
    off = np.abs(half.astype(np.float64) - values)[ordinary]
    assert (off <= np.abs(values[ordinary]) * 2.0**-11).all()


@pytest.mark.parametrize(
    "values",
    [
        np.full(5000, 70_000.0, np.float32),  # above 65,504
        np.full(5000, 1e-9, np.float32),  # below half of 2^-24: would be 0
        np.full(5000, 3e-7, np.float32),  # three bits are left
        np.full(5000, np.nan, np.float32),
        np.arange(5000, dtype=np.uint8),
        np.ones(10, np.float32),  # nothing to be gained
    ],
)
def test_what_half_precision_cannot_hold_stays_as_it_is(values: Any) -> None:
    kept = half_or_whole(values)
    assert kept.dtype == values.dtype
    np.testing.assert_array_equal(kept, values)


def test_a_few_small_numbers_among_large_ones_do_no_harm() -> None:
    values = np.ones(5000, np.float32)
    values[7] = 1e-9
    assert half_or_whole(values).dtype == np.float16


def test_runs_are_put_together_again_in_their_order() -> None:
    row = np.random.default_rng(0).normal(size=30_000).astype(np.float32)
    runs = [(2000, True), (3, False)] * 12
    runs.append((30_000 - sum(n for n, _ in runs), True))
    stored = dict(in_runs("row_", row, runs))
    assert {values.dtype for values in stored.values()} == {np.dtype("f2"), np.dtype("f4")}
    back = single({**dict(reversed(stored.items())), "other": row[:2]})
    assert set(back) == {"row_", "other"}
    np.testing.assert_allclose(back["row_"], row, rtol=2.0**-11, atol=2.0**-25)
    exact = np.concatenate([np.repeat(not half, n) for n, half in runs])
    np.testing.assert_array_equal(back["row_"][exact], row[exact])


def test_kernels_are_told_from_all_else_in_a_network() -> None:
    network = ResidualNetwork.drawn(4, 2, torch.Generator().manual_seed(0))
    runs = kernel_runs(network)
    assert sum(n for n, _ in runs) == count_weights(network)
    kernels = np.concatenate([np.repeat(kernel, n) for n, kernel in runs])
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.weight.data.fill_(7.0)
        elif isinstance(module, torch.nn.BatchNorm2d):
            for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                assert tensor is not None
                tensor.data.fill_(1e-7)
    np.testing.assert_array_equal(weights_of(network).numpy() == 7.0, kernels)


@pytest.mark.parametrize("kind", ["of_patches", "of_a_network"])
def test_probabilities_stay_close_and_the_file_is_smaller(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    model: CrossModalClassifier = request.getfixturevalue(kind)
    whole = save_model(model, tmp_path / "whole")
    half = save_model(model, tmp_path / "half", precision="float16")
    sizes = [(place / "model.safetensors").stat().st_size for place in (whole, half)]
    assert sizes[1] < 0.9 * sizes[0]
    images, _ = pictures(200, 2)
    exact, loaded = model.recognise(images), load_model(half)
    rounded = loaded.recognise(images)
    np.testing.assert_allclose(rounded.proba, exact.proba, atol=2e-3)
    # steeper: the gate's score is a distance, and its probability rises within a small part of it
    np.testing.assert_allclose(rounded.novelty_proba, exact.novelty_proba, atol=1e-2)
    assert (rounded.proba != exact.proba).any()  # it was rounded
    # what was rounded once is not rounded again, and the precision is kept
    again = save_model(loaded, tmp_path / "again")
    for name in ("config.json", "model.safetensors", "README.md"):
        assert (again / name).read_bytes() == (half / name).read_bytes()
    assert "half precision" in (half / "README.md").read_text("utf-8")
    assert "half precision" not in (whole / "README.md").read_text("utf-8")


def test_small_variances_of_a_network_are_kept_to_the_last_bit(
    tmp_path: Path, of_a_network: CrossModalClassifier
) -> None:
    features: Any = of_a_network.features_
    kernels = np.concatenate([np.repeat(k, n) for n, k in kernel_runs(ResidualNetwork.empty(8, 1))])
    kept = features.weights_.copy()
    try:
        features.weights_ = np.where(kernels, kept, np.float32(1e-9))  # variances, scales, all
        loaded: Any = load_model(save_model(of_a_network, tmp_path / "m", precision="float16"))
        np.testing.assert_array_equal(
            loaded.features_.weights_[~kernels], features.weights_[~kernels]
        )
    finally:
        features.weights_ = kept


def test_words_of_classes_and_the_gate_are_not_rounded(
    tmp_path: Path, of_patches: CrossModalClassifier
) -> None:
    loaded = load_model(save_model(of_patches, tmp_path / "half", precision="float16"))
    np.testing.assert_array_equal(loaded.word_vectors_, of_patches.word_vectors_)
    ours: Any = loaded.novelty_
    assert ours.offset_ == of_patches.novelty_.offset_
    assert loaded.precision_ == "float16"
    assert save_model(loaded, tmp_path / "back", precision="float32")
    assert load_model(tmp_path / "back").precision_ == "float32"


def test_a_precision_that_there_is_not(tmp_path: Path, of_patches: CrossModalClassifier) -> None:
    wrong: Any = "int8"
    with pytest.raises(InputError, match="'int8' was given; expected one of: float32, float16"):
        save_model(of_patches, tmp_path / "model", precision=wrong)
    config = save_model(of_patches, tmp_path / "half", precision="float16") / "config.json"
    entry = json.loads(config.read_text("utf-8"))
    for value, said in (("int8", "float16, which no model|int8"), ("float32", "as float16")):
        config.write_text(json.dumps({**entry, "precision": value}), "utf-8")
        with pytest.raises(DataError, match=said):
            load_model(tmp_path / "half")


def test_runs_that_do_not_fit_together_are_damage(
    tmp_path: Path, of_a_network: CrossModalClassifier
) -> None:
    place = save_model(of_a_network, tmp_path / "model", precision="float16")
    tensors = load_file(place / "model.safetensors")
    first = "features.weights_.run0001"
    for change in (np.float32(1.0), np.ones((2, 2), np.float32), tensors[first][:-1]):
        save_file({**tensors, first: np.asarray(change)}, place / "model.safetensors")
        with pytest.raises(DataError, match="damaged or was changed by hand"):
            load_model(place)
