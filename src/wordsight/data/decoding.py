"""From an encoded image to pixels: red, green and blue, 0 to 255, upright, of the size asked for.

The same picture comes out whatever it was stored as:

- the orientation in its Exif block is applied;
- palettes are looked up, and what is transparent shows white behind it;
- grey is repeated in the three channels, CMYK is converted without a colour profile;
- 16-bit grey is scaled, ``round(v / 257)``, and not clipped; of 16-bit colour Pillow keeps the
  high byte, which differs from that by one at most;
- floating-point and 32-bit integer images are refused, since nothing says what is white.

An image that is truncated, corrupt, of another kind or too large is a `BrokenImageError` that
names it. Part of a picture is never handed out.
"""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin, UnidentifiedImageError

from wordsight.data.integrity import find_damage
from wordsight.data.source import Item
from wordsight.exceptions import BrokenImageError, InputError

__all__ = ["FORMATS", "MAX_PIXELS", "check_image_size", "decode", "decode_item", "pixels_to_rgb"]

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
"""The formats that are read, by Pillow's names; ``PPM`` is the whole PNM family."""

MAX_PIXELS = 100_000_000
"""An image with more pixels is refused before it is decoded."""

_MAX_SIDE = 65_535
"""What JPEG allows. A few hundred bytes can claim millions of rows of a few pixels, on each of
which the decoders spend time."""

_TOO_LARGE = f"it has more than the {MAX_PIXELS // 1_000_000} megapixels allowed"
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_GREY_16 = ("I;16", "I;16B", "I;16L", "I;16N")
_TIFF_BITS, _TIFF_PHOTOMETRIC, _TIFF_WHITE_IS_ZERO = 258, 262, 0


class _RefusedError(Exception):
    """The image is refused for a reason worth telling."""


def check_image_size(image_size: tuple[int, int] | None) -> None:
    """Raise `InputError` unless `image_size` is None or (height, width), both positive."""
    if image_size is None:
        return
    sides = tuple(image_size)
    if len(sides) != 2 or not all(isinstance(side, int | np.integer) for side in sides):
        raise InputError(f"image_size is {image_size!r}; give (height, width) in pixels")
    if min(sides) < 1 or sides[0] * sides[1] > MAX_PIXELS:
        raise InputError(
            f"image_size is {image_size!r}; give a height and a width of at least 1 pixel "
            f"and at most {MAX_PIXELS} pixels together"
        )


def decode(encoded: bytes, image_size: tuple[int, int] | None, name: str) -> NDArray[np.uint8]:
    """Decode one image to upright RGB.

    Parameters
    ----------
    encoded : bytes
        A JPEG, PNG, WebP, BMP, GIF (its first frame), TIFF (its first page) or PNM file.
    image_size : (int, int) or None
        Height and width of the result. The image is scaled until it just covers that size and
        its centre is kept, by bicubic interpolation that is widened when shrinking, so that it
        does not alias. An image of that size already passes unchanged, and with None every
        image does.
    name : str
        What to call the image in an error.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        Red, green and blue, 0 to 255.

    Raises
    ------
    BrokenImageError
        The image is truncated, corrupt, of another kind, refused, over `MAX_PIXELS`, or wider
        or higher than 65,535 pixels.
    InputError
        `image_size` is not a size.
    """
    check_image_size(image_size)
    if not encoded:
        raise BrokenImageError(name, "the file is empty")
    try:
        return np.array(_resize(_decode_whole(encoded), image_size))
    # hostile bytes make Pillow raise nearly anything: OSError, SyntaxError, struct.error,
    # OverflowError, MemoryError, a warning turned into an error
    except Exception as error:
        raise BrokenImageError(name, _reason(error)) from error


def decode_item(item: Item, image_size: tuple[int, int] | None, name: str) -> NDArray[np.uint8]:
    """Decode what a source yields: encoded bytes, pixels, or the error that it met (raised)."""
    if isinstance(item, BrokenImageError):
        raise item
    if isinstance(item, bytes):
        return decode(item, image_size, name)
    return pixels_to_rgb(item, image_size, name)


def _decode_whole(encoded: bytes) -> Image.Image:
    """Open, check, decode and turn upright; anything may be raised."""
    with Image.open(io.BytesIO(encoded), formats=FORMATS) as image:
        if image.width * image.height > MAX_PIXELS:
            raise _RefusedError(_TOO_LARGE)
        if max(image.size) > _MAX_SIDE:
            raise _RefusedError(f"it is wider or higher than {_MAX_SIDE:,} pixels")
        if min(image.size) < 1:
            raise _RefusedError("it has no pixels")
        damage = find_damage(encoded, image)
        if damage is not None:
            raise _RefusedError(damage)
        image.load()
        turn = _TURNS.get(_orientation(image))
        rgb = _to_rgb(image)
    return rgb if turn is None else rgb.transpose(turn)


