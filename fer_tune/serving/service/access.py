"""Who may use a service: its token, and the names under which a browser may reach it."""

from __future__ import annotations

import hmac
import ipaddress
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from fer_tune.errors import EnvironmentFault, UserError, reading

#: The variable that holds the token, where no file is named.
TOKEN_VARIABLE = "FER_TUNE_TOKEN"
#: Shortest token, in characters: 16 random hex digits cannot be guessed over a network.
SHORTEST = 16
#: Longest file that is read for a token, in bytes.
_LONGEST = 4096
_MAKE = "Make one with: (umask 077; openssl rand -hex 32 > FILE)"


def service_token(file: Path | None, environment: Mapping[str, str] | None = None) -> str | None:
    """The token in ``file``, else that in ``FER_TUNE_TOKEN``; None if neither is given.

    Raises:
        UserError: a file that cannot be read or that others can read, a token that is too short or
            that no header may hold. The message does not repeat it.
    """
    environment = os.environ if environment is None else environment
    if file is None:
        found = environment.get(TOKEN_VARIABLE, "").strip()
        return _checked(found, TOKEN_VARIABLE) if found else None
    with reading(file, UserError):
        if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise UserError(
                "other users can read this token",
                where=f"--token-file {file}",
                remedy=f"Replace it, in a file for you alone. {_MAKE}",
            )
        with file.open("rb") as opened:
            content = opened.read(_LONGEST)
    return _checked(content.decode("utf-8", "replace").strip(), f"--token-file {file}")


def _checked(token: str, where: str) -> str:
    if not token.isascii() or not token.isprintable() or " " in token:
        raise UserError(
            "the token must be printable ASCII without spaces", where=where, remedy=_MAKE
        )
    if len(token) < SHORTEST:
        raise UserError(
            f"the token must have at least {SHORTEST} characters", where=where, remedy=_MAKE
        )
    return token


def check_open(host: str, token: str | None) -> None:
    """Checks that an address other than loopback is not opened without a token.

    Raises:
        EnvironmentFault: it would be.
    """
    if token is None and not is_loopback(host):
        raise EnvironmentFault(
            "an address that other machines can reach needs a token",
            where="--host",
            value=host,
            remedy=f"Add --token-file FILE, or set {TOKEN_VARIABLE}. {_MAKE}",
        )


def is_loopback(host: str) -> bool:
    """Whether ``host`` names this machine alone."""
    if host.casefold() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_right(token: str, authorization: str | None) -> bool:
    """Whether a header ``Authorization: Bearer TOKEN`` holds the token; in constant time."""
    kind, _, given = (authorization or "").partition(" ")
    same = hmac.compare_digest(given.strip().encode(), token.encode())
    return same and kind.casefold() == "bearer"


def is_local_name(host: str | None) -> bool:
    """Whether a ``Host`` header names the loopback, as it does unless a page on the web was given
    a name for this machine (DNS rebinding)."""
    if host is None:
        return True  # HTTP/1.0, which no browser speaks
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    return is_loopback(name)
