"""Bad sources of `data import` by name: what it is given, and what its message must say.

``{t}`` is the case's folder, which stands as ``T`` in what a message must say.
"""

from __future__ import annotations

import zipfile

from bad_inputs import (
    MIB,
    Maker,
    among,
    archive,
    encoded,
    file,
    folder,
    link,
    noise,
    nothing,
    packed,
    pictures,
    png_claiming,
    row,
    together,
)
from PIL import Image

Case = tuple[str, Maker, list[str]]

IMPORT = "data import {t}/src --out {t}/out"
ZIP = "data import {t}/src.zip --out {t}/out"
CSV = "data import {t}/f.csv --out {t}/out"

HEADER = "emotion,pixels,Usage\n"

IMPORTS: dict[str, Case] = {
    # pictures
    "no such source": (IMPORT, nothing, ["no such source", "T/src", "Use a folder"]),
    "unknown kind of source": ("data import {t}/f.doc --out {t}/out", file("f.doc"), ["f.doc"]),
    "empty folder": (IMPORT, folder("src"), ["T/src", "two classes", "no pictures", "train/happy"]),
    "one class": (IMPORT, pictures(("happy",)), ["at least two classes", "'happy'"]),
    "no class folder": (
        IMPORT,
        file("src/1.png", encoded(noise(1), "PNG")),
        ["no picture is in a class folder", "folders named after their class"],
    ),
    "unknown picked class": (
        IMPORT + " --classes happy,joyful",
        pictures(),
        ["--classes", "'joyful'", "Found: happy, sad"],
    ),
    "one picked class": (IMPORT + " --classes happy", pictures(), ["two or more", "'happy'"]),
    "all unreadable": (
        IMPORT,
        together(file("src/train/happy/a.png", "x"), file("src/train/sad/b.png", "x")),
        ["no usable picture", ": 2", "train/happy/a.png: not an image"],
    ),
    "name with a line break": (
        IMPORT + " --strict",
        among("a\nb\x1b.png", b"x"),
        ["a\ufffdb\ufffd.png: not an image"],
    ),
    "max side": (
        IMPORT + " --max-side 3",
        pictures(),
        ["--max-side", "at least 16", "got 3", "256"],
    ),
    # zips
    "torn zip": (ZIP, file("src.zip", b"PK\x03\x04 torn"), ["cannot be read as a zip", "9 bytes"]),
    "empty file as zip": (ZIP, file("src.zip"), ["src.zip", "cannot be read as a zip", "0 bytes"]),
    "empty zip": (ZIP, archive({}), ["at least two classes", "no pictures"]),
    # CSVs
    "47 pixels": (
        CSV,
        file("f.csv", HEADER + row(3, 47)),
        ["f.csv:2: 47 pixels are not a square", "48 x 48"],
    ),
    "letters for pixels": (
        CSV,
        file("f.csv", HEADER + row(3, 4, "x")),
        ["f.csv:2: pixels must be whole numbers from 0 to 255 (got 'x')"],
    ),
    "emotion out of range": (CSV, file("f.csv", HEADER + row(9, 4)), ["0 to 6 (got '9')"]),
    "no such columns": (
        CSV,
        file("f.csv", "name,px\n1,2\n"),
        ["no column emotion and no column pixels", "'name, px'", "emotion, pixels, Usage"],
    ),
    "one row with semicolons": (CSV, file("f.csv", "emotion;pixels\n1;1\n"), ["got 'disgust'"]),
    "empty CSV": (CSV, file("f.csv"), ["no column emotion", "'no columns'"]),
    "header alone": (CSV, file("f.csv", HEADER), ["two classes", "no pictures", "FER2013 row"]),
    "endless field": (CSV, file("f.csv", HEADER + row(3, 10**5)), ["f.csv:2: 100000 pixels"]),
    "open quotation": (
        CSV,
        file("f.csv", HEADER + '1,"' + "1 " * 34 * 1024**2),
        ["f.csv:", "quotation mark"],
    ),
    # labels
    "no out": ("data import {t}/src", pictures(), ["missing option --out", "--dry-run"]),
    "no such labels": (IMPORT + " --labels l.csv", pictures(), ["--labels", "'l.csv'"]),
    "labels and pattern": (
        IMPORT + " --labels l.csv --class-from (?P<class>.)",
        pictures(),
        ["--labels and --class-from cannot be combined"],
    ),
    "rename without a name": (IMPORT + " --rename 1=", pictures(), ["--rename", "NAME=VALUE"]),
    "renamed twice": (IMPORT + " --rename 1=a,1=b", pictures(), ["gives a name twice"]),
    "agreement": (IMPORT + " --min-agreement 50", pictures(), ["--min-agreement", "0 to 1"]),
    "unknown format": (IMPORT + " --format fer", pictures(), ["--format", "'fer'", "fer2013"]),
    "unknown order": (IMPORT + " --label-order fer", pictures(), ["--label-order", "raf-db"]),
    "eight labels": (
        CSV,
        file("f.csv", HEADER + "".join(row(n, 4) for n in (0, 1, 7, 7))),
        ["T/f.csv", "'0, 1, 7'", "--label-order ferplus", "--rename"],
    ),
    "one bad row, strict": (
        CSV + " --strict",
        file("f.csv", HEADER + row(3, 4) + row(4, 4, 8) + row(4, 5)),
        ["f.csv:4: 5 pixels are not a square", "without --strict"],
    ),
    # drawn faces
    "no count": ("data import synthetic:x --out {t}/out", nothing, ["whole number", "synthetic:x"]),
    "endless count": ("data import synthetic:9999999 --out {t}/out", nothing, ["1,000,000"]),
    "one drawn face": ("data import synthetic:1 --out {t}/out", nothing, ["Draw more"]),
    "negative seed": (
        "data import synthetic:9 --seed -1 --out {t}/out",
        nothing,
        ["--seed", "at least 0", "got -1"],
    ),
    # the target of an import
    "target is a file": (IMPORT, together(pictures(), file("out")), ["T/out", "is not a folder"]),
    "target holds something": (
        IMPORT + " --force",
        together(pictures(), file("out/mine.txt")),
        ["T/out", "is not a packed dataset", "another --out"],
    ),
    "target stands": (
        "data import {t}/src --out {t}/packed",
        packed(),
        ["T/packed", "already a packed dataset", "--force"],
    ),
    "target stands, replaced by nothing": (
        "data import {t}/empty --out {t}/packed --force",
        together(packed(), folder("empty")),
        ["T/empty", "two classes"],
    ),
    "target in new folders": (
        "data import {t}/src --out {t}/a/b/out",
        folder("src"),
        ["two classes"],
    ),
    "target below a file": (
        "data import {t}/src --out {t}/f/out",
        together(pictures(), file("f")),
        ["T/f/out: cannot be written", "another --out"],
    ),
    "target where nothing can be written": (
        "data import {t}/src --out /proc/out",
        pictures(),
        ["/proc/out: cannot be written"],
    ),
    "target's name too long": (
        "data import {t}/src --out {t}/" + 300 * "x",
        pictures(),
        ["cannot be written", "too long"],
    ),
}


