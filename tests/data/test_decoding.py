"""Decoding: every mode to RGB, upright, scaled by hand-computed rules, whole or not at all."""

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageFile

from wordsight.data.decoding import MAX_PIXELS, decode, pixels_to_rgb
from wordsight.exceptions import BrokenImageError, InputError

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (11, 13, 3), dtype=np.uint8)
GREY = RGB[..., 0]
GREY_16 = np.array([[0, 1, 128, 129, 256, 257], [385, 386, 32767, 32768, 65406, 65535]], np.uint16)
# round(v / 257): the halves lie between 128 and 129, 385 and 386, and so on, never on an integer
GREY_16_AS_8 = np.array([[0, 0, 0, 1, 1, 1], [1, 2, 127, 128, 254, 255]], np.uint8)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def repeated(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(grey[..., None], 3, axis=2)


def over_white(colour: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    a = alpha[..., None].astype(np.float64) / 255
    return np.rint(colour * a + 255 * (1 - a)).astype(np.uint8)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *extra: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + b"".join(extra) + chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def tiff(strips: list[bytes], shape: tuple[int, int], rows: int, **changed: int) -> bytes:
    """Build a little-endian grey TIFF whose directory comes first, as Pillow does not write it."""
    height, width = shape
    values = {"bits": 8, "compression": 1, "photometric": 1, "kind": 1} | changed
    first = 8 + 2 + 12 * 10 + 4
    sizes = [len(strip) for strip in strips]
    starts = [first + 8 * len(strips) + sum(sizes[:i]) for i in range(len(strips))]
    many = len(strips) > 1
    entries = [
        (256, 3, 1, width),
        (257, 3, 1, height),
        (258, 3, 1, values["bits"]),
        (259, 3, 1, values["compression"]),
        (262, 3, 1, values["photometric"]),
        (273, 4, len(strips), first if many else starts[0]),
        (277, 3, 1, 1),
        (278, 3, 1, rows),
        (279, 4, len(strips), first + 4 * len(strips) if many else sizes[0]),
        (339, 3, 1, values["kind"]),
    ]
    directory = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    tables = struct.pack(f"<{2 * len(strips)}I", *starts, *sizes)
    head = b"II*\0" + struct.pack("<IH", 8, len(entries))
    return head + directory + b"\0\0\0\0" + tables + b"".join(strips)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
def test_rgb_and_grey_pass_bit_exact(kind: str) -> None:
    assert np.array_equal(decode(encoded(Image.fromarray(RGB), kind), None, "x"), RGB)
    decoded = decode(encoded(Image.fromarray(GREY), kind), None, "x")
    assert np.array_equal(decoded, repeated(GREY))
    assert decoded.dtype == np.uint8


def test_lossless_webp_passes_bit_exact() -> None:
    data = encoded(Image.fromarray(RGB), "WEBP", lossless=True)
    assert np.array_equal(decode(data, (11, 13), "x"), RGB)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_lossy_formats_come_close(kind: str) -> None:
    smooth = np.add.outer(np.arange(32) * 3, np.arange(40) * 2).astype(np.uint8)
    image = np.stack([smooth, smooth[::-1], smooth[:, ::-1]], axis=2)
    decoded = decode(encoded(Image.fromarray(image), kind, quality=95), None, "x")
    assert np.abs(decoded.astype(int) - image).mean() < 3


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "TIFF"])
def test_palette(kind: str) -> None:
    index = RNG.integers(0, 5, (9, 7), dtype=np.uint8)
    colours = RNG.integers(0, 256, (5, 3), dtype=np.uint8)
    image = Image.fromarray(index).convert("P")
    image.putdata(index.ravel().tolist())
    image.putpalette(colours.tobytes())
    assert np.array_equal(decode(encoded(image, kind), None, "x"), colours[index])


def test_palette_with_one_transparent_colour() -> None:
    index = RNG.integers(0, 4, (9, 7), dtype=np.uint8)
    colours = RNG.integers(0, 200, (4, 3), dtype=np.uint8)
    image = Image.fromarray(index).convert("P")
    image.putdata(index.ravel().tolist())
    image.putpalette(colours.tobytes())
    expected = np.where((index == 2)[..., None], np.uint8(255), colours[index])
    for kind in ("PNG", "GIF"):
        assert np.array_equal(decode(encoded(image, kind, transparency=2), None, "x"), expected)


