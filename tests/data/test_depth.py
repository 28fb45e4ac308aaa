"""Orientation, pictures with more than 8 bits, and formats that need more than Pillow."""

from __future__ import annotations

import io
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from noise_pictures import noise
from PIL import Image

from fer_tune.data import PackedDataset, import_source
from fer_tune.data.pixels import UnusableError, decode, decode_raw, depth_of, eight_bits
from fer_tune.errors import DataError


def stream(image: Image.Image, kind: str = "PNG", **options: object) -> io.BytesIO:
    out = io.BytesIO()
    image.save(out, kind, **options)
    out.seek(0)
    return out


def grey(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels[:, :, 0] if pixels.ndim == 3 else pixels)


def deep_noise(seed: int, bits: int) -> np.ndarray:
    """uint16 (12, 12), its brightest value the highest of so many bits."""
    values = np.random.default_rng(seed).integers(0, 2**bits, (12, 12)).astype(np.uint16)
    values[0, 0] = 2**bits - 1
    return values


def put(root: Path, pictures: dict[str, np.ndarray | Image.Image], kind: str = "png") -> Path:
    for name, picture in pictures.items():
        path = root / f"{name}.{kind}"
        path.parent.mkdir(parents=True, exist_ok=True)
        image = picture if isinstance(picture, Image.Image) else grey(picture)
        image.save(path)
    return root


# -- orientation ----------------------------------------------------------------------------------

