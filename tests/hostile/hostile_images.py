"""The decoder as a target: a whole picture of the size asked for, or one sentence."""

import struct
import zlib

import numpy as np
from corpus import small_images
from fuzzing import FaultError, Target
from PIL import ImageFile

from wordsight.data.decoding import decode
from wordsight.exceptions import BrokenImageError

SIZE = (8, 8)


def attempt(data: bytes) -> bool:
    try:
        pixels = decode(data, SIZE, "photo")
    except BrokenImageError as error:
        said = str(error)
        if "photo" not in said or len(said.splitlines()) != 1 or not said.endswith("'skip')"):
            raise FaultError(f"this is no sentence: {said!r}") from error
        return False
    if pixels.shape != (*SIZE, 3) or pixels.dtype != np.uint8:
        raise FaultError(f"{pixels.dtype} of shape {pixels.shape}")
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        raise FaultError("truncated images became allowed")
    return True


def cut_alike(whole: bytes, cut: bytes) -> bool:
    if not attempt(cut):
        return False
    if not np.array_equal(decode(cut, None, "cut"), decode(whole, None, "whole")):
        raise FaultError(f"cut to {len(cut)} of {len(whole)} bytes it shows another picture")
    return True


def mend(data: bytes) -> bytes:
    """Make the checksums of a PNG's chunks, or the length that a WebP states, right."""
    fixed = bytearray(data)
    if data[:4] == b"RIFF":
        fixed[4:8] = struct.pack("<I", max(0, len(data) - 8))
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        return bytes(fixed)
    at = 8
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4])
        if end + 4 > len(data):
            break
        fixed[end : end + 4] = struct.pack(">I", zlib.crc32(data[at + 4 : end]))
        at = end + 4
    return bytes(fixed)


TARGETS = {"images": lambda _folder: _target()}


def _target() -> Target:
    return Target(small_images(), attempt, mend=mend, cut_alike=cut_alike)