def test_palette_with_partial_transparency() -> None:
    index = RNG.integers(0, 4, (9, 7), dtype=np.uint8)
    colours = RNG.integers(0, 256, (4, 3), dtype=np.uint8)
    alphas = np.array([0, 77, 128, 255], np.uint8)
    rows = b"".join(b"\0" + row.tobytes() for row in index)
    data = png(
        7, 9, 8, 3, rows, chunk(b"PLTE", colours.tobytes()), chunk(b"tRNS", alphas.tobytes())
    )
    expected = over_white(colours[index], alphas[index])
    assert np.array_equal(decode(data, None, "x"), expected)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_alpha_is_shown_over_white(kind: str) -> None:
    alpha = RNG.integers(0, 256, GREY.shape, dtype=np.uint8)
    rgba = np.dstack([RGB, alpha])
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    data = encoded(Image.fromarray(rgba), kind, **options)
    assert np.array_equal(decode(data, None, "x"), over_white(RGB, alpha))


def test_grey_with_alpha() -> None:
    alpha = RNG.integers(0, 256, GREY.shape, dtype=np.uint8)
    image = Image.fromarray(np.dstack([GREY, alpha]), "LA")
    expected = over_white(repeated(GREY), alpha)
    assert np.array_equal(decode(encoded(image, "PNG"), None, "x"), expected)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("colour", [0, 2])
def test_a_transparent_colour_of_png_shows_white(depth: int, colour: int) -> None:
    n_channels, number = (1 if colour == 0 else 3), f">u{depth // 8}"
    scale = 1 if depth == 8 else 257
    value, key = 40 * scale, 90 * scale
    pixels = np.array([[[value] * n_channels, [key] * n_channels]], dtype=number)
    rows = b"\0" + pixels.tobytes()
    data = png(2, 1, depth, colour, rows, chunk(b"tRNS", struct.pack(">H", key) * n_channels))
    assert decode(data, None, "x").tolist() == [[[40] * 3, [255] * 3]]


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM", "BMP"])
def test_one_bit(kind: str) -> None:
    bits = RNG.integers(0, 2, (9, 11), dtype=np.uint8) * 255
    image = Image.fromarray(bits).convert("1")
    assert np.array_equal(decode(encoded(image, kind), None, "x"), repeated(bits))


def test_cmyk_without_black_is_the_complement() -> None:
    ink = np.dstack([RGB, np.zeros_like(GREY)])
    data = encoded(Image.fromarray(ink, "CMYK"), "TIFF")
    assert np.array_equal(decode(data, None, "x"), 255 - RGB)
    flat = np.full((16, 16, 4), [200, 100, 50, 0], np.uint8)
    jpeg = encoded(Image.fromarray(flat, "CMYK"), "JPEG", quality=100)
    assert np.abs(decode(jpeg, None, "x").astype(int) - [55, 155, 205]).max() <= 2


def test_16_bit_grey_is_scaled_and_not_clipped() -> None:
    expected = repeated(GREY_16_AS_8)
    big, little = GREY_16.astype(">u2"), GREY_16.astype("<u2")
    image = Image.fromarray(little)
    pnm = b"P5\n6 2\n65535\n" + big.tobytes()
    plain = b"P2\n6 2\n65535\n" + b" ".join(b"%d" % value for value in GREY_16.flat) + b"\n"
    for data in (encoded(image, "PNG"), encoded(image, "TIFF"), pnm, plain):
        assert np.array_equal(decode(data, None, "x"), expected)
    big_endian = bytearray(encoded(Image.frombytes("I;16B", (6, 2), big.tobytes()), "TIFF"))
    assert np.array_equal(decode(bytes(big_endian), None, "x"), expected)


def test_16_bit_grey_tiff_whose_zero_is_white() -> None:
    data = tiff([(65535 - GREY_16).astype("<u2").tobytes()], (2, 6), 2, bits=16, photometric=0)
    assert np.array_equal(decode(data, None, "x"), repeated(GREY_16_AS_8))


def test_16_bit_colour_keeps_the_high_byte() -> None:
    pixels = np.array([[0, 0x1234, 0xFFFF]], dtype=">u2")
    for data in (png(1, 1, 16, 2, b"\0" + pixels.tobytes()), b"P6 1 1 65535\n" + pixels.tobytes()):
        exact = pixels[0].astype(float) / 257
        assert np.abs(decode(data, None, "x")[0, 0] - exact).max() <= 1


