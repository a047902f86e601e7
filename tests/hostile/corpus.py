"""Odd images, made in memory, and what must come of each, worked out without the decoder.

What a file holds is written by Pillow or by hand; what should come out is algebra on the pixels
that went in, or a refusal.
"""

import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

Pixels = NDArray[np.uint8]

RGB: Pixels = np.random.default_rng(5).integers(0, 256, (7, 10, 3), dtype=np.uint8)
OTHER: Pixels = 255 - RGB


@dataclass(frozen=True)
class Odd:
    """An encoded image, and what it shows: None where it must be refused."""

    data: bytes
    shows: Pixels | None
    within: int = 0


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def with_chunks(png: bytes, *chunks: bytes) -> bytes:
    """Put chunks behind the header of a PNG."""
    return png[:33] + b"".join(chunks) + png[33:]


def turned(pixels: Pixels, orientation: int) -> Pixels:
    """Show stored pixels as Exif demands: rows and columns swapped from 5 on, then mirrored."""
    shown = pixels.transpose(1, 0, 2) if orientation >= 5 else pixels
    down = -1 if orientation in (3, 4, 7, 8) else 1
    right = -1 if orientation in (2, 3, 6, 7) else 1
    return shown[::down, ::right]


def over_white(colour: Pixels, alpha: Pixels) -> Pixels:
    share = alpha.astype(np.float64)[..., None] / 255
    return np.rint(colour * share + 255 * (1 - share)).astype(np.uint8)


def deflated_tiff(n_strips: int, strip: bytes) -> bytes:
    """Build a grey TIFF, a pixel wide, every strip of which is the same bytes of the file."""
    entries = [
        (256, 1), (257, n_strips), (258, 8), (259, 8), (262, 1), (273, 0), (277, 1), (278, 1),
        (279, 0),
    ]  # fmt: skip
    tables = 8 + 2 + 12 * len(entries) + 4
    at = {273: tables, 279: tables + 4 * n_strips}
    head = b"II*\0" + struct.pack("<IH", 8, len(entries))
    for tag, value in entries:
        count = n_strips if tag in at else 1
        head += struct.pack("<HHII", tag, 4, count, at.get(tag, value))
    numbers = [tables + 8 * n_strips] * n_strips + [len(strip)] * n_strips
    return head + bytes(4) + struct.pack(f"<{2 * n_strips}I", *numbers) + strip


def _turned_images() -> Iterator[tuple[str, Odd]]:
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        for mode, pixels in (("P", None), ("L", None), ("RGB", RGB)):
            image = Image.fromarray(RGB).quantize(8) if mode == "P" else Image.fromarray(RGB)
            stored = image.convert(mode)
            shown = np.asarray(stored.convert("RGB")) if pixels is None else pixels
            data = encoded(stored, "PNG", exif=exif)
            yield f"exif {orientation} {mode}", Odd(data, turned(shown, orientation))


def _colours() -> Iterator[tuple[str, Odd]]:
    image = Image.fromarray(RGB)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for kind in ("PNG", "TIFF", "WEBP"):
        options = {"lossless": True} if kind == "WEBP" else {}
        yield f"icc {kind}", Odd(encoded(image, kind, icc_profile=profile, **options), RGB)
        broken = encoded(image, kind, icc_profile=b"no profile at all", **options)
        yield f"broken icc {kind}", Odd(broken, RGB)
    # without black, what ink leaves of white: an Adobe file stores it inverted
    flat = np.full((16, 16, 4), [200, 100, 50, 0], np.uint8)
    shown = 255 - flat[..., :3]
    jpeg = encoded(Image.fromarray(flat, "CMYK"), "JPEG", quality=100)
    yield "cmyk jpeg", Odd(jpeg, shown, within=2)
    black = np.full((16, 16, 4), [0, 0, 0, 255], np.uint8)
    jpeg = encoded(Image.fromarray(black, "CMYK"), "JPEG", quality=100)
    yield "black cmyk jpeg", Odd(jpeg, np.zeros((16, 16, 3), np.uint8), within=2)
    grey = np.arange(0, 65536, 257 * 5 + 3, dtype=np.uint16)[None]
    shown = np.floor(grey / 257 + 0.5).astype(np.uint8)
    png = encoded(Image.fromarray(grey), "PNG")
    yield "16-bit grey png", Odd(png, np.repeat(shown[..., None], 3, axis=2))
    index = np.arange(70, dtype=np.uint8).reshape(7, 10)
    palette = Image.fromarray(index).convert("P")
    palette.putdata(index.ravel().tolist())
    palette.putpalette(RGB.tobytes())
    alphas = np.arange(0, 210, 3).astype(np.uint8)
    data = encoded(palette, "PNG", transparency=alphas.tobytes())
    yield "palette of alphas", Odd(data, over_white(RGB, alphas.reshape(7, 10)))


