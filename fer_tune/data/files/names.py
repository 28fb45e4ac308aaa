"""Names of files whose encoding is not known, as text."""

from __future__ import annotations

from collections.abc import Iterable

from fer_tune.data.checks.text import checked_encoding, guess_encoding


class Names:
    """Decodes the names of one archive or folder, all in the same encoding.

    Attributes:
        encoding: by ``--encoding``, or guessed.
    """

    def __init__(self, raw: Iterable[bytes], encoding: str | None) -> None:
        """
        Args:
            raw: names that do not say their encoding.
            encoding: by the user; None to guess it.

        Raises:
            DataError: ``encoding`` does not exist, or the names are not text in it.
        """
        names = {name for name in raw if not name.isascii()}
        self.encoding = (
            guess_encoding(names) if encoding is None else checked_encoding(encoding, names)
        )

    def text(self, raw: bytes) -> str:
        """One of the names."""
        return raw.decode(self.encoding, "replace")


def encoding_note(encodings: Iterable[str | None], *, chosen: bool) -> str | None:
    """What was assumed about names, for the user; None where they say their encoding.

    Args:
        encodings: of the files of a source.
        chosen: whether ``--encoding`` says it.
    """
    found = sorted({encoding for encoding in encodings if encoding is not None})
    if not found:
        return None
    how = "by --encoding" if chosen else "guessed; change that with --encoding"
    return f"names do not say their encoding: read as {', '.join(found)} ({how})"
