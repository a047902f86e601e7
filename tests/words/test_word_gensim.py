"""gensim as an oracle: the files of one are read by the other, and neighbours agree."""

from pathlib import Path

import numpy as np
import pytest
from gensim.models import KeyedVectors

from wordsight.words.vectors import WordVectors

_WORDS = ["the", "pickup_truck", "caf\u00e9", "\u00a0x", "a\u2028b", "3", "1.5", "</s>"]


@pytest.fixture
def keyed() -> KeyedVectors:
    rng = np.random.default_rng(0)
    keyed = KeyedVectors(20)
    keyed.add_vectors(_WORDS, rng.normal(size=(len(_WORDS), 20)).astype(np.float32))
    return keyed


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("binary", [False, True])
def test_files_written_by_gensim(
    keyed: KeyedVectors, binary: bool, ending: str, tmp_path: Path
) -> None:
    path = tmp_path / f"gensim{ending}"
    keyed.save_word2vec_format(path, binary=binary)
    read = WordVectors.load(path)
    assert list(read.words) == _WORDS
    assert np.array_equal(read.vectors, keyed.vectors)


def test_glove_written_by_gensim(keyed: KeyedVectors, tmp_path: Path) -> None:
    keyed.save_word2vec_format(tmp_path / "glove", binary=False, write_header=False)
    read = WordVectors.load(tmp_path / "glove")
    assert list(read.words) == _WORDS
    assert np.array_equal(read.vectors, keyed.vectors)


@pytest.mark.parametrize(
    ("name", "binary"),
    [("w.txt", False), ("w.vec", False), ("w.txt.gz", False), ("w.bin", True), ("w.bin.gz", True)],
)
def test_files_read_by_gensim(keyed: KeyedVectors, name: str, binary: bool, tmp_path: Path) -> None:
    # gensim splits text at any white space: only tokens without it can be compared
    plain = [word for word in _WORDS if len(word.split()) == 1 and word.strip() == word]
    words = WordVectors(_WORDS, keyed.vectors).subset(plain)
    words.save(tmp_path / name)
    read = KeyedVectors.load_word2vec_format(tmp_path / name, binary=binary)
    assert read.index_to_key == plain
    assert np.array_equal(read.vectors, words.vectors)


def test_neighbours_agree_with_gensim() -> None:
    words = WordVectors.default()
    keyed = KeyedVectors(words.dimension)
    keyed.add_vectors(list(words.words), words.vectors)
    for name in ("cat", "truck", "ship", "airplane", "red", "the", "quantum"):
        expected = keyed.most_similar(name, topn=20)
        found = words.most_similar(name, 20)
        assert [word for word, _ in found] == [word for word, _ in expected]
        np.testing.assert_allclose(
            [similarity for _, similarity in found],
            [similarity for _, similarity in expected],
            atol=1e-6,
        )
        near, similarities = words.nearest(words.vector_for(name)[None], 21)
        assert near[0] == [name] + [word for word, _ in expected]
        np.testing.assert_allclose(similarities[0, 0], 1, rtol=1e-12)