def _animated() -> Iterator[tuple[str, Odd]]:
    frames = [Image.fromarray(RGB if k % 2 == 0 else OTHER) for k in range(40)]
    rest = {"save_all": True, "append_images": frames[1:], "duration": 10, "loop": 0}
    yield "animated png", Odd(encoded(frames[0], "PNG", **rest), RGB)
    yield "animated webp", Odd(encoded(frames[0], "WEBP", lossless=True, **rest), RGB)
    few = [frame.quantize(70) for frame in frames]
    rest["append_images"] = few[1:]
    yield "animated gif", Odd(encoded(few[0], "GIF", **rest), np.asarray(few[0].convert("RGB")))
    pages = {"save_all": True, "append_images": frames[1:]}
    yield "many pages", Odd(encoded(frames[0], "TIFF", **pages), RGB)


def _sound_bombs() -> Iterator[tuple[str, Odd]]:
    """Yield what promises much beside a sound picture, which is shown."""
    png = encoded(Image.fromarray(RGB), "PNG")
    gif = encoded(Image.fromarray(RGB).quantize(70), "GIF")
    shown = np.asarray(Image.fromarray(RGB).quantize(70).convert("RGB"))
    frame = gif[gif.index(b",", 13 + 3 * 128) : -1]
    yield "gif of 200,000 frames", Odd(gif[:-1] + frame[:20] + frame * 2000 + b";", shown)
    counted = chunk(b"acTL", struct.pack(">II", 1, 0xFFFFFFFF))
    yield "png that is played for ever", Odd(with_chunks(png, counted), RGB)
    tiff = bytearray(encoded(Image.fromarray(RGB), "TIFF"))
    first = int.from_bytes(tiff[4:8], "little")
    follows = first + 2 + 12 * int.from_bytes(tiff[first : first + 2], "little")
    tiff[follows : follows + 4] = tiff[4:8]
    yield "tiff whose next page is itself", Odd(bytes(tiff), RGB)


def _refused_bombs() -> Iterator[tuple[str, Odd]]:
    png = encoded(Image.fromarray(RGB), "PNG")
    bomb = zlib.compress(bytes(80 << 20), 9)
    for name, body in (
        ("zTXt", b"note\0\0" + bomb),
        ("iTXt", b"note\0\1\0\0\0" + bomb),
    ):
        yield f"png text bomb {name}", Odd(with_chunks(png, chunk(name.encode(), body)), None)
    huge = struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 16, 6, 0, 0, 0)
    yield "huge png header", Odd(png[:8] + chunk(b"IHDR", huge) + png[33:], None)
    wide = struct.pack(">IIBBBBB", 9_999, 9_999, 8, 2, 0, 0, 0)
    yield "png of few rows", Odd(png[:8] + chunk(b"IHDR", wide) + png[33:], None)
    yield "huge pnm header", Odd(b"P6 99999 99999 255\n" + RGB.tobytes(), None)
    yield "endless pnm header", Odd(b"P6 " + b"1" * 200_000, None)
    yield "endless pnm comment", Odd(b"P6\n#" + b"#" * 200_000, None)
    gif = bytearray(encoded(Image.fromarray(RGB).quantize(70), "GIF"))
    gif[6:10] = b"\xff" * 4
    yield "huge gif screen", Odd(bytes(gif), None)
    bmp = bytearray(encoded(Image.fromarray(RGB), "BMP"))
    bmp[18:26] = struct.pack("<ii", 2**31 - 1, 2**31 - 1)
    yield "huge bmp header", Odd(bytes(bmp), None)
    jpeg = bytearray(encoded(Image.fromarray(RGB), "JPEG"))
    start = jpeg.index(b"\xff\xc0")
    jpeg[start + 5 : start + 9] = b"\xff" * 4
    yield "huge jpeg header", Odd(bytes(jpeg), None)
    yield "millions of rows", Odd(encoded(Image.new("1", (8, 100_000)), "PNG"), None)
    webp = bytearray(encoded(Image.fromarray(RGB), "WEBP", icc_profile=b"none"))
    start = webp.index(b"VP8X")
    webp[start + 12 : start + 18] = b"\xff\x3f\0" * 2
    yield "huge webp canvas", Odd(bytes(webp), None)
    strip = zlib.compress(bytes(8 << 20), 9)
    yield "tiff whose strips share a bomb", Odd(deflated_tiff(20_000, strip), None)


