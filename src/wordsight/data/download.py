"""Fetch the official CIFAR archives into a cache, once."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Literal

from wordsight.data.transfer import Archive, Progress, fetch_archive
from wordsight.exceptions import InputError

__all__ = ["ARCHIVES", "default_cache", "fetch"]

# https://www.cs.toronto.edu/~kriz/cifar.html
ARCHIVES = {
    "cifar10": Archive(
        file_name="cifar-10-binary.tar.gz",
        url="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        md5="c32a1d4ab5d03f1284b67883e8d87530",
        n_bytes=170_052_171,
    ),
    "cifar100": Archive(
        file_name="cifar-100-binary.tar.gz",
        url="https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
        md5="03b5dce01913d631647c71ecec9e9cb8",
        n_bytes=168_513_733,
    ),
}


def default_cache() -> Path:
    """Return the folder for downloads: ``WORDSIGHT_CACHE``, or the platform's place for caches.

    Returns
    -------
    pathlib.Path
        The folder, which need not be there yet.

    Raises
    ------
    InputError
        There is no home folder to put it in.
    """
    named = os.environ.get("WORDSIGHT_CACHE")
    try:
        if named:
            return Path(named).expanduser()
        if sys.platform == "darwin":
            return Path.home() / "Library" / "Caches" / "wordsight"
        variable = "LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME"
        base = Path(os.environ.get(variable, ""))
        # the XDG specification has relative paths ignored
        return (base if base.is_absolute() else Path.home() / ".cache") / "wordsight"
    except RuntimeError as error:
        raise InputError(
            "no home folder is known to keep downloads in; set WORDSIGHT_CACHE to a folder"
        ) from error


def fetch(
    name: Literal["cifar10", "cifar100"],
    cache: str | os.PathLike[str] | None = None,
    *,
    progress: Progress | None = None,
    url: str | None = None,
) -> Path:
    """Download the official binary archive of CIFAR-10 or CIFAR-100, unless it is there.

    Parameters
    ----------
    name : {"cifar10", "cifar100"}
        The data set.
    cache : path-like or None
        The folder for the archive; None takes `default_cache`.
    progress : callable or None
        Called as ``progress(done, total)``, in bytes; `total` is None where it is not known.
    url : str or None
        Another place to get the same file from, by http or https.

    Returns
    -------
    pathlib.Path
        The archive, whose checksum was verified.

    Raises
    ------
    InputError
        The name or the kind of URL is unknown.
    DataError
        What was downloaded, or what is in the cache already, is not the official file.
    WordsightError
        The server cannot be reached, refuses or stops, or the cache cannot be written. What was
        downloaded so far is kept, and the next call goes on from there.
    """
    if name not in ARCHIVES:
        raise InputError(f"no archive is known for {name!r}; known are {', '.join(ARCHIVES)}")
    archive = ARCHIVES[name]
    return fetch_archive(
        archive if url is None else replace(archive, url=url),
        default_cache() if cache is None else Path(cache),
        progress=progress,
    )
