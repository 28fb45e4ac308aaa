"""How a source was understood, in words; and `--dry-run`, which shows it before any import."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console

from fer_tune.console import plain_table, say
from fer_tune.data.importing import preview_source
from fer_tune.data.listing import Entry, Found, Listing, printable
from fer_tune.data.names import SPLITS, class_names
from fer_tune.data.packing.outcome import too_few
from fer_tune.escaping import shell_word

#: Classes as found, and files that are skipped, that are shown of each.
_MOST = 5


def headline(found: Found) -> list[str]:
    """What a user should know of how the source was understood; empty for plain class folders."""
    lines = []
    if found.format:
        lines.append(f"recognised as {found.format}; labels from {found.labels_from}")
    elif found.labels_from not in ("class folders", "the generator"):
        lines.append(f"labels from {found.labels_from}")
    lines += [f"note: {note}" for note in found.notes]
    if found.unused_label_files:
        names = _few(found.unused_label_files)
        lines.append(f"not used: {names}; to read labels from such a file, use --labels")
    return lines


def preview(console: Console, source: str, reading: Mapping[str, Any]) -> None:
    """Prints classes, splits, counts and options of an import; reads no picture.

    Raises:
        DataError: as of :func:`fer_tune.data.importing.preview_source`, or fewer than two classes.
    """
    listing = preview_source(source, **reading)
    selected = class_names(reading["classes"]) if reading["classes"] else ()
    entries = [e for e in listing.entries if not selected or e.class_name in selected]
    say(console, *headline(listing.found), wrap=True)
    if not listing.found.format and listing.found.labels_from == "class folders":
        say(console, "labels from class folders; not a known data set")
    say(console, _table(entries, selected))
    people = {entry.group for entry in entries} - {None}
    if people:
        say(console, f"groups (people or clips): {len(people)}")
    left = len(listing.entries) - len(entries)
    if left:
        say(console, f"excluded by --classes: {left} pictures")
    for item in listing.skipped[:_MOST]:
        say(console, f"skipped {item.origin}: {item.reason}")
    if len(listing.skipped) > _MOST:
        say(console, f"skipped: {len(listing.skipped)} in total")
    if order := reading["labels"].order:
        say(console, f"numbers: {', '.join(f'{n} {name}' for n, name in order.items())}", wrap=True)
    say(console, f"options: {_options(listing, reading)}", wrap=True)
    if len(classes := sorted({entry.class_name for entry in entries})) < 2:
        raise too_few(printable(source), listing.layout, classes)
    say(console, "nothing was imported (--dry-run); pictures were not read")


def _table(entries: list[Entry], selected: Iterable[str]) -> Any:
    counts: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(SPLITS, 0))
    found: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        counts[entry.class_name][entry.split or "train"] += 1
        found[entry.class_name].add(entry.found)
    names = list(selected) or sorted(counts)
    rows = [(name, _few(sorted(found[name])), *counts[name].values()) for name in names]
    total = [sum(counts[name][split] for name in names) for split in SPLITS]
    return plain_table([*rows, ("all", "", *total)], "class", "found as", *SPLITS)


def _few(names: Iterable[str]) -> str:
    shown = list(names)
    more = f" and {len(shown) - _MOST} more" if len(shown) > _MOST else ""
    return ", ".join(shown[:_MOST]) + more


def _options(listing: Listing, reading: Mapping[str, Any]) -> str:
    """The choices, those made for the user included."""
    labels = reading["labels"]
    chosen = {
        "--labels": " ".join(labels.files),
        "--columns": ",".join(f"{role}={name}" for role, name in labels.columns.items()),
        "--class-from": labels.pattern,
        "--format": listing.found.format or labels.format,
        "--rename": ",".join(f"{name}={new}" for name, new in labels.rename.items()),
        "--min-agreement": labels.min_agreement or None,
        "--public-test": reading["public_test"],
        "--test-share": reading["test_share"],
        "--test-from": reading["test_from"],
        "--group-from": reading["group_from"],
        "--split-names": ",".join(reading["split_names"]),
        "--encoding": reading["encoding"],
        "--classes": ",".join(reading["classes"] or ()),
    }
    return " ".join(f"{option} {shell_word(value)}" for option, value in chosen.items() if value)
