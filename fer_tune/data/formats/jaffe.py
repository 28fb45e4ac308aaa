"""JAFFE (Lyons et al. 1998): person and expression in the file name."""

from __future__ import annotations

import re

from fer_tune.data.files.tree import Tree
from fer_tune.data.formats.base import KnownFormat
from fer_tune.data.formats.coded_names import list_coded
from fer_tune.data.listing import Listing, Reading

NAME = "JAFFE"
ORDER = {
    "AN": "angry",
    "DI": "disgust",
    "FE": "fear",
    "HA": "happy",
    "NE": "neutral",
    "SA": "sad",
    "SU": "surprise",
}
#: Person, expression and repetition, number: ``KA.AN1.39.tiff``.
_FILE = re.compile(
    r"(?P<person>[A-Z]{2})[.-](?P<code>AN|DI|FE|HA|NE|SA|SU)\d[.-]\d+\.(tiff?|jpe?g|png|bmp)",
    re.IGNORECASE,
)


def find(tree: Tree, reading: Reading) -> Listing | None:
    """File names such as ``KA.AN1.39.tiff``."""
    return list_coded(
        tree,
        reading,
        name=NAME,
        pattern=_FILE,
        order=ORDER,
        person=lambda match: match["person"].upper(),
    )


FORMAT = KnownFormat(
    key="jaffe",
    name=NAME,
    order=ORDER,
    where="https://zenodo.org/records/3451524",
    licence="non-commercial research",
    layouts="file names such as KA.AN1.39.tiff, in any folders",
    find=find,
)
