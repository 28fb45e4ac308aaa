"""Bad input by name: a command, what it is given, and what its message must say.

``{t}`` is the case's folder, which stands as ``T`` in what a message must say.
"""

from __future__ import annotations

import os
import pickle
import zipfile

import torch
from bad_inputs import (
    MIB,
    Maker,
    RunsCode,
    among,
    archive,
    cut_short,
    described,
    encoded,
    file,
    folder,
    link,
    lying_archive,
    members,
    noise,
    nothing,
    packed,
    pictures,
    png_claiming,
    row,
    state,
    together,
    weights,
)
from PIL import Image

Case = tuple[str, Maker, list[str]]

IMPORT = "data import {t}/src --out {t}/out"
ZIP = "data import {t}/src.zip --out {t}/out"
CSV = "data import {t}/f.csv --out {t}/out"
PLAN = "search {t}/s.yaml --data {t}/packed --dry-run"
CHECK = "spaces check {t}/s.yaml"
SET = "spaces check quickstart --set "
AUDIT = "data audit {t}/packed"
SEARCH = "search {t}/s.yaml --data {t}/packed --results {t}/r"

HEADER = "emotion,pixels,Usage\n"
SPACE = """\
name: small
purpose: A small search.
compare: {arms: [resnet18, resnet34]}
parameters: {lr_head: {type: float, low: 1e-3, high: 1e-1}}
budget: {trials: 4, max_epochs: 9}
weights: none
"""
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10)
)
#: A class whose training pictures are all in the test split as well.
LEAKED = file("src/test/sad/0.png", members(train=1)["train/sad/0.png"])

