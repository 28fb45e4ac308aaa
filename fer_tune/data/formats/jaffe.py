"""JAFFE (Lyons et al. 1998): person and expression in the file name."""

from __future__ import annotations

import re

from fer_tune.data.formats.coded_names import coded_format

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

FORMAT = coded_format(
    key="jaffe",
    name="JAFFE",
    order=ORDER,
    pattern=_FILE,
    where="https://zenodo.org/records/3451524",
    example="KA.AN1.39.tiff",
)
