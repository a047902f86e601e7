"""Checks that an encoded image is whole, where the decoder alone would not notice.

Pillow reports most truncated files. It accepts these, and hands back a picture that is partly
black or grey: a baseline JPEG, a GIF or a deflated TIFF whose end was overwritten with zeros (an
interrupted download into a file made beforehand), a PNG whose compressed stream ends before its
last row, a TIFF that lacks strips, and a plain PNM cut within its last number. Each check here
closes one of these gaps.

Damage that leaves a well-formed file cannot be seen by anybody: flipped pixels in a BMP or an
uncompressed TIFF, flipped bits in the entropy-coded part of a JPEG or a WebP.
"""

import struct
import zlib
from collections.abc import Callable

from PIL import Image, TiffImagePlugin

__all__ = ["find_damage"]

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# first column, first row, column step, row step of the seven passes of an interlaced PNG
_ADAM7 = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
_INFLATE_STEP = 1 << 20
_WHITESPACE = b" \t\n\v\f\r"

_GIF_IMAGE = 0x2C
_GIF_BLOCKS = (b"", b"\x21", b"\x2c", b"\x3b")

# deflate makes at most 1,032 bytes of one; 100 megapixels of four 32-bit channels are 1.6 GB
_MOST_INFLATED, _MOST_STRIP_BYTES = 1032, 1_600_000_000
_IMAGE_WIDTH, _IMAGE_LENGTH, _COMPRESSION = 256, 257, 259
_DEFLATE = (8, 32946)
_STRIP_BYTES, _TILE_BYTES = 279, 325
_STRIP_OFFSETS, _SAMPLES_PER_PIXEL, _ROWS_PER_STRIP = 273, 277, 278
_PLANAR_CONFIGURATION, _TILE_WIDTH, _TILE_LENGTH, _TILE_OFFSETS = 284, 322, 323, 324


def find_damage(encoded: bytes, image: Image.Image) -> str | None:
    """Say what is missing from an encoded image, or return None where nothing is.

    Parameters
    ----------
    encoded : bytes
        The file.
    image : PIL.Image.Image
        The same, opened; it need not have been decoded yet.

    Returns
    -------
    str or None
        A short reason, for `BrokenImageError`.
    """
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return _tiff_damage(encoded, image)
    check = _CHECKS.get(image.format or "")
    return None if check is None else check(encoded)


