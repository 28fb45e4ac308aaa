"""RaFD (Langner et al. 2010): camera, person, sex, expression and gaze in the file name."""

from __future__ import annotations

import re

from fer_tune.data.formats.coded_names import coded_format

ORDER = {
    "ANGRY": "angry",
    "CONTEMPTUOUS": "contempt",
    "DISGUSTED": "disgust",
    "FEARFUL": "fear",
    "HAPPY": "happy",
    "NEUTRAL": "neutral",
    "SAD": "sad",
    "SURPRISED": "surprise",
}
#: Angle of the camera, person, group, sex, expression, gaze:
#: ``Rafd090_01_Caucasian_female_angry_frontal.jpg``.
_FILE = re.compile(
    r"Rafd\d{3}_(?P<person>\d{2})_[A-Za-z]+_(female|male)_"
    rf"(?P<code>{'|'.join(ORDER)})_(frontal|left|right)\.(jpe?g|png|bmp|tiff?)",
    re.IGNORECASE,
)

FORMAT = coded_format(
    key="rafd",
    name="RaFD",
    order=ORDER,
    pattern=_FILE,
    where="https://rafd.socsci.ru.nl",
    example="Rafd090_01_Caucasian_female_angry_frontal.jpg",
)