def test_pnm_of_another_maximum_is_scaled() -> None:
    data = b"P5 3 1 100\n" + bytes([0, 50, 100])
    assert decode(data, None, "x")[0, :, 0].tolist() == [0, 128, 255]
    data = b"P5 3 1 1023\n" + np.array([0, 512, 1023], ">u2").tobytes()
    assert decode(data, None, "x")[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("mode", ["F", "I"])
def test_32_bit_pixels_are_refused(mode: str) -> None:
    data = encoded(Image.fromarray(GREY).convert(mode), "TIFF")
    with pytest.raises(BrokenImageError, match="photo: its pixels are 32-bit numbers"):
        decode(data, None, "photo")


def test_pfm_is_refused() -> None:
    with pytest.raises(BrokenImageError, match="32-bit"):
        decode(b"Pf\n1 1\n-1.0\n" + struct.pack("<f", 0.5), None, "x")


def test_first_frame_of_a_gif() -> None:
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "lime", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert np.array_equal(decode(data, None, "x"), np.full((6, 8, 3), [255, 0, 0], np.uint8))


# what a viewer must do with the stored pixels, from the Exif standard (row 0, column 0 are ...)
UPRIGHT: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    1: lambda a: a,  # top, left
    2: lambda a: a[:, ::-1],  # top, right
    3: lambda a: a[::-1, ::-1],  # bottom, right
    4: lambda a: a[::-1],  # bottom, left
    5: lambda a: a.transpose(1, 0, 2),  # left, top
    6: lambda a: np.rot90(a, -1),  # right, top
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),  # right, bottom
    8: lambda a: np.rot90(a, 1),  # left, bottom
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG"])
def test_exif_orientation(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, object] = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(Image.fromarray(RGB), kind, exif=exif, **options)
    stored = RGB
    if kind == "JPEG":
        stored = decode(encoded(Image.fromarray(RGB), kind), None, "x")
    assert np.array_equal(decode(data, None, "x"), UPRIGHT[orientation](stored))


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_means_nothing_is_ignored(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(RGB), "PNG", exif=exif)
    assert np.array_equal(decode(data, None, "x"), RGB)


def test_a_broken_exif_block_does_not_cost_the_picture() -> None:
    data = encoded(Image.fromarray(RGB), "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff garbage")
    assert np.array_equal(decode(data, None, "x"), RGB)


def whole_files() -> dict[str, bytes]:
    image, grey = Image.fromarray(RGB), GREY[:8, :8]
    smooth = Image.fromarray(np.add.outer(np.arange(20) * 9, np.arange(24) * 3).astype(np.uint8))
    strips = [grey[i : i + 4].tobytes() for i in (0, 4)]
    numbers = b" ".join(b"%d" % (100 + value % 100) for value in grey.flat) + b"\n"
    return {
        "jpeg": encoded(image, "JPEG"),
        "jpeg smooth": encoded(smooth, "JPEG"),
        "jpeg progressive": encoded(image, "JPEG", progressive=True),
        "png": encoded(image, "PNG"),
        "png smooth": encoded(smooth, "PNG"),
        "png palette": encoded(image.quantize(9), "PNG"),
        "webp": encoded(image, "WEBP"),
        "webp lossless": encoded(image, "WEBP", lossless=True),
        "bmp": encoded(image, "BMP"),
        "gif": encoded(image.quantize(16), "GIF"),
        "tiff": encoded(image, "TIFF"),
        "tiff raw strips": tiff(strips, (8, 8), 4),
        "tiff deflate": tiff([zlib.compress(s) for s in strips], (8, 8), 4, compression=8),
        "tiff lzw": encoded(image, "TIFF", compression="tiff_lzw"),
        "tiff group 4": encoded(image.convert("1"), "TIFF", compression="group4"),
        "tiff 16": encoded(Image.fromarray(GREY_16), "TIFF"),
        "ppm": encoded(image, "PPM"),
        "pbm": encoded(image.convert("1"), "PPM"),
        "pgm 16": b"P5 6 2 65535\n" + GREY_16.astype(">u2").tobytes(),
        "pgm odd": b"P5 8 8 200\n" + np.minimum(grey, 200).tobytes(),
        "plain pgm": b"P2 8 8 255\n" + numbers,
        "plain ppm": b"P3 8 2 255\n" + b" ".join(numbers.split()[:48]) + b"\n",
        "plain pbm": b"P1 8 8\n" + b" ".join(b"%d" % (value & 1) for value in grey.flat) + b"\n",
    }


FILES = whole_files()


