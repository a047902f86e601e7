"""The estimate of the time that training takes."""

import pytest

from wordsight.cost import count_operations, estimate_seconds, measure_speed

PAPER = {
    "n_images": 40_000,
    "n_classes": 8,
    "image_size": 32,
    "n_atoms": 1600,
    "n_patches": 400_000,
}


def test_operations_by_hand() -> None:
    # 3 images of 7 × 7 pixels: 4 patches of 108 numbers each; 5 atoms, 40 features, 2 classes
    found = count_operations(
        n_images=3, n_classes=2, image_size=7, n_atoms=5, n_patches=11, n_features=40,
        n_passes=15, n_factorisations=16,
    )  # fmt: skip
    dictionary = 2 * 11 * 108 * 5 * 15
    features = 2 * (2 * 3 * 4 * 108 * 5)
    statistics = 3 * 40**2
    factor = 40**3 / 3  # at half the speed; two in double precision at half of that
    softmax = 10 * (4 * 3 * 40 * 2) * 30
    assert found == pytest.approx(
        dictionary + features + statistics + 2 * factor * 16 + 4 * factor * 2 + softmax
    )


def test_two_layers_by_hand() -> None:
    whole = {**PAPER, "n_features": 12_800, "n_passes": 15, "n_factorisations": 0}
    more = count_operations(**whole, n_hidden=200) - count_operations(**whole)
    iteration = 4 * 40_000 * 12_800 * 200 + 2 * 12_800**2 * 200
    assert more == pytest.approx(2 * iteration * 30)


def test_classes_held_out_by_hand() -> None:
    whole = {**PAPER, "n_features": 12_800, "n_passes": 15, "n_factorisations": 0}
    without = count_operations(**whole)
    more = count_operations(**whole, ridge_terms_on_trials=3) - without
    step = 8 * 8 * (2 * 12_800**2 + 4 * 40_000 * 12_800 / 5)
    statistics = 40_000 * 12_800**2
    factor = 2 * 12_800**3 / 3
    assert more == pytest.approx(statistics + 3 * (factor + 2 * 3 * 30 * step))
    softmax = 10 * (4 * 40_000 * 12_800 * 8) * 30
    assert without - count_operations(**whole, softmax_passes=0) == pytest.approx(softmax)


def test_what_is_not_done_costs_nothing() -> None:
    whole = {**PAPER, "n_features": 12_800}
    full = count_operations(**whole, n_passes=15, n_factorisations=16)
    assert count_operations(**whole, n_passes=0, n_factorisations=16) < full
    assert count_operations(**whole, n_passes=15, n_factorisations=0) < full


def test_mirror_images_cost_a_second_look_at_each_image() -> None:
    whole = {**PAPER, "n_features": 12_800, "n_passes": 15, "n_factorisations": 0}
    more = count_operations(**whole, looks=2) - count_operations(**whole)
    assert more == pytest.approx(2 * 2 * 40_000 * 27**2 * 108 * 1600)


def test_decoding_counts_even_where_products_are_fast() -> None:
    assert measure_speed(1600, seconds=0.01) > 1e8  # of any machine of this century
    tiny = estimate_seconds(
        n_images=100_000, n_classes=2, image_size=32, n_atoms=1, n_patches=1, values_per_atom=1,
        learns_dictionary=False, tries_alpha=False,
    )  # fmt: skip
    assert tiny > 100  # two passes of half a millisecond an image
