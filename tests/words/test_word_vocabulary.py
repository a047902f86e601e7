"""The vocabulary in the package: small, quick, and true to the vectors it was made from."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from gensim.models import KeyedVectors
from numpy.typing import NDArray

from wordsight.words.vectors import WordVectors
from wordsight.words.vocabulary import DEFAULT_VOCABULARY, main, quantise

# class names of CIFAR-10, and words that the synthetic pictures are composed of
_ANIMALS_AND_VEHICLES = "airplane automobile bird cat deer dog frog horse ship truck"
_PICTURES = "red green blue yellow white black orange purple circle square triangle star cross ring"


def _cosine(one: NDArray[np.generic], other: NDArray[np.generic]) -> NDArray[np.float64]:
    a, b = one.astype(np.float64), other.astype(np.float64)
    cosine: NDArray[np.float64] = (a * b).sum(axis=1)
    cosine /= np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return cosine


def test_size_and_content() -> None:
    words = WordVectors.default()
    assert DEFAULT_VOCABULARY.stat().st_size <= 3_000_000
    assert len(words) >= 20_000
    assert words.dimension == 50
    assert words.vectors.any(axis=1).all()
    needed = [*_ANIMALS_AND_VEHICLES.split(), *_PICTURES.split()]
    assert [name for name in needed if name not in words] == []
    assert "Wikipedia" in words.source
    assert WordVectors.default() is words


def test_it_loads_in_a_moment_without_torch() -> None:
    WordVectors.load(DEFAULT_VOCABULARY)
    start = time.process_time()
    WordVectors.load(DEFAULT_VOCABULARY)
    assert time.process_time() - start < 0.3
    code = (
        "import sys; from wordsight import WordVectors; WordVectors.default();"
        " print('torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


def test_quantise_stays_within_half_a_step() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(500, 50)) * 10.0 ** rng.integers(-2, 3, size=(500, 1))
    codes, scales = quantise(vectors)
    wide = scales.astype(np.float64)[:, None]
    # half a step, and at the largest number what float16 (11 bits) takes from 127 steps
    assert (np.abs(codes * wide - vectors) <= (0.5 + 127 * 2.0**-11) * wide).all()
    assert (_cosine(codes, vectors) > 0.9999).all()


def test_quantise_keeps_zeros_and_signs() -> None:
    codes, scales = quantise(np.array([[0.0, 0.0], [127.0, -127.0], [1e-9, 0.0]]))
    np.testing.assert_array_equal(codes, [[0, 0], [127, -127], [0, 0]])
    np.testing.assert_array_equal(scales, [0, 1, 0])


def test_the_builder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    words = WordVectors(["cat", "dog", "cow"], rng.normal(size=(3, 50)))
    words.save(tmp_path / "words.txt.gz")
    assert main([str(tmp_path / "words.txt.gz"), str(tmp_path / "small.safetensors")]) == 0
    assert "3 words" in capsys.readouterr().out
    small = WordVectors.load(tmp_path / "small.safetensors")
    assert small.words == words.words
    assert small.vectors.dtype == np.float32
    np.testing.assert_allclose(small.vectors, words.vectors, atol=0.02)
    assert main([str(tmp_path / "absent.txt"), str(tmp_path / "x.safetensors")]) == 2
    assert "there is no file" in capsys.readouterr().err


@pytest.mark.slow
def test_it_is_true_to_its_source(real_data: Path) -> None:
    source = real_data / "word_vectors" / "wiki50.txt.gz"
    original = KeyedVectors.load_word2vec_format(source, binary=False)
    words = WordVectors.default()
    assert list(words.words) == original.index_to_key
    cosine = _cosine(words.vectors, original.vectors)
    assert cosine.min() >= 0.9999
    assert cosine.mean() >= 0.99998
    step = np.abs(original.vectors).max(axis=1, keepdims=True) / 127
    # half a step, and what float16 takes from the scale
    assert (np.abs(words.vectors - original.vectors) <= 0.57 * step).all()
    shared = [
        len(
            {word for word, _ in words.most_similar(name, 10)}
            & {word for word, _ in original.most_similar(name, topn=10)}
        )
        for name in original.index_to_key[::200]
    ]
    assert np.mean(shared) >= 9.8
    expected = [word for word, _ in original.most_similar("cat", topn=20)]
    assert "dog" in expected
    assert len(set(expected) & {word for word, _ in words.most_similar("cat", 20)}) >= 18
    assert "dog" in [word for word, _ in words.most_similar("cat", 20)]


@pytest.mark.slow
def test_real_files_read_as_gensim_reads_them(real_data: Path) -> None:
    for name in ("acl2012_cifar.txt", "wiki50.txt.gz"):
        path = real_data / "word_vectors" / name
        original = KeyedVectors.load_word2vec_format(path, binary=False)
        read = WordVectors.load(path)
        assert list(read.words) == original.index_to_key
        assert np.array_equal(read.vectors, original.vectors)