@pytest.mark.parametrize("kind", FILES)
def test_a_file_cut_anywhere_is_refused_or_decodes_alike(kind: str) -> None:
    data = FILES[kind]
    whole = decode(data, None, "x")
    n_refused = 0
    for end in range(len(data)):
        try:
            decoded = decode(data[:end], None, "cut")
        except BrokenImageError as error:
            assert error.name == "cut"
            assert "\n" not in str(error)
            n_refused += 1
        else:
            assert np.array_equal(decoded, whole), f"cut at byte {end} of {len(data)}"
    assert n_refused >= len(data) // 2


@pytest.mark.parametrize("kind", ["jpeg", "jpeg progressive", "png", "gif", "tiff deflate"])
def test_a_file_whose_end_became_zeros_is_refused_or_decodes_alike(kind: str) -> None:
    data = FILES[kind]
    whole = decode(data, None, "x")
    for end in range(0, len(data), 3):
        try:
            decoded = decode(data[:end] + bytes(len(data) - end), None, "cut")
        except BrokenImageError:
            continue
        assert np.array_equal(decoded, whole), f"zeros from byte {end} of {len(data)}"


def test_a_png_with_too_few_rows_is_refused() -> None:
    rows = b"".join(b"\0" + row.tobytes() for row in GREY)
    assert np.array_equal(decode(png(13, 11, 8, 0, rows), None, "x"), repeated(GREY))
    with pytest.raises(BrokenImageError, match="rows are missing"):
        decode(png(13, 11, 8, 0, rows[:-1]), None, "x")


@pytest.mark.parametrize(("width", "height"), [(1, 1), (3, 2), (5, 5), (13, 11), (8, 8)])
@pytest.mark.parametrize("depth", [1, 8])
def test_an_interlaced_png_is_whole(width: int, height: int, depth: int) -> None:
    # the rows of the seven passes, built from the definition: each pass is a grid of pixels
    pixels = RNG.integers(0, 2, (height, width), dtype=np.uint8) * (255 if depth == 8 else 1)
    starts = [(0, 0), (0, 4), (4, 0), (0, 2), (2, 0), (0, 1), (1, 0)]
    steps = [(8, 8), (8, 8), (8, 4), (4, 4), (4, 2), (2, 2), (2, 1)]
    rows = b""
    for (top, left), (down, right) in zip(starts, steps, strict=True):
        for row in pixels[top::down, left::right]:
            if row.size:
                rows += b"\0" + (np.packbits(row) if depth == 1 else row).tobytes()
    header = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 1)

    def file(body: bytes) -> bytes:
        chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b"")
        return b"\x89PNG\r\n\x1a\n" + chunks

    shade = np.where(pixels > 0, np.uint8(255), np.uint8(0))
    assert np.array_equal(decode(file(rows), None, "x"), repeated(shade))
    with pytest.raises(BrokenImageError):
        decode(file(rows[:-1]), None, "x")


def test_a_highly_compressed_png_is_counted_right() -> None:
    data = encoded(Image.new("L", (4096, 1024)), "PNG")  # 4 MiB inflated from a few kilobytes
    assert decode(data, (8, 8), "x").max() == 0


def test_a_tiff_that_lacks_a_strip_is_refused() -> None:
    strips = [GREY[i : i + 4, :8].tobytes() for i in (0, 4)]
    with pytest.raises(BrokenImageError, match="1 of 2 TIFF strips"):
        decode(tiff(strips[:1], (8, 8), 4), None, "x")


def test_a_damaged_png_checksum_is_refused() -> None:
    data = bytearray(FILES["png"])
    data[data.index(b"IDAT") + 40] ^= 1
    with pytest.raises(BrokenImageError, match="corrupt"):
        decode(bytes(data), None, "x")


@pytest.mark.parametrize("data", [b"", b"\0", b"hello", b"GIF89a", b"<svg/>", b"%PDF-1.7\n" * 9])
def test_what_is_no_image_is_refused_with_its_name(data: bytes) -> None:
    with pytest.raises(BrokenImageError, match=r"dir/a\.jpg") as caught:
        decode(data, (4, 4), "dir/a.jpg")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["ICO", "TGA", "PCX", "SGI", "JPEG2000", "EPS"])
def test_formats_outside_the_list_are_refused(kind: str) -> None:
    with pytest.raises(BrokenImageError, match="not a sound JPEG"):
        decode(encoded(Image.fromarray(RGB), kind), None, "x")