def _orientation(image: Image.Image) -> int:
    """Read the Exif orientation; a broken Exif block means an upright image."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # the block is free-form bytes, and the pixels are sound without it
        return 1
    return value if isinstance(value, int) else 1


def _to_rgb(image: Image.Image) -> Image.Image:
    """Convert any mode to RGB, over white where it is transparent."""
    if image.mode in _GREY_16 or (image.mode == "I" and image.format in ("PNG", "PPM")):
        return _grey_16_to_rgb(image)
    if image.mode in ("I", "F"):
        raise _RefusedError(
            "its pixels are 32-bit numbers without a stated white; save it with 8 or 16 bits"
        )
    if image.mode in ("LAB", "HSV"):
        raise _RefusedError(f"its colours are {image.mode}; save it as RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    _shorten_colour_key(image)
    rgba = image if image.mode == "RGBA" else image.convert("RGBA")  # which would copy it
    white = Image.new("RGB", rgba.size, "white")
    white.paste(rgba, mask=rgba.getchannel("A"))
    return white


def _shorten_colour_key(image: Image.Image) -> None:
    """Cut the transparent colour of a 16-bit image to the 8 bits that Pillow keeps of it."""
    key = image.info.get("transparency")
    if isinstance(key, tuple) and max(key) > 255:
        image.info["transparency"] = tuple(value >> 8 for value in key)


def _grey_16_to_rgb(image: Image.Image) -> Image.Image:
    """Scale up to 16 bits of grey to 8, rounding."""
    grey = np.asarray(image).astype(np.uint32)
    white = 65535
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        bits = image.tag_v2.get(_TIFF_BITS, (16,))
        white = (1 << int(bits[0])) - 1
        if image.tag_v2.get(_TIFF_PHOTOMETRIC) == _TIFF_WHITE_IS_ZERO:
            grey = white - grey
    scaled = ((grey * 255 + white // 2) // white).astype(np.uint8)
    key = image.info.get("transparency")
    if isinstance(key, int):
        scaled[grey == key] = 255
    return Image.fromarray(scaled).convert("RGB")


def _resize(image: Image.Image, image_size: tuple[int, int] | None) -> Image.Image:
    """Cover (height, width) with the largest centred part of the same aspect ratio."""
    if image_size is None or image.size == (image_size[1], image_size[0]):
        return image
    height, width = (int(side) for side in image_size)
    scale = min(image.width / width, image.height / height)
    # the box may begin between pixels: the filter samples it exactly, so nothing is shifted
    left = max(0.0, (image.width - scale * width) / 2)
    top = max(0.0, (image.height - scale * height) / 2)
    box = (left, top, image.width - left, image.height - top)
    return image.resize((width, height), Image.Resampling.BICUBIC, box=box)


def _reason(error: Exception) -> str:
    """Put what Pillow raised into one line."""
    if isinstance(error, _RefusedError):
        return str(error)
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return _TOO_LARGE
    if isinstance(error, UnidentifiedImageError):
        return "it is not a sound JPEG, PNG, WebP, BMP, GIF, TIFF or PNM file"
    if isinstance(error, MemoryError):
        return "there is not enough memory to decode it"
    said = " ".join(str(error).split())[:120]
    return f"it is truncated or corrupt ({said or type(error).__name__})"


def pixels_to_rgb(
    array: NDArray[np.generic], image_size: tuple[int, int] | None, name: str
) -> NDArray[np.uint8]:
    """Bring ready pixels to the form that `decode` gives.

    Parameters
    ----------
    array : ndarray, shape (h, w), (h, w, 1), (h, w, 3) or (h, w, 4)
        Grey, RGB or RGBA (shown over white); uint8, or uint16, which is scaled by
        ``round(v / 257)``.
    image_size : (int, int) or None
        As for `decode`.
    name : str
        What to call the image in an error.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        Red, green and blue, 0 to 255.

    Raises
    ------
    InputError
        The array has another shape or number type.
    """
    check_image_size(image_size)
    channels = 1 if array.ndim == 2 else array.shape[-1]
    if array.ndim not in (2, 3) or channels not in (1, 3, 4) or array.size == 0:
        raise InputError(
            f"{name} has shape {array.shape}; give (height, width), optionally with a last axis of "
            "1, 3 or 4 channels"
        )
    pixels = _to_uint8(array, name)
    if pixels.ndim == 3 and channels == 3 and image_size in (None, pixels.shape[:2]):
        return pixels
    image = Image.fromarray(pixels[..., 0] if pixels.ndim == 3 and channels == 1 else pixels)
    return np.array(_resize(_to_rgb(image), image_size))


def _to_uint8(array: NDArray[np.generic], name: str) -> NDArray[np.uint8]:
    """Copy to uint8, scaling 16 bits; refuse what has no stated white."""
    if array.dtype.kind == "u" and array.dtype.itemsize == 1:
        return np.array(array, dtype=np.uint8)
    if array.dtype.kind == "u" and array.dtype.itemsize == 2:
        return ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)
    raise InputError(
        f"{name} holds {array.dtype} numbers; give uint8 (0 to 255) or uint16 (0 to 65535), for "
        "example (255 * x).round().astype('uint8') for values between 0 and 1"
    )