#: Content of one file, and why it is not taken.
UNREADABLE = {
    "truncated JPEG": (encoded(noise(1, side=64), "JPEG")[:900], "damaged: image file is"),
    "truncated PNG": (encoded(noise(1, side=64), "PNG")[:900], "damaged: image file is"),
    "0 bytes": (b"", "empty: it has 0 bytes"),
    "no picture": (b"hello", "not an image"),
    "billion pixels": (png_claiming(40_000, 25_000), "declares more than 89,478,485 pixels"),
    "floating point": (
        encoded(Image.new("F", (4, 4)), "TIFF"),
        "floating-point pixels have no defined range",
    ),
}


#: A member of a zip (a number: so many zeros), and why it is not taken.
HOSTILE: dict[str, tuple[str | zipfile.ZipInfo, bytes | int, str]] = {
    "upwards": ("../../train/happy/x.png", b"x", "its path leads out of the archive"),
    "absolute": ("/train/happy/x.png", b"x", "its path leads out of the archive"),
    "drive": ("C:\\train\\happy\\x.png", b"x", "its path leads out of the archive"),
    "link": (link("train/happy/x.png"), b"/etc/passwd", "a link or special file"),
    "bomb": ("train/happy/x.png", 64 * MIB, "fold to 67,108,864 bytes: a zip bomb"),
    "huge": ("train/happy/x.png", 300 * MIB, "314,572,800 bytes unpacked"),
}


def frames(kind: str, **options: object) -> bytes:
    later = Image.new("L", (4, 4), 200)
    first = Image.new("L", (4, 4), 40)
    return encoded(first, kind, save_all=True, append_images=[later], **options)


def palette(**options: object) -> bytes:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 200, 30, 90])
    return encoded(image, "PNG", **options)


#: File and the colour that every pixel of it must have once packed.
UNUSUAL = {
    "cmyk.tif": (encoded(Image.new("CMYK", (4, 4), (0, 255, 255, 0)), "TIFF"), (255, 0, 0)),
    "cmyk.jpg": (encoded(Image.new("CMYK", (8, 8), (0, 0, 0, 255)), "JPEG"), (0, 0, 0)),
    "16 bits.png": (encoded(Image.new("I;16", (4, 4), 40_000), "PNG"), (156, 156, 156)),
    "16 bits, white.png": (encoded(Image.new("I;16", (4, 4), 65_535), "PNG"), (255, 255, 255)),
    "animated.gif": (frames("GIF"), (40, 40, 40)),
    "animated.png": (frames("PNG"), (40, 40, 40)),
    "animated.webp": (frames("WEBP", lossless=True), (40, 40, 40)),
    "palette.png": (palette(), (200, 30, 90)),
    "palette with a clear colour.png": (palette(transparency=1), (255, 255, 255)),
    "alpha.png": (encoded(Image.new("RGBA", (4, 4), (0, 100, 200, 51)), "PNG"), (204, 224, 244)),
    "grey and alpha.png": (encoded(Image.new("LA", (4, 4), (9, 0)), "PNG"), (255, 255, 255)),
    "one bit.png": (encoded(Image.new("1", (4, 4), 1), "PNG"), (255, 255, 255)),
}
