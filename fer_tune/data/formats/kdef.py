"""KDEF (Lundqvist et al. 1998): a folder per person, the expression in the file name."""

from __future__ import annotations

import re

from fer_tune.data.files.tree import Tree
from fer_tune.data.formats.base import KnownFormat
from fer_tune.data.formats.coded_names import list_coded
from fer_tune.data.listing import Listing, Reading

NAME = "KDEF"
ORDER = {
    "AF": "fear",
    "AN": "angry",
    "DI": "disgust",
    "HA": "happy",
    "NE": "neutral",
    "SA": "sad",
    "SU": "surprise",
}
#: Session, sex and number, expression, angle: ``AF01ANS.JPG``.
_FILE = re.compile(
    r"(?P<session>[AB])(?P<person>[FM]\d{2})(?P<code>AF|AN|DI|HA|NE|SA|SU)(S|HL|HR|FL|FR)"
    r"\.(jpe?g|png|bmp|tiff?)",
    re.IGNORECASE,
)


def find(tree: Tree, reading: Reading) -> Listing | None:
    """File names such as ``AF01ANS.JPG``; both sessions of a person are one group."""
    return list_coded(
        tree,
        reading,
        name=NAME,
        pattern=_FILE,
        order=ORDER,
        person=lambda match: match["person"].upper(),
    )


FORMAT = KnownFormat(
    key="kdef",
    name=NAME,
    order=ORDER,
    where="https://kdef.se",
    licence="non-commercial research",
    layouts="file names such as AF01ANS.JPG, in any folders",
    find=find,
)