CASES: dict[str, Case] = {
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
    # pictures that split badly
    "too few for validation": (
        PLAN,
        together(packed(pictures(train=1)), file("s.yaml", SPACE)),
        ["T/packed", "validation split", "happy, sad", "at least 2 different training pictures"],
    ),
    "no test split": (
        PLAN,
        together(packed(pictures(test=0)), file("s.yaml", SPACE)),
        ["test split", "put pictures into a test"],
    ),
    "all copies of test": (
        PLAN,
        together(packed(pictures(train=1), LEAKED), file("s.yaml", SPACE)),
        ["train split has no picture", "1 also in the test split", "'sad'"],
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
    # packed datasets
    "no dataset": ("data audit {t}/none", nothing, ["T/none", "no such folder", "data import"]),
    "file as dataset": ("data audit {t}/f", file("f"), ["T/f", "is a file", "data import"]),
    "pictures as dataset": ("data audit {t}/src", pictures(), ["no dataset.json", "data import"]),
    "torn description": (AUDIT, cut_short("dataset.json", 50), ["dataset.json", "again"]),
    "description of no mapping": (
        AUDIT,
        together(packed(), file("packed/dataset.json", "[1]")),
        ["not a packed dataset", "dataset.json"],
    ),
    "dataset of another version": (AUDIT, described(version=99), ["version 1", "got 99", "again"]),
    "description without classes": (AUDIT, described(classes=None), ["lacks classes"]),
    "classes of no list": (AUDIT, described(classes=5), ["classes must be a list", "5"]),
    "other classes": (AUDIT, described(classes=["a", "b"]), ["column class_name"]),
    "other channels": (AUDIT, described(channels=7), ["channels must be 1 or 3", "7"]),
    "short pixels": (AUDIT, cut_short("pixels.bin", 99), ["pixels.bin has 99 bytes", "640"]),
    "short index": (AUDIT, cut_short("index.parquet", 99), ["index.parquet", "damaged", "again"]),
    "search without dataset": (
        "search quickstart --data {t}/none --results {t}/r",
        nothing,
        ["T/none", "no such folder"],
    ),
    "search on a torn dataset": (
        SEARCH,
        together(cut_short("pixels.bin", 99), file("s.yaml", SPACE)),
        ["T/packed", "damaged", "again"],
    ),
    # search spaces
    "three faults": (
        CHECK,
        file(
            "s.yaml", SPACE.replace("trials: 4", "trials: 0").replace("lr_head", "lr_haed") + "x: 1"
        ),
        [
            "s.yaml: 3 errors",
            "budget.trials: must be at least 1 (got 0)",
            "parameters.lr_haed: is an unknown parameter. Did you mean 'lr_head'?",
            "line 7, x: is an unknown key. Known: name",
        ],
    ),
    "alias bomb": (CHECK, file("s.yaml", BOMB), ["5000 values", "instead of aliases"]),
    "a list": (CHECK, file("s.yaml", "- a\n"), ["holds a list", "spaces show quickstart"]),
    "empty file": (CHECK, file("s.yaml"), ["is empty", "spaces show quickstart"]),
    "no YAML": (CHECK, file("s.yaml", SPACE + "metric: [a\n"), ["not valid YAML", "line 8"]),
    "no text": (CHECK, file("s.yaml", b"\xff\xfe\x00"), ["not UTF-8", "byte 0"]),
    "no such space": ("spaces check quikstart", nothing, ["'quikstart'", "'quickstart'?"]),
    "folder as space": ("spaces check {t}", nothing, ["cannot be read", "YAML file"]),
    "unknown arm": (
        CHECK,
        file(
            "s.yaml", SPACE.replace("parameters: {", "parameters: {dropout: {per_arm: {no: 0.1}}, ")
        ),
        ["1 error", "parameters.dropout.per_arm.no: is an unknown arm", "resnet18, resnet34"],
    ),
    "unknown key set": (SET + "budget.trails=4", nothing, ["budget.trails", "'budget.trials'?"]),
    "set without =": (SET + "budget.trials", nothing, ["key=value", "'budget.trials'"]),
    "text for a number": (SET + "budget.trials=many", nothing, ["whole number", "'many'"]),
    "null for a number": (SET + "budget.trials=", nothing, ["whole number, not null", "80"]),
    "value for a section": (SET + "budget=3", nothing, ["mapping", "got 3", "max_epochs"]),
    "text for a parameter": (
        SET + "parameters.lr_head=high",
        nothing,
        ["a number above", "'high'"],
    ),
    "no YAML set": (SET + "purpose=[", nothing, ["--set purpose: is not valid YAML", "Quote"]),
    # results folders
    "results below a file": (
        "search {t}/s.yaml --data {t}/packed --results {t}/f/r",
        together(packed(), file("s.yaml", SPACE), file("f")),
        ["T/f/r: cannot write here", "--results"],
    ),
    "results hold something": (
        SEARCH,
        together(packed(), file("s.yaml", SPACE), file("r/mine.txt")),
        ["T/r", "not empty", "--results"],
    ),
    "results where nothing can be written": (
        "search {t}/s.yaml --data {t}/packed --results /proc/r",
        together(packed(), file("s.yaml", SPACE)),
        ["/proc/r: cannot write here", "--results"],
    ),
    "one seed": (
        "confirm {t}/r --seeds 1",
        file("r/manifest.json", '{"schema_version": 1, "state": "finished"}'),
        ["--seeds", "at least 2", "got 1"],
    ),
    "a thousand million seeds": (
        "confirm {t}/r --seeds 1000000000",
        file("r/manifest.json", '{"schema_version": 1, "state": "finished"}'),
        ["--seeds", "at most 1000", "got 1000000000"],
    ),
    "report without results": ("report {t}/none", nothing, ["T/none", "manifest.json"]),
    "confirm without results": ("confirm {t}/none --seeds 3", nothing, ["T/none", "manifest.json"]),
    **{
        f"{command.split()[0]} on a manifest {name}": (
            command,
            file("r/manifest.json", text),
            ["T/r", *expected],
        )
        for command in ("report {t}/r", "confirm {t}/r --seeds 3", "resume {t}/r")
        for name, text, expected in (
            ("of another schema", '{"schema_version": 99}', ["99", "fer_tune version that wrote"]),
            ("that is torn", '{"schema_version": 1, ', ["manifest.json"]),
            ("that is not a mapping", "[1]", ["manifest.json"]),
        )
    },
}

#: Commands that name an option's value as it must not be, and what is said of it.
USAGE = {
    "no CPU": (SEARCH + " --cpus 0", "--cpus"),
    "CPUs below none": (SEARCH + " --cpus -1", "--cpus"),
    "no number": (SEARCH + " --cpus many", "--cpus"),
    "an interval below none": (SEARCH + " --checkpoint-interval -1", "--checkpoint-interval"),
    "an endless interval": (SEARCH + " --checkpoint-interval inf", "--checkpoint-interval"),
    "no interval": (SEARCH + " --checkpoint-interval nan", "--checkpoint-interval"),
    "an interval in words": (SEARCH + " --checkpoint-interval often", "--checkpoint-interval"),
    "no such split": (IMPORT + " --public-test x", "--public-test"),
}

#: The first is the file that is named as weights.
WEIGHTS: dict[str, Case] = {
    "missing": ("w.pth", nothing, ["no weights file for resnet18", "T/w.pth", ".safetensors"]),
    "of another backbone": (
        "w.pth",
        weights(lambda at: state("densenet121")),
        ["do not fit resnet18", "100 missing (conv1.weight, ...)", "727 unknown (features.conv0"],
    ),
    "of another backbone, safetensors": (
        "w.safetensors",
        weights(lambda at: state("resnet34"), "safetensors"),
        ["do not fit resnet18", "96 unknown"],
    ),
    "of another shape": (
        "w.pth",
        weights(lambda at: state("resnet18", **{"conv1.weight": torch.zeros(64, 1, 7, 7)})),
        ["1 of another shape (conv1.weight is 64x1x7x7, not 64x3x7x7)"],
    ),
    "text": ("w.pth", file("w.pth", "hello world"), ["T/w.pth", "not a weights file", "11 bytes"]),
    "0 bytes": ("w.pth", file("w.pth"), ["not a weights file", "0 bytes"]),
    "text as safetensors": (
        "w.safetensors",
        file("w.safetensors", "hello"),
        ["not a weights file"],
    ),
    "cut short": (
        "w.pth",
        together(weights(lambda at: state("resnet18")), lambda at: os.truncate(at / "w.pth", 5000)),
        ["truncated", "5,000 bytes"],
    ),
    "code": ("w.pth", weights(RunsCode), ["could run code", "posix.system", "state_dict()"]),
    "code in a bare pickle": (
        "w.pth",
        lambda at: (at / "w.pth").write_bytes(pickle.dumps(RunsCode(at))),
        ["not a weights file"],
    ),
    "a whole model": (
        "w.pth",
        weights(lambda at: torch.nn.Linear(2, 2)),
        ["could run code", "Linear", "state_dict()"],
    ),
    "a checkpoint": (
        "w.pth",
        weights(lambda at: {"epoch": 3, "weights": state("resnet18")}),
        [
            "'epoch': int",
            "holds none under 'state_dict', ",
            "not the model or a training checkpoint",
        ],
    ),
    "numbers for names": ("w.pth", weights(lambda at: {1: torch.zeros(1)}), ["1: Tensor"]),
    "a tensor": ("w.pth", weights(lambda at: torch.zeros(1)), ["got 'Tensor'"]),
}
CASES["weights folder below a file"] = (
    "weights fetch resnet18 --folder {t}/f/w",
    file("f"),
    ["T/f/w: cannot be created", "--folder"],
)
CASES |= {
    f"weights: {name}": (
        f"{SEARCH} --set weights={{t}}/{path}",
        together(packed(), file("s.yaml", SPACE), maker),
        expected,
    )
    for name, (path, maker, expected) in WEIGHTS.items()
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


#: Cases that must not cost memory or disk either.
BOMBS: dict[str, Case] = {
    "expands much": (ZIP, archive({"a/b/1.bmp": 256 * MIB}), ["a zip bomb", "268,435,456"]),
    "many of them": (
        ZIP,
        archive({f"a/b/{n}.bmp": 20 * MIB for n in range(9)}),
        ["unusable files or rows: 9", "a zip bomb"],
    ),
    "deflate that lies": (ZIP, lying_archive(zipfile.ZIP_DEFLATED), ["cannot be unpacked"]),
    "bzip2 that lies": (ZIP, lying_archive(zipfile.ZIP_BZIP2), ["not compressed with deflate"]),
    "LZMA that lies": (ZIP, lying_archive(zipfile.ZIP_LZMA), ["not compressed with deflate"]),
    "pixels": (IMPORT, file("src/a/1.png", png_claiming(40_000, 25_000)), ["89,478,485"]),
    "aliases": (CHECK, file("s.yaml", BOMB), ["instead of aliases"]),
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
