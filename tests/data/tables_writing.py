"""Tables of twelve pictures in three classes."""

from __future__ import annotations

from collections.abc import Callable

from kinds_writing import each, table

NAMES = ["happy", "sad", "angry"]
PICTURES = each("images/#.png", pictures=12)
THIRDS = {name: "train 4" for name in sorted(NAMES)}


def rows(row: Callable[[int], str], *header: str, count: int = 12, end: str = "\n") -> str:
    """A table of twelve pictures."""
    return table(*header, *(row(n) for n in range(count)), end=end)


def vector(n: int, one: str, other: str) -> str:
    """Values of three classes, the n-th of which is another one."""
    return ",".join(one if n % 3 == place else other for place in range(3))


def simple(n: int) -> str:
    return f"{n}.png,{NAMES[n % 3]}"


COCO = {
    "images": [{"id": n, "file_name": f"{n}.png"} for n in range(12)],
    "annotations": [{"id": n, "image_id": n, "category_id": n % 3 + 1} for n in range(12)],
    "categories": [{"id": n + 1, "name": name} for n, name in enumerate(NAMES)],
}


def boxed(box: list[int], **size: int) -> dict[str, object]:
    """COCO's form with that box in every annotation, of pictures of that size."""
    return {
        **COCO,
        "images": [{**one, **size} for one in COCO["images"]],
        "annotations": [{**one, "bbox": box} for one in COCO["annotations"]],
    }


RECORDS = [{"file_name": f"{n}.png", "label": NAMES[n % 3]} for n in range(12)]
