"""What a word looks like: the images nearest to it and their colour, on images made by hand."""

import numpy as np
import pytest
from PIL import Image

from exploration.colour_world import COLOURS, WORDS, fitted
from wordsight import CrossModalClassifier, WordVectors
from wordsight.data.arrays import ArraySource
from wordsight.data.dataset import Dataset
from wordsight.exceptions import InputError, MissingWordError
from wordsight.exploration.asking import ask, contact_sheet
from wordsight.exploration.gallery import Gallery


@pytest.mark.parametrize("word", COLOURS)
def test_a_word_finds_its_images_and_its_colour(
    model: CrossModalClassifier, gallery: Gallery, word: str
) -> None:
    answer = ask(model, gallery, word, 8)  # there are eight of each, none of purple in training
    assert gallery.labels is not None
    assert set(gallery.labels[answer.indices]) == {word}
    assert (np.diff(answer.similarities) <= 0).all()
    np.testing.assert_allclose(answer.average_colour, COLOURS[word], atol=16)
    assert answer.parts == ()
    assert word not in dict(answer.nearest_words)


def test_the_average_colour_is_that_of_the_images_found(model: CrossModalClassifier) -> None:
    names = ["red", "red", "green"]
    images = np.zeros((3, 8, 8, 3), dtype=np.uint8)
    images[0] = (255, 0, 0)
    images[1] = (155, 0, 0)
    images[2] = (0, 255, 0)
    gallery = Gallery.of(model, Dataset(ArraySource(images, names)))
    answer = ask(model, gallery, "red", 2)
    assert sorted(answer.indices.tolist()) == [0, 1]
    # light of 155: ((155/255 + 0.055) / 1.055)^2.4 = 0.3278; the mean with 1 is 0.6639, which is
    # 1.055 · 0.6639^(1/2.4) − 0.055 = 0.8343, 212.7 of 255
    assert answer.average_colour == (213, 0, 0)


def test_a_name_of_several_words_is_composed(model: CrossModalClassifier, gallery: Gallery) -> None:
    answer = ask(model, gallery, "light purple", 8)
    assert answer.parts == ("light", "purple")
    vector = (WORDS.vector_for("light") + WORDS.vector_for("purple")) / 2
    indices, similarities = gallery.nearest(vector, 8)
    assert answer.indices.tolist() == indices.tolist()
    np.testing.assert_allclose(answer.similarities, similarities, atol=1e-6)
    assert not {"light", "purple"} & set(dict(answer.nearest_words))


def test_a_class_is_asked_by_the_vector_it_was_named_with(
    model: CrossModalClassifier, gallery: Gallery
) -> None:
    taught = model.branch().add_classes({"grass": WORDS.vector_for("green")})
    one, other = (ask(taught, gallery, word, 5) for word in ("grass", "green"))
    assert one.indices.tolist() == other.indices.tolist()
    assert one.nearest_words[0][0] == "green"


def test_there_are_no_more_than_there_are(model: CrossModalClassifier, gallery: Gallery) -> None:
    assert len(ask(model, gallery, "red", 1000).indices) == len(gallery)
    assert ask(model, gallery, "red", n_words=0).nearest_words == ()


def test_a_word_without_a_vector_is_told_with_those_near_it(
    model: CrossModalClassifier, gallery: Gallery
) -> None:
    with pytest.raises(MissingWordError, match=r"no word vector for 'yelow'; near: yellow"):
        ask(model, gallery, "yelow")
    with pytest.raises(MissingWordError, match=r"its part 'pruple'.*purple"):
        ask(model, gallery, "light pruple")


def test_a_word_is_no_description(gallery: Gallery) -> None:
    table = WordVectors(WORDS.words, WORDS.vectors, source="descriptions by a text model")
    described = fitted().use_words(table)
    assert len(ask(described, gallery, "purple", 3).indices) == 3
    with pytest.raises(InputError, match="describe each in a sentence"):
        ask(described, gallery, "zebra")


def test_a_contact_sheet_shows_the_images_in_order(gallery: Gallery) -> None:
    chosen = [3, 0, 2, 1]
    sheet = contact_sheet(gallery, chosen, columns=3, size=64)
    assert isinstance(sheet, Image.Image)
    pixels = np.asarray(sheet)
    step_x = (pixels.shape[1] - 6) // 3
    step_y = (pixels.shape[0] - 6) // 2
    assert step_x == 64 + 6
    assert step_y > 64 + 6  # a line of text below each
    for place, i in enumerate(chosen):
        row, column = divmod(place, 3)
        centre = pixels[6 + row * step_y + 32, 6 + column * step_x + 32]
        assert centre.tolist() == gallery.image(i)[0, 0].tolist()
    assert pixels[-10, -10].tolist() == [255, 255, 255]  # places without an image are blank


def test_captions_are_cut_to_the_width_of_an_image(gallery: Gallery) -> None:
    short, long = (
        np.asarray(contact_sheet(gallery, [0, 1], captions=[text, ""], size=64))
        for text in ("a", "a caption that is far too long for an image of this width")
    )
    assert short.shape == long.shape
    line = slice(6 + 64, None), slice(6 + 64 + 2, None)  # below the second image
    assert (long[line] == 255).all()
    assert (long[6 + 64 :, : 6 + 64] < 255).any()


def test_what_a_contact_sheet_refuses(gallery: Gallery) -> None:
    for chosen, columns in (([], 3), ([1], 0)):
        with pytest.raises(InputError, match="1 or more"):
            contact_sheet(gallery, chosen, columns=columns)
    with pytest.raises(InputError, match="1 captions were given for 2 images"):
        contact_sheet(gallery, [0, 1], captions=["one"])
