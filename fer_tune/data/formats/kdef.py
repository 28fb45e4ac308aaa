"""KDEF (Lundqvist et al. 1998): a folder per person, the expression in the file name."""

from __future__ import annotations

import re

from fer_tune.data.formats.coded_names import coded_format

ORDER = {
    "AF": "fear",
    "AN": "angry",
    "DI": "disgust",
    "HA": "happy",
    "NE": "neutral",
    "SA": "sad",
    "SU": "surprise",
}
#: Session, sex and number, expression, angle: ``AF01ANS.JPG``. Both sessions of a person are one
#: group.
_FILE = re.compile(
    r"(?P<session>[AB])(?P<person>[FM]\d{2})(?P<code>AF|AN|DI|HA|NE|SA|SU)(S|HL|HR|FL|FR)"
    r"\.(jpe?g|png|bmp|tiff?)",
    re.IGNORECASE,
)

FORMAT = coded_format(
    key="kdef",
    name="KDEF",
    order=ORDER,
    pattern=_FILE,
    where="https://kdef.se",
    example="AF01ANS.JPG",
)