@pytest.mark.parametrize("sides", [(MAX_PIXELS // 9000, 9001), (20_000, 20_000), (2**31 - 1,) * 2])
def test_too_many_pixels_are_refused_before_decoding(sides: tuple[int, int]) -> None:
    with pytest.raises(BrokenImageError, match="100 megapixels"):
        decode(png(*sides, 8, 0, b""), None, "x")
    with pytest.raises(BrokenImageError):
        decode(b"P6 %d %d 255\n" % sides, None, "x")


@given(
    kind=st.sampled_from(sorted(FILES)),
    where=st.floats(0, 1, exclude_max=True),
    noise=st.binary(min_size=1, max_size=12),
)
@settings(max_examples=400, deadline=None)
def test_damaged_bytes_never_crash(kind: str, where: float, noise: bytes) -> None:
    data = bytearray(FILES[kind])
    at = int(where * len(data))
    data[at : at + len(noise)] = noise
    try:
        decoded = decode(bytes(data), (6, 5), "x")
    except BrokenImageError:
        return
    assert decoded.shape == (6, 5, 3)


def test_truncated_images_stay_forbidden() -> None:
    decode(FILES["jpeg"], None, "x")
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


@pytest.mark.parametrize(
    ("shape", "size", "scaled"),
    [((40, 80), (10, 10), (10, 20)), ((80, 40), (20, 20), (40, 20)), ((6, 9), (12, 10), (12, 18))],
)
def test_the_centre_of_the_scaled_image_is_kept(
    shape: tuple[int, int], size: tuple[int, int], scaled: tuple[int, int]
) -> None:
    image = Image.fromarray(RNG.integers(0, 256, (*shape, 3), dtype=np.uint8))
    whole = np.asarray(image.resize(scaled[::-1], Image.Resampling.BICUBIC))
    top, left = (scaled[0] - size[0]) // 2, (scaled[1] - size[1]) // 2
    expected = whole[top : top + size[0], left : left + size[1]]
    decoded = decode(encoded(image, "PNG"), size, "x")
    # the two passes round to 8 bits and may come in either order; noise shifted by a pixel is
    # off by a hundred
    assert np.abs(decoded.astype(int) - expected).max() <= 2


def test_shrinking_does_not_alias() -> None:
    checks = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    decoded = decode(encoded(Image.fromarray(checks), "PNG"), (7, 7), "x")
    assert np.abs(decoded.astype(float) - 127.5).max() <= 3


def test_enlarging_a_flat_image_keeps_its_colour() -> None:
    decoded = decode(encoded(Image.new("RGB", (3, 5), (10, 20, 30)), "PNG"), (32, 32), "x")
    assert decoded.shape == (32, 32, 3)
    assert np.array_equal(np.unique(decoded.reshape(-1, 3), axis=0), [[10, 20, 30]])


@pytest.mark.parametrize("size", [(0, 4), (4,), (4, -1), (4.5, 4), (10**6, 10**6)])
def test_an_impossible_size_is_an_input_error(size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="image_size"):
        decode(FILES["png"], size, "x")


def test_arrays_become_rgb() -> None:
    alpha = RNG.integers(0, 256, GREY.shape, dtype=np.uint8)
    assert np.array_equal(pixels_to_rgb(RGB, None, "x"), RGB)
    assert np.array_equal(pixels_to_rgb(RGB, (11, 13), "x"), RGB)
    assert np.array_equal(pixels_to_rgb(GREY, None, "x"), repeated(GREY))
    assert np.array_equal(pixels_to_rgb(GREY[..., None], None, "x"), repeated(GREY))
    rgba = np.dstack([RGB, alpha])
    assert np.array_equal(pixels_to_rgb(rgba, None, "x"), over_white(RGB, alpha))
    for order in ("<u2", ">u2"):
        scaled = pixels_to_rgb(GREY_16.astype(order), None, "x")
        assert np.array_equal(scaled, repeated(GREY_16_AS_8))
    assert pixels_to_rgb(RGB, (5, 6), "x").shape == (5, 6, 3)


def test_arrays_and_files_are_resized_alike() -> None:
    from_file = decode(encoded(Image.fromarray(RGB), "PNG"), (7, 5), "x")
    assert np.array_equal(pixels_to_rgb(RGB, (7, 5), "x"), from_file)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.bool_])
def test_arrays_without_a_stated_white_are_refused(dtype: type) -> None:
    with pytest.raises(InputError, match="give uint8"):
        pixels_to_rgb(RGB.astype(dtype), None, "x")


@pytest.mark.parametrize("shape", [(5,), (5, 5, 2), (5, 5, 5), (2, 5, 5, 3), (0, 5, 3)])
def test_arrays_of_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="shape"):
        pixels_to_rgb(np.zeros(shape, np.uint8), None, "x")
