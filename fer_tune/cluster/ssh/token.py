"""The token for a cluster, found where Ray itself looks."""

from __future__ import annotations

import os
from pathlib import Path

from fer_tune.errors import EnvironmentFault, because

#: Where Ray keeps it, below the home folder.
DEFAULT = Path(".ray") / "auth_token"


def local_token() -> str | None:
    """The token of this machine's user, or None.

    From ``RAY_AUTH_TOKEN``, from the file named by ``RAY_AUTH_TOKEN_PATH``, or from
    ``~/.ray/auth_token``, in that order; none with ``RAY_AUTH_MODE=disabled``.

    Raises:
        EnvironmentFault: ``RAY_AUTH_TOKEN_PATH`` names a file that cannot be read, or the token
            has characters that no header may hold.
    """
    if os.environ.get("RAY_AUTH_MODE", "").lower() == "disabled":
        return None
    if token := os.environ.get("RAY_AUTH_TOKEN", "").strip():
        return checked(token, "RAY_AUTH_TOKEN")
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    path = Path(named) if named else Path.home() / DEFAULT
    if not named and not path.exists():
        return None
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise EnvironmentFault(
            f"the cluster's token cannot be read: {because(error)}",
            where="RAY_AUTH_TOKEN_PATH" if named else str(path),
            value=named,
            remedy="It must be a readable file with the token of the cluster",
        ) from None
    return checked(token, str(path)) if token else None


def checked(token: str, where: str) -> str:
    """``token``, if an HTTP header may hold it; the message does not repeat it.

    Raises:
        EnvironmentFault: spaces, line breaks or non-ASCII characters in it.
    """
    if not token.isascii() or not token.isprintable() or " " in token:
        raise EnvironmentFault(
            "the token has characters that are not allowed in a Ray token",
            where=where,
            remedy="Copy it from the head again: `ray get-auth-token` prints it there",
        )
    return token
