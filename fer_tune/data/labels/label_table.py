"""Pictures whose classes are in tables: a row names a picture and its label or votes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath

from fer_tune.data.files.clutter import is_picture_name
from fer_tune.data.files.tree import SourceFile, Tree
from fer_tune.data.labels.columns import Columns, find_columns, guess_note, is_compound
from fer_tune.data.labels.matching import Ambiguous, Pictures, contradict, parts_of
from fer_tune.data.labels.splits import split_of_folders, split_of_name
from fer_tune.data.labels.tables import TextTable
from fer_tune.data.labels.tables.cells import present, vote_count
from fer_tune.data.labels.votes import majority
from fer_tune.data.listing import Entry, Found, Listing, Reading, Skipped
from fer_tune.data.pixels import UnusableError
from fer_tune.errors import DataError
from fer_tune.schema.faults import SHOWN
from fer_tune.wording import plural

LAYOUT = "A row of the table must name a picture and its label"
_WHICH = "Choose the columns, for example --columns file=image,label=emotion"


@dataclass(frozen=True, kw_only=True, slots=True)
class Label:
    """What a row says.

    Attributes:
        line: in the table, from 1.
        file: the name of a picture; empty in a table without such a column.
        found: the class as found; None where votes give none.
        split: as found; None without such a column.
        group: None without such a column.
        reason: why there is no class.
        fault: what is wrong with the row.
    """

    line: int
    file: str
    found: str | None
    split: str | None
    group: str | None
    reason: str = ""
    fault: str = ""


def labels_of(table: TextTable, columns: Columns, reading: Reading) -> Iterator[Label]:
    """What the rows of a table say; rows that are too short say nothing."""
    for line, cells in table.rows():

        def cell(column: int | None, cells: tuple[str, ...] = cells) -> str | None:
            return present(cells[column]) if column is not None and column < len(cells) else None

        found, reason, fault = cell(columns.label), "", ""
        if table.overflows(cells):
            fault = "its row has more cells than there are columns"
        elif columns.votes is not None:
            said = {name: vote_count(cell(at) or "") for name, at in columns.votes.items()}
            counts = {name: count for name, count in said.items() if count is not None}
            if len(counts) < len(said):
                fault = "its row has votes that are not whole numbers"
            verdict = majority(counts, reading.labels.min_agreement)
            found, reason = verdict.label, verdict.reason
        elif not found:
            found, reason = None, "without a label"
        elif is_compound(table, found):
            fault = "its label is a list or an object"
        file, group = cell(columns.file) or "", cell(columns.group) or None
        yield Label(
            line=line,
            file=file,
            found=found,
            split=cell(columns.split),
            group=group,
            reason=reason,
            fault=fault,
        )


def list_by_tables(
    tree: Tree,
    tables: Sequence[TextTable],
    reading: Reading,
    *,
    columns: Columns | None = None,
    order: Mapping[str, str] | None = None,
    dropped: Mapping[str, str] | None = None,
    files: Sequence[SourceFile] | None = None,
    called: Callable[[PurePosixPath], PurePosixPath] = lambda path: path,
    split_of: Callable[[PurePosixPath], str | None] | None = None,
) -> Listing:
    """Pictures with the labels of tables.

    Args:
        columns: of every table; by default recognised.
        order: names of a known data set by number.
        dropped: why pictures of a number are left out, as those of AffectNet's number 10.
        files: the pictures; by default all files that are named like one.
        called: what tables call a file, by its path.
        split_of: the split of a file without a column for it, by its path; by default of its
            folders.

    Raises:
        DataError: no row names a picture, or a name stands for several of them.
    """
    shown = pictures_of(tree) if files is None else list(files)
    joining = _Joining(
        pictures=Pictures(shown, reading, called),
        reading=reading,
        split_of=split_of or partial(split_of_folders, reading=reading),
    )
    for table in tables:
        found = columns or find_columns(table, reading, joining.is_picture(table))
        _check(table, found)
        joining.join(table, found, order or {}, dropped or {})
    names = ", ".join(table.file.origin for table in tables)
    if not joining.entries and not joining.skipped:
        first = joining.unmatched[0] if joining.unmatched else None
        what = "no row names a picture" if first or not joining.left_out else "no row has a label"
        raise DataError(
            f"{what} of {tree.name}",
            where=names,
            value=first[:SHOWN] if first else None,
            remedy=_WHICH if first else "Choose another table with --labels",
        )
    joined = joining.in_order(shown)
    return Listing(
        items=tuple(joined),
        found=Found(
            labels_from=names,
            label_files=tuple(table.file.origin for table in tables),
            named=reading.names_classes,
            guessed=bool(joining.guesses),
            notes=tuple(joining.notes(shown)),
        ),
        layout=LAYOUT,
    )


def pictures_of(tree: Tree) -> list[SourceFile]:
    """Files that are named like pictures."""
    return [file for file in tree.files if is_picture_name(file.path)]


def _check(table: TextTable, columns: Columns) -> None:
    for role, there in (
        ("file names", columns.file is not None),
        ("labels", columns.label is not None or columns.votes is not None),
    ):
        if not there:
            raise DataError(
                f"has no column of {role}",
                where=table.file.place,
                value=table.columns,
                remedy=_WHICH,
            )


@dataclass(kw_only=True)
class _Joining:
    """Rows and pictures that have been brought together."""

    pictures: Pictures
    reading: Reading
    split_of: Callable[[PurePosixPath], str | None]
    entries: dict[PurePosixPath, Entry] = field(default_factory=dict)
    skipped: dict[PurePosixPath, Skipped] = field(default_factory=dict)
    named: dict[PurePosixPath, str] = field(default_factory=dict)
    unmatched: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
    guesses: list[str] = field(default_factory=list)

    def is_picture(self, table: TextTable) -> Callable[[str], bool]:
        """Whether a cell of the table names a picture."""

        def named(cell: str) -> bool:
            try:
                return self.pictures.named(cell, table.file.path.parent) is not None
            except Ambiguous:
                return True

        return named

    def join(
        self,
        table: TextTable,
        columns: Columns,
        order: Mapping[str, str],
        dropped: Mapping[str, str],
    ) -> None:
        if (guess := guess_note(table, columns)) is not None:
            self.guesses.append(guess)
        beside = table.file.path.parent
        by_name = split_of_name(table.file.path, self.reading)
        labels = list(labels_of(table, columns, self.reading))
        # Where folders of the table are those of the source, a picture that is missing from one of
        # them must not be taken from another.
        by_folder = any(self.pictures.has_folder(label.file, beside) for label in labels)
        for label in labels:
            origin = f"{table.file.origin}:{label.line}"
            try:
                file = self.pictures.named(label.file, beside, by_folder=by_folder)
            except Ambiguous as error:
                raise DataError(
                    str(error),
                    where=origin,
                    remedy="Write the folder into the table, too, or import one folder only",
                ) from None
            if file is None:
                self.unmatched.append(label.file)
                continue
            before = self.named.setdefault(file.path, label.file)
            if contradict(parts_of(before), parts_of(label.file)):
                names = f"{before[-80:]!r} and {label.file[-80:]!r}"
                self.skipped[file.path] = Skipped(
                    origin=file.origin, reason=f"rows name it as {names}"
                )
                continue
            if label.fault:
                self.skipped[file.path] = Skipped(origin=file.origin, reason=label.fault)
                continue
            reason = label.reason or dropped.get(label.found or "")
            if label.found is None or reason:
                self.left_out[reason or "without a label"] += 1
                continue
            self._add(file, label, order, by_name)

    def _add(
        self, file: SourceFile, label: Label, order: Mapping[str, str], by_name: str | None
    ) -> None:
        assert label.found is not None
        try:
            split = self._split(file, label, by_name)
            name = self.reading.name(label.found, order)
        except UnusableError as error:
            self.skipped[file.path] = Skipped(origin=file.origin, reason=str(error))
            return
        entry = Entry(
            origin=file.origin,
            found=label.found,
            class_name=name,
            split=split,
            load=file.picture,
            group=label.group,
        )
        before = self.entries.get(file.path)
        if before is not None and (before.class_name, before.split) != (name, split):
            reason = f"rows give it the labels {before.found[:20]!r} and {label.found[:20]!r}"
            if before.class_name == name:
                reason = "rows put it into two splits"
            self.skipped[file.path] = Skipped(origin=file.origin, reason=reason)
            return
        self.repeated += before is not None
        self.entries[file.path] = entry

    def _split(self, file: SourceFile, label: Label, by_name: str | None) -> str | None:
        if label.split:
            if (split := self.reading.split(label.split)) is None:
                raise UnusableError(f"unknown split {label.split[:20]!r}")
            return split
        return self.split_of(file.path) or by_name

    def in_order(self, files: Sequence[SourceFile]) -> Iterator[Entry | Skipped]:
        """What has a row, in the order of the source."""
        for file in files:
            if (found := self.skipped.get(file.path) or self.entries.get(file.path)) is not None:
                yield found

    def notes(self, files: Sequence[SourceFile]) -> Iterator[str]:
        """Sentences on what was guessed and what was left out."""
        yield from self.guesses
        if self.unmatched:
            yield counted(len(self.unmatched), "row", "has no picture", self.unmatched[0])
        without = [file.origin for file in files if file.path not in self.named]
        if without:
            yield counted(len(without), "picture", "has no row", without[0])
        if self.repeated:
            verb = "repeats" if self.repeated == 1 else "repeat"
            yield f"{plural(self.repeated, 'row')} {verb} another"
        for reason, count in self.left_out.most_common():
            yield left_out_note(count, reason)


def left_out_note(count: int, reason: str) -> str:
    """How many pictures were left out, and why, as :class:`Label` says it."""
    said = reason if reason.startswith(("without", "below")) else f"labelled {reason}"
    return f"left out: {plural(count, 'picture')} {said}"


def counted(count: int, noun: str, what: str, first: str) -> str:
    """So many of one thing, what each ``has`` or has not, and the first of them."""
    if count == 1:
        return f"1 {noun} {what}: {first[:SHOWN]}"
    what = what.replace("has", "have")
    return f"{plural(count, noun)} {what}, the first of them {first[:SHOWN]}"