def _foreign() -> Iterator[tuple[str, Odd]]:
    png = encoded(Image.fromarray(RGB), "PNG")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.png", png)
    yield "zip of a png", Odd(packed.getvalue(), None)
    yield "gzip of a png", Odd(gzip.compress(png), None)
    yield "gzip of gzip", Odd(gzip.compress(gzip.compress(bytes(10 << 20))), None)
    yield "svg", Odd(b'<svg xmlns="http://www.w3.org/2000/svg"><rect/></svg>', None)
    yield "icon of a png", Odd(encoded(Image.fromarray(RGB), "ICO"), None)
    yield "signature alone", Odd(png[:8], None)
    yield "header alone", Odd(png[:33], None)
    yield "png behind a text", Odd(b"hello\n" + png, None)
    yield "png before a zip", Odd(png + packed.getvalue(), RGB)


_PARTS: tuple[Callable[[], Iterator[tuple[str, Odd]]], ...] = (
    _turned_images,
    _colours,
    _animated,
    _sound_bombs,
    _refused_bombs,
    _foreign,
)


def odd_images() -> dict[str, Odd]:
    """Return the whole corpus by name."""
    return {name: odd for part in _PARTS for name, odd in part()}


def small_images() -> list[bytes]:
    """Return sound files of at most a few kilobytes and of every format: what mutants begin as."""
    image, grey = Image.fromarray(RGB), Image.fromarray(RGB[..., 0])
    alpha = Image.fromarray(np.dstack([RGB, RGB[..., 0]]))
    frames = {"save_all": True, "append_images": [Image.fromarray(OTHER)], "duration": 9}
    exif = Image.Exif()
    exif[0x0112] = 6
    made = [
        encoded(picture, kind, **options)
        for picture, kind, options in (
            (image, "PNG", {}), (alpha, "PNG", {"exif": exif}), (image.quantize(9), "PNG", {}),
            (image, "PNG", frames), (image, "JPEG", {"exif": exif}), (grey, "JPEG", {}),
            (image, "JPEG", {"progressive": True}), (image.convert("CMYK"), "JPEG", {}),
            (image, "WEBP", {}), (alpha, "WEBP", {"lossless": True, "exif": exif}),
            (image, "WEBP", frames), (image, "BMP", {}), (image.quantize(9), "BMP", {}),
            (image.quantize(16), "GIF", {}), (image.quantize(16), "GIF", frames),
            (image, "TIFF", {}), (grey, "TIFF", {"compression": "tiff_adobe_deflate"}),
            (image, "TIFF", {"compression": "tiff_lzw"}), (image, "TIFF", {"compression": "jpeg"}),
            (image.convert("1"), "TIFF", {"compression": "group4"}), (image, "TIFF", frames),
            (image, "PPM", {}), (grey.convert("1"), "PPM", {}),
        )
    ]  # fmt: skip
    made += [b"P2 3 2 255\n1 2 3 4 5 6\n", b"P5 3 1 1023\n" + bytes(range(6))]
    small = [odd.data for odd in odd_images().values() if odd.shows is not None]
    return made + [data for data in small if len(data) < 1500]
