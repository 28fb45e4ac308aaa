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
    RunsCode,
    archive,
    cut_short,
    described,
    file,
    lying_archive,
    members,
    nothing,
    packed,
    pictures,
    png_claiming,
    state,
    together,
    weights,
)
from import_cases import IMPORT, IMPORTS, ZIP, Case

PLAN = "search {t}/s.yaml --data {t}/packed --dry-run"
CHECK = "spaces check {t}/s.yaml"
SET = "spaces check quickstart --set "
AUDIT = "data audit {t}/packed"
SEARCH = "search {t}/s.yaml --data {t}/packed --results {t}/r"

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
    **IMPORTS,
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
