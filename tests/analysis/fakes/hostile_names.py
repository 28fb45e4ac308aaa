"""A search whose names try to be markup, code or terminal commands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from analysis.inputs.search import Search

#: Every string of the records that is exactly the key becomes the value.
HOSTILE: Mapping[str, str] = {
    "one": '[bold]x[/] <script>alert(1)</script> a$b_$ **b** "q"',
    "two": "[/nope] ![i](http://evil/x.png) ](figures/kept.svg) {{7*7}} \u202e|y|\n| better |",
    "angry": "</script><script>alert(2)</script>",
    "fear": '\x1b[2J\x1b]8;;http://evil\x07fear\r\x9b1m xmlns="',
    "happy": "\n| better | 9.999 |\n\n# better",
    "neutral": "$a_{b}$ \\frac` $x$ <!--<script>",
    "sad": "x|y \x00\ufffe\ufeff\u2028 " + "very_long" * 40,
    "surprise": "font-family: x #010203 <img src=x onerror=alert(3)> &lt;b&gt; "
    "<a href='javascript:x'>a</a>",
    "node-1": "node[/]\x1b[1A\u2066",
    "node-2": "[link=http://evil]node[/link]",
    "completed": "[red]completed[/] <u>\x1b[8m",
    "plain": "[link=file:///etc]plain | $ <i>",
    "adamw": "<s>adamw</s> $w$ | \x07",
    "2.50.0": "\x1b]0;title\x07[/]",
    "faces": "/data/\u202e[bold]\x1b[2Jfaces",
}
#: In the manifest alone.
NAME = "\ud800[/] <svg onload=alert(4)>\n# better\x1b[2J"
PURPOSE = "[bold]![i](javascript:alert(5)) <script>alert(6)</script>\nVERDICT: better\ud83d."


def renamed(search: Search) -> Search:
    """``search`` with the names of :data:`HOSTILE`.

    Made in memory: reading a results folder refuses some of them, and what is written must not
    depend on that.
    """
    manifest = _renamed(search.manifest)
    manifest["name"] = manifest["space"]["name"] = NAME
    manifest["space"]["purpose"] = PURPOSE
    frames = ("trials", "confirmations", "epochs", "confusion", "predictions", "floors")
    return replace(
        search,
        manifest=manifest,
        manifests=(manifest,),
        arms=tuple(map(_renamed, search.arms)),
        classes=tuple(map(_renamed, search.classes)),
        latency=_renamed(search.latency),
        probe=_renamed(search.probe),
        **{name: _frame(getattr(search, name)) for name in frames},
    )


def _frame(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.copy()
    for column in frame.select_dtypes(["object", "string"]):
        if column != "probabilities":
            frame[column] = frame[column].astype(object).map(_renamed)
    return frame


def _renamed(value: Any) -> Any:
    if isinstance(value, str):
        return HOSTILE.get(value, value)
    if isinstance(value, Mapping):
        return {_renamed(key): _renamed(item) for key, item in value.items()}
    return [_renamed(item) for item in value] if isinstance(value, list) else value