def _jpeg_damage(encoded: bytes) -> str | None:
    """Look for the end-of-image marker behind the first scan."""
    position = 2
    while position + 4 <= len(encoded) and encoded[position] == 0xFF:
        marker = encoded[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD8:  # markers without a length
            position += 2
        elif marker == 0xDA:
            break
        else:
            position += 2 + int.from_bytes(encoded[position + 2 : position + 4])
    # entropy-coded data never hold FF D9, so the first one behind the headers ends a scan
    if encoded.find(b"\xff\xd9", position) < 0:
        return "the file is truncated (no JPEG end marker)"
    return None


def _png_damage(encoded: bytes) -> str | None:
    """Check the checksums of the critical chunks and inflate the pixels, counting them."""
    position, n_missing = len(_PNG_SIGNATURE), 0
    inflater = zlib.decompressobj()
    while position + 12 <= len(encoded):
        length, kind = struct.unpack_from(">I4s", encoded, position)
        body = encoded[position + 8 : position + 8 + length]
        trailer = encoded[position + 8 + length : position + 12 + length]
        critical = not kind[0] & 0x20
        if critical and zlib.crc32(body, zlib.crc32(kind)).to_bytes(4) != trailer:
            return "the file is truncated or corrupt (a PNG checksum is wrong)"
        if kind == b"IHDR":
            n_missing = _png_size(body)
        elif kind == b"IDAT" and n_missing > 0:
            n_missing -= _inflated_size(inflater, body)
        elif kind == b"IEND":
            break
        position += 12 + length
    return "the file is truncated (PNG rows are missing)" if n_missing > 0 else None


def _inflated_size(
    inflater: "zlib._Decompress", compressed: bytes, most: float = float("inf")
) -> int:
    """Inflate without keeping the result, up to a step beyond `most`; return how many bytes."""
    size = 0
    while not inflater.eof and size <= most:
        piece = len(inflater.decompress(compressed, _INFLATE_STEP))
        size += piece
        compressed = inflater.unconsumed_tail
        # with its input used up, a full step may still have left output inside the inflater
        if not compressed and piece < _INFLATE_STEP:
            break
    return size


def _png_size(header: bytes) -> int:
    """Count the bytes that the rows of a PNG take up, filter bytes included."""
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    n_bits = depth * _PNG_CHANNELS[colour]
    size = 0
    for left, top, step_x, step_y in _ADAM7 if interlaced else ((0, 0, 1, 1),):
        columns, rows = -((left - width) // step_x), -((top - height) // step_y)
        if columns > 0 and rows > 0:
            size += rows * (1 + (columns * n_bits + 7) // 8)
    return size


def _pnm_damage(encoded: bytes) -> str | None:
    """Refuse a plain PNM that may have been cut within its last number."""
    # the format demands white space behind every number; P1 has one digit for each pixel
    if encoded[:2] in (b"P2", b"P3") and encoded[-1] not in _WHITESPACE:
        return "the file may be truncated (no white space after the last number)"
    return None


def _webp_damage(encoded: bytes) -> str | None:
    """Compare the length that the container promises with what there is."""
    if int.from_bytes(encoded[4:8], "little") + 8 > len(encoded):
        return "the file is truncated (shorter than its WebP header says)"
    return None


def _gif_damage(encoded: bytes) -> str | None:
    """Look for what must follow the first frame: another block, the trailer, or nothing."""
    position = 13 + _colour_table_size(encoded[10])
    first_frame_passed = False
    while not first_frame_passed and position < len(encoded):
        first_frame_passed = encoded[position] == _GIF_IMAGE
        if first_frame_passed:
            position += 11 + _colour_table_size(encoded[position + 9])
        else:
            position += 2
        while position < len(encoded) and encoded[position]:  # sub-blocks begin with their length
            position += 1 + encoded[position]
        position += 1
    if position > len(encoded) or encoded[position : position + 1] not in _GIF_BLOCKS:
        return "the file is truncated or corrupt (a GIF frame ends early)"
    return None


def _colour_table_size(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _tiff_damage(encoded: bytes, image: TiffImagePlugin.TiffImageFile) -> str | None:
    """Count the strips or tiles, and check the checksum of each that is deflated."""
    tags = image.tag_v2
    width, height = int(tags[_IMAGE_WIDTH]), int(tags[_IMAGE_LENGTH])
    if _TILE_OFFSETS in tags:
        across = -(-width // int(tags[_TILE_WIDTH]))
        n_expected = across * -(-height // int(tags[_TILE_LENGTH]))
        n_found = len(tags[_TILE_OFFSETS])
    else:
        rows = min(int(tags.get(_ROWS_PER_STRIP, height)), height)
        n_expected = -(-height // rows)
        n_found = len(tags.get(_STRIP_OFFSETS, ()))
    if tags.get(_PLANAR_CONFIGURATION, 1) == 2:
        n_expected *= int(tags.get(_SAMPLES_PER_PIXEL, 1))
    if n_found < n_expected:
        return f"the file is truncated ({n_found} of {n_expected} TIFF strips)"
    if tags.get(_COMPRESSION) in _DEFLATE:
        return _deflated_damage(encoded, tags)
    return None


def _deflated_damage(encoded: bytes, tags: TiffImagePlugin.ImageFileDirectory_v2) -> str | None:
    """Inflate every strip or tile, as far as the picture can need it."""
    tiled = _TILE_OFFSETS in tags
    starts = tags[_TILE_OFFSETS if tiled else _STRIP_OFFSETS]
    sizes = tags[_TILE_BYTES if tiled else _STRIP_BYTES]
    # thousands of strips may point at the same bytes, each of them inflating a thousandfold
    budget = min(len(encoded) * _MOST_INFLATED, _MOST_STRIP_BYTES)
    for start, size in zip(starts, sizes, strict=True):
        inflater = zlib.decompressobj()
        budget -= _inflated_size(inflater, encoded[start : start + size], budget)
        if budget < 0:
            return "its TIFF strips hold far more than the file can"
        if not inflater.eof:
            return "the file is truncated (a TIFF strip ends early)"
    return None


_CHECKS: dict[str, Callable[[bytes], str | None]] = {
    "GIF": _gif_damage,
    "JPEG": _jpeg_damage,
    "MPO": _jpeg_damage,
    "PNG": _png_damage,
    "PPM": _pnm_damage,
    "WEBP": _webp_damage,
}