TURNS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: a[::-1].transpose(1, 0, 2),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: a.transpose(1, 0, 2)[::-1],
}


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG"])
def test_orientation_tags_are_applied(orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = np.repeat(np.repeat(noise(3)[:6], 8, axis=0), 8, axis=1)  # twice as wide as high
    options = {"lossless": True} if kind == "WEBP" else {"quality": 100} if kind == "JPEG" else {}
    found = decode(stream(grey(picture), kind, exif=exif, **options))[:, :, :1].astype(int)
    expected = TURNS[orientation](picture)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= (3 if kind == "JPEG" else 0)


def test_an_import_is_upright_and_equals_the_turned_picture(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for n, name in enumerate(("happy", "sad")):
        for root in ("tagged", "turned"):
            (tmp_path / root / name).mkdir(parents=True)
        grey(noise(n)[:6]).save(tmp_path / f"tagged/{name}/1.png", exif=exif)
        grey(TURNS[6](noise(n)[:6])).save(tmp_path / f"turned/{name}/1.png")
    tagged, turned = (
        import_source(str(tmp_path / root), tmp_path / f"{root}.out").fingerprint
        for root in ("tagged", "turned")
    )
    assert tagged == turned


@pytest.mark.parametrize(
    "tag", [b"", b"\0" * 8, b"MM\0*\0\0\0\x08\0\x05garbage", b"II*\0\xff\xff\xff\xff"]
)
def test_a_damaged_tag_leaves_the_picture_as_it_is(tag: bytes) -> None:
    assert np.array_equal(decode(stream(grey(noise(1)), exif=b"Exif\0\0" + tag)), noise(1))


# -- depth ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("brightest", "bits"),
    [(0, 8), (255, 8), (256, 10), (1023, 10), (1024, 12), (4095, 12), (4096, 14), (65535, 16)],
)
def test_the_depth_is_the_least_that_values_fit_in(brightest: int, bits: int) -> None:
    assert depth_of(brightest) == bits


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("kind", ["png", "tif"])
def test_values_in_wide_files_are_scaled_by_their_real_range(
    bits: int, kind: str, tmp_path: Path
) -> None:
    wide = {
        f"{name}/{k}": deep_noise(10 * k + n, bits)
        for n, name in enumerate(("happy", "sad"))
        for k in range(3)
    }
    report = import_source(str(put(tmp_path / "wide", wide, kind)), tmp_path / "out")
    narrow = {name: eight_bits(values, bits) for name, values in wide.items()}
    expected = import_source(str(put(tmp_path / "narrow", narrow)), tmp_path / "expected")
    assert report.fingerprint == expected.fingerprint
    (note,) = [note for note in report.found.notes if "16 bits per pixel" in note]
    assert f"up to {2**bits - 1:,}: read as {bits}-bit values" in note
    dataset = PackedDataset.open(tmp_path / "out")
    assert all(len(np.unique(dataset.picture(i))) > 80 for i in range(6)), "17 levels would be left"


def test_dark_pictures_are_scaled_as_the_others(tmp_path: Path) -> None:
    dark = (deep_noise(1, 12) // 8).astype(np.uint16)
    wide = {"happy/1": deep_noise(2, 12), "sad/1": dark}
    report = import_source(str(put(tmp_path / "wide", wide)), tmp_path / "out")
    assert report.pictures == 2
    dataset = PackedDataset.open(tmp_path / "out")
    found = {dataset.classes[dataset.labels[i]]: dataset.picture(i).max() for i in range(2)}
    assert found == {"happy": 255, "sad": 32}


def test_pictures_of_another_depth_than_the_others_are_named(tmp_path: Path) -> None:
    wide = {"happy/1": deep_noise(1, 16), "sad/1": deep_noise(2, 16), "sad/2": deep_noise(3, 12)}
    wide["sad/black"] = np.zeros((12, 12), np.uint16)
    source = str(put(tmp_path / "wide", wide))
    report = import_source(source, tmp_path / "out")
    ((name, reason),) = report.skipped
    assert name == "sad/2.png"
    assert "values end at 4,095, in a source of 16-bit pictures" in reason
    assert report.pictures == 3, "what is black is black at any depth"
    with pytest.raises(DataError, match=r"sad/2\.png: values end at 4,095.*without --strict"):
        import_source(source, tmp_path / "strict", strict=True)


def test_the_user_may_know_the_depth(tmp_path: Path) -> None:
    wide = {"happy/1": deep_noise(1, 10), "sad/1": deep_noise(2, 10)}
    source = str(put(tmp_path / "wide", wide))
    import_source(source, tmp_path / "out", bits=12)
    dataset = PackedDataset.open(tmp_path / "out")
    assert max(dataset.picture(i).max() for i in range(2)) == 64
    with pytest.raises(DataError, match=r"--bits.*8, 10, 12, 14, 16.*got 11"):
        import_source(source, tmp_path / "eleven", bits=11)
    with pytest.raises(DataError, match="values up to 1,023 do not fit in 8 bits"):
        import_source(source, tmp_path / "eight", bits=8)


def test_a_single_picture_is_scaled_by_its_own_range() -> None:
    values = deep_noise(1, 12)
    assert np.array_equal(decode(stream(grey(values))), eight_bits(values, 12))
    assert np.array_equal(decode_raw(stream(grey(values))), values)


def colour_png(values: np.ndarray) -> io.BytesIO:
    """A PNG of 16-bit colour; Pillow writes none."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    height, width, _ = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return io.BytesIO(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def test_wide_colour_is_read_at_full_range_and_refused_below() -> None:
    colour = noise(4, channels=3)
    assert np.array_equal(decode(colour_png(colour.astype(np.uint16) * 257)), colour)
    for bits in (10, 12, 14):
        values = np.stack([deep_noise(n, bits) for n in range(3)], axis=2)
        with pytest.raises(UnusableError, match=r"16-bit colour.*convert it to 8 bits"):
            decode(colour_png(values))


def test_deep_pictures_that_are_inverted_are_refused() -> None:
    inverted = stream(grey(deep_noise(1, 12)), "TIFF", tiffinfo={262: 0})
    with pytest.raises(UnusableError, match="0 is white"):
        decode(inverted)


# -- formats --------------------------------------------------------------------------------------


def phone_picture() -> bytes:
    heif = pytest.importorskip("pillow_heif")
    out = io.BytesIO()
    heif.from_pillow(Image.fromarray(noise(5, side=64, channels=3))).save(out, quality=100)
    return out.getvalue()


def test_heic_is_read_with_the_extra_and_named_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = phone_picture()
    assert decode(io.BytesIO(content)).shape == (64, 64, 3)
    for name in ("happy", "sad"):
        (tmp_path / "phone" / name).mkdir(parents=True)
        (tmp_path / "phone" / name / "1.HEIC").write_bytes(content)
    assert import_source(str(tmp_path / "phone"), tmp_path / "out").pictures == 2
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.delitem(Image.OPEN, "HEIF")
    with pytest.raises(UnusableError, match=r"HEIC, which needs the extra.*fer-tune\[heic\]"):
        decode(io.BytesIO(content))


def test_avif_is_read_or_named(monkeypatch: pytest.MonkeyPatch) -> None:
    Image.init()
    if "AVIF" not in Image.OPEN:
        pytest.skip("this Pillow was built without AVIF")
    content = stream(Image.fromarray(noise(6, side=32, channels=3)), "AVIF").read()
    assert decode(io.BytesIO(content)).shape == (32, 32, 3)
    for opener in ("AVIF", "HEIF"):
        monkeypatch.delitem(Image.OPEN, opener, raising=False)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(UnusableError, match=r"AVIF, which this Pillow cannot read.*11\.3"):
        decode(io.BytesIO(content))


@pytest.mark.parametrize("head", [b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"])
def test_jpeg_xl_is_named(head: bytes) -> None:
    with pytest.raises(UnusableError, match="JPEG XL, which is not supported"):
        decode(io.BytesIO(head + b"\0" * 80))
