import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from noise_pictures import noise
from PIL import Image

from fer_tune.data import pixels as module
from fer_tune.data.pixels import UnusableError, canonical, content_hash, decode, deviation


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> io.BytesIO:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    stream.seek(0)
    return stream


def png_claiming(width: int, height: int) -> io.BytesIO:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body
            + struct.pack(">I", zlib.crc32(kind + body))
        )  # fmt: skip

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    return io.BytesIO(b"\x89PNG\r\n\x1a\n" + body)


GREY = noise(1)
COLOUR = noise(2, channels=3)


def test_grey_and_colour_pngs_decode_exactly() -> None:
    assert np.array_equal(decode(encoded(Image.fromarray(GREY[:, :, 0]))), GREY)
    assert np.array_equal(decode(encoded(Image.fromarray(COLOUR))), COLOUR)


def test_sixteen_bits_scale_to_eight() -> None:
    wide = GREY[:, :, 0].astype(np.uint16) * 257
    for kind in ("PNG", "TIFF"):
        assert np.array_equal(decode(encoded(Image.fromarray(wide), kind)), GREY)


def test_white_stays_white_in_every_colour_model() -> None:
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK"):
        image = Image.new("RGB", (6, 4), "white").convert(mode)
        pixels = decode(encoded(image, "TIFF" if mode == "CMYK" else "PNG"))
        assert pixels.shape[:2] == (4, 6) and (pixels == 255).all(), mode


def test_palette_pictures_give_their_colours_not_their_indices() -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 200, 30, 90])
    assert (decode(encoded(image)) == [200, 30, 90]).all()


def test_transparency_is_laid_over_white() -> None:
    assert (decode(encoded(Image.new("RGBA", (4, 4), (10, 20, 30, 0)))) == 255).all()
    opaque = decode(encoded(Image.new("RGBA", (4, 4), (10, 20, 30, 255))))
    assert (opaque == [10, 20, 30]).all()


def test_an_animation_gives_its_first_frame() -> None:
    frames = [Image.new("L", (5, 5), value) for value in (40, 200)]
    for kind in ("GIF", "PNG"):
        stream = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
        assert (decode(stream) == 40).all()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty: it has 0 bytes"),
        (b"no picture at all", "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
        (encoded(Image.fromarray(noise(3, side=64)[:, :, 0]), "JPEG").read()[:900], "damaged"),
        (encoded(Image.fromarray(noise(3, side=64)[:, :, 0])).read()[:900], "damaged"),
    ],
)
def test_unusable_bytes_give_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(UnusableError, match=reason):
        decode(io.BytesIO(data))


@pytest.mark.parametrize("side", [10_000, 100_000])
def test_decompression_bombs_are_refused_before_decoding(side: int) -> None:
    with pytest.raises(UnusableError, match="more than 89,478,485 pixels"):
        decode(png_claiming(side, side))


def test_pixels_without_a_range_are_refused() -> None:
    floats = Image.fromarray(np.zeros((4, 4), np.float32))
    wide = Image.fromarray(np.full((4, 4), 70_000, np.int32))
    for image in (floats, wide):
        with pytest.raises(UnusableError, match="no defined range"):
            decode(encoded(image, "TIFF"))


def test_decoder_bugs_do_not_end_an_import(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(image: Image.Image) -> None:
        raise struct.error("unpack requires a buffer")

    monkeypatch.setattr(module, "_to_pixels", broken)
    with pytest.raises(UnusableError, match="damaged: unpack"):
        decode(encoded(Image.fromarray(GREY[:, :, 0])))


def test_grey_in_three_channels_becomes_one() -> None:
    tripled = np.repeat(GREY, 3, axis=2)
    assert np.array_equal(canonical(tripled, 64), GREY)
    nearly = tripled.copy()
    nearly[0, 0, 2] ^= 1
    assert canonical(nearly, 64).shape[2] == 3


def test_reduction_keeps_shape_ratio_and_small_pictures() -> None:
    wide = np.repeat(noise(5, side=100), 2, axis=1)
    assert canonical(wide, 50).shape == (25, 50, 1)
    assert canonical(wide[:1], 16).shape == (1, 16, 1)
    assert canonical(COLOUR, 12) is not None and np.array_equal(canonical(COLOUR, 12), COLOUR)


def test_reduction_averages_instead_of_dropping_pixels() -> None:
    stripes = np.zeros((64, 64, 1), np.uint8)
    stripes[:, ::2] = 255
    reduced = canonical(stripes, 16)
    assert 110 < reduced.mean() < 145 and reduced.std() < 20


def test_the_hash_depends_on_pixels_and_shape() -> None:
    assert content_hash(GREY) == content_hash(GREY.copy())
    flat = np.zeros((4, 9, 1), np.uint8)
    hashes = {content_hash(a) for a in (flat, flat.reshape(6, 6, 1), flat.reshape(4, 3, 3), GREY)}
    assert len(hashes) == 4


def test_a_flat_colour_deviates_by_nothing() -> None:
    flat = np.full((8, 8, 3), (200, 10, 90), np.uint8)
    assert deviation(flat) == 0
    half = np.zeros((8, 8, 1), np.uint8)
    half[:4] = 255
    assert deviation(half) == pytest.approx(127.5)


SAMPLES = [
    encoded(Image.fromarray(GREY[:, :, 0]), kind).read()
    for kind in ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
] + [
    encoded(Image.new(mode, (9, 5)), kind).read()
    for mode, kind in (
        ("P", "PNG"),
        ("I;16", "PNG"),
        ("LA", "PNG"),
        ("CMYK", "TIFF"),
        ("1", "TIFF"),
    )
]


def decodes_or_tells(data: bytes) -> None:
    try:
        pixels = decode(io.BytesIO(data))
    except UnusableError as error:
        assert str(error) and "\n" not in str(error)
    else:
        assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] in (1, 3)
        assert pixels.size and canonical(pixels, 16).size


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    start=st.sampled_from([b"", *(sample[:12] for sample in SAMPLES)]),
    rest=st.binary(max_size=300),
)
def test_any_bytes_are_a_picture_or_refused(start: bytes, rest: bytes) -> None:
    decodes_or_tells(start + rest)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    sample=st.sampled_from(SAMPLES),
    changes=st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=3)), min_size=1, max_size=3),
)
def test_any_damage_to_a_picture_is_seen_through_or_refused(
    sample: bytes, changes: list[tuple[float, bytes]]
) -> None:
    for place, patch in changes:
        start = int(place * len(sample))
        sample = sample[:start] + patch + sample[start + 2 :]  # cuts, replaces and inserts
    decodes_or_tells(sample)
