"""Near copies: precision and recall per kind of change on planted copies, seconds and memory.

    python -m benchmarks.data.near_copies DATASET [--planted 300]

DATASET is a packed dataset, such as of ``synthetic:35340`` or of real pictures. Copies of distinct
pictures are planted, the same number of each kind, in the place of other pictures, so that the
number of pictures stays. A found pair with a planted copy is right if the other picture is its
source, or was a near copy of the source before. Pairs without a planted copy are counted apart.
"""

from __future__ import annotations

import argparse
import io
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fer_tune.data import PackedDataset
from fer_tune.data.copies import CopyPair, near_pairs
from fer_tune.data.pixels import Pixels

Grey = NDArray[np.uint8]
Change = Callable[[Grey, np.random.Generator], Grey]

#: Standard deviation below which a picture is too flat to plant.
_FLAT = 5.0


def mirrored(picture: Grey, rng: np.random.Generator) -> Grey:
    return np.ascontiguousarray(picture[:, ::-1])


def recompressed(picture: Grey, rng: np.random.Generator) -> Grey:
    """JPEG of quality 30 to 90."""
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "JPEG", quality=int(rng.integers(30, 91)))
    return np.asarray(Image.open(out).convert("L"))


def resized(picture: Grey, rng: np.random.Generator) -> Grey:
    """To half to twice the size."""
    scale, (height, width) = rng.choice([0.5, 0.67, 0.75, 1.5, 2.0]), picture.shape
    method = Image.Resampling(
        int(rng.choice([Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, 1]))
    )
    image = Image.fromarray(picture)
    return np.asarray(image.resize((round(width * scale), round(height * scale)), method))


def shifted(picture: Grey, rng: np.random.Generator) -> Grey:
    """By one or two pixels in one or both directions; the edge goes on, or is black."""
    down, right = 0, 0
    while not (down or right):
        down, right = rng.integers(-2, 3, 2)
    height, width = picture.shape
    wide = np.pad(picture, 2, mode="edge") if rng.random() < 0.5 else np.pad(picture, 2)
    return np.ascontiguousarray(wide[2 + down : 2 + down + height, 2 + right : 2 + right + width])


def cropped(picture: Grey, rng: np.random.Generator) -> Grey:
    """Up to a tenth of height and width, each on its own; half of them enlarged again."""
    height, width = picture.shape
    tall, broad = round(height * rng.uniform(0.9, 1)), round(width * rng.uniform(0.9, 0.98))
    top, left = rng.integers(0, height - tall + 1), rng.integers(0, width - broad + 1)
    part = np.ascontiguousarray(picture[top : top + tall, left : left + broad])
    if rng.random() < 0.5:
        part = np.asarray(Image.fromarray(part).resize((width, height), Image.Resampling.BILINEAR))
    return part


def relit(picture: Grey, rng: np.random.Generator) -> Grey:
    """Contrast of 0.6 to 1.5 times, brightness by up to 40 grey levels; clipped."""
    changed = (picture.astype(float) - 128) * rng.uniform(0.6, 1.5) + 128 + rng.uniform(-40, 40)
    return np.clip(changed, 0, 255).round().astype(np.uint8)


def several(*changes: Change) -> Change:
    def changed(picture: Grey, rng: np.random.Generator) -> Grey:
        for change in changes:
            picture = change(picture, rng)
        return picture

    return changed


KINDS: dict[str, Change] = {
    "mirrored": mirrored,
    "recompressed": recompressed,
    "resized": resized,
    "shifted": shifted,
    "cropped": cropped,
    "brightness, contrast": relit,
    "mirrored, relit, recompressed": several(mirrored, relit, recompressed),
    "mirrored, cropped, relit, recompressed": several(mirrored, cropped, relit, recompressed),
}


def planted(
    pictures: list[Pixels], per_kind: int, rng: np.random.Generator
) -> tuple[list[Pixels], dict[int, tuple[str, int]]]:
    """The pictures with planted copies in the place of some; (kind, source) of each copy's place.

    Args:
        pictures: grey, uint8 (h, w, 1).
    """
    clear = [n for n, picture in enumerate(pictures) if picture.std() > _FLAT]
    places = rng.permutation(clear)[: 2 * per_kind * len(KINDS)]
    assert len(places) == 2 * per_kind * len(KINDS), "too few pictures for so many copies"
    sources, targets = np.split(places, 2)
    changed, copies = list(pictures), {}
    for number, (source, target) in enumerate(zip(sources, targets, strict=True)):
        kind = list(KINDS)[number // per_kind]
        changed[target] = KINDS[kind](pictures[source][:, :, 0], rng)[:, :, None]
        copies[int(target)] = (kind, int(source))
    return changed, copies


def table(
    pairs: list[CopyPair], before: set[tuple[int, int]], copies: dict[int, tuple[str, int]]
) -> list[str]:
    """A row of recall and precision per kind, and the pairs without a planted copy."""
    found: dict[str, set[int]] = {kind: set() for kind in KINDS}
    right, wrong = dict.fromkeys(KINDS, 0), dict.fromkeys(KINDS, 0)
    others = 0
    for pair in pairs:
        ends = {pair.first: pair.second, pair.second: pair.first}
        mine = [place for place in ends if place in copies]
        others += not mine
        for place in mine:
            kind, source = copies[place]
            other = copies[ends[place]][1] if ends[place] in copies else ends[place]
            if ends[place] == source:
                found[kind].add(place)
            if other == source or tuple(sorted((other, source))) in before:
                right[kind] += 1
            else:
                wrong[kind] += 1
    rows = ["| change | copies | recall | precision |", "|---|---|---|---|"]
    for kind in KINDS:
        count = sum(one == kind for one, _ in copies.values())
        precision = right[kind] / max(1, right[kind] + wrong[kind])
        rows.append(f"| {kind} | {count} | {len(found[kind]) / count:.3f} | {precision:.3f} |")
    return [*rows, f"pairs without a planted copy: {others}"]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("dataset", type=Path)
    arguments.add_argument("--planted", type=int, default=300, help="copies of each kind")
    given = arguments.parse_args()
    dataset = PackedDataset.open(given.dataset)
    everything = [dataset.picture(n) for n in range(len(dataset))]
    grey = [picture[:, :, :1] for picture in everything]
    distinct = [grey[n] for n in np.unique(dataset.groups, return_index=True)[1]]
    before = near_pairs(distinct)
    changed, copies = planted(distinct, given.planted, np.random.default_rng(0))
    began, spent = time.perf_counter(), time.process_time()
    pairs = near_pairs(changed)
    wall, cpu = time.perf_counter() - began, time.process_time() - spent
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{len(dataset)} pictures, {len(distinct)} contents; {len(before)} pairs before planting")
    print("\n".join(table(pairs, {(p.first, p.second) for p in before}, copies)))
    print(f"{wall:.1f} s, {cpu:.1f} s of CPU time, at most {memory:.2f} GiB in memory")


if __name__ == "__main__":
    main()
