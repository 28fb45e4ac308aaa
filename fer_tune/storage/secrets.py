"""Text for display: without the credentials of URLs, however they are written, and of this process.

Only parts of a URL that are known to be harmless are shown. So a URL that is malformed, or
one with an option that a later version of a library introduces, shows too little rather than a
secret. Of this process, the values of environment variables that are named like credentials are
left out: messages of libraries may quote them.
"""

from __future__ import annotations

import os
import re
from urllib.parse import unquote

#: Of a store also with slashes missing, as in a mistyped URL; not the service of an ARN.
_ARN = r"(?<!\barn:aws:)(?<!\barn:aws-cn:)(?<!\barn:aws-us-gov:)"
_SCHEME = rf"(?:[A-Za-z][A-Za-z0-9+.-]{{0,31}}://+|{_ARN}\b(?:s3[an]?|gs|gcs)\s*:/*)"
_IN_TEXT = re.compile(rf"({_SCHEME})(\S*)", re.IGNORECASE)
#: A text that is one URL, or the option of a command with one: blanks belong to the URL.
_WHOLE = re.compile(rf"(\s*(?:--?[\w-]+=\s*)?{_SCHEME})(\S.*)", re.IGNORECASE | re.DOTALL)
_STORE = re.compile(r"(?:s3[an]?|gs|gcs)\s*:", re.IGNORECASE)
_AT = re.compile("@|%40")
_PORT = re.compile(r"\d{1,5}[^\w@%]*")  # with what follows it in a sentence
_IPV6 = re.compile(r"\[[\da-f:.]+\]", re.IGNORECASE)

#: Options behind the `?` whose values are shown.
_SHOWN = {
    "allow_bucket_creation",
    "allow_bucket_deletion",
    "allow_delayed_open",
    "background_writes",
    "check_directory_existence_before_creation",
    "endpoint_override",
    "force_virtual_addressing",
    "project_id",
    "region",
    "retry_limit_seconds",
    "scheme",
    "smart_defaults",
    "tls_ca_file_path",
    "tls_verify_certificates",
}
#: A name, a number, a path or `host:port`: no credentials, for which there would be an `@`.
_HARMLESS = re.compile(
    r"(?:https?://)?(?:\[[\da-f:.]+\]|[\w./-]*)(?::\d{1,5})?/?[)\]'\",.;:]*", re.IGNORECASE
)
_NAME = re.compile(r"[A-Za-z_]+")

#: How the names of environment variables end whose values are credentials.
_CREDENTIAL = re.compile(
    r"(?:TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?_JSON|(?:ACCESS|API|SECRET|KAGGLE|"
    r"ACCOUNT|PRIVATE|STORAGE)_?KEY)\Z",
    re.IGNORECASE,
)
#: Shortest value that is left out: a shorter one may be part of any word.
_SHORTEST = 8
#: Values that this process had so far.
_known: set[str] = set()


def masked(text: str) -> str:
    """``text`` without the credentials of URLs and of this process's environment."""
    remember_credentials()
    for value in sorted(_known, key=len, reverse=True):
        # Not inside a word: a weak password may be part of one.
        text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", "…", text)
    return _in_text(text)


def remember_credentials() -> None:
    """Remembers the credentials of the environment, of which some change while a command runs."""
    for name, value in os.environ.items():
        is_path = value.startswith(("/", "~"))
        if len(value) >= _SHORTEST and _CREDENTIAL.search(name) and not is_path:
            _known.add(value)


def without_secrets(text: str) -> str:
    """``text`` without the credentials of the URLs in it."""
    whole = _WHOLE.fullmatch(text)
    if whole is not None:
        return whole[1] + _shown(whole[1], whole[2])
    return _in_text(text)


def _in_text(text: str) -> str:
    """A text of several words: a URL in it ends with the next blank."""
    return _IN_TEXT.sub(lambda found: found[1] + _shown(found[1], found[2]), text)


def shown_query(query: str) -> str:
    """The options behind a `?`, with the values of those alone that are no secrets."""
    return "&".join(filter(None, map(_shown_option, query.split("&"))))


def redacted(text: str, url: str) -> str:
    """``text`` without the parts of ``url`` that :func:`without_secrets` leaves out.

    Args: text: a library's message about the URL; it may quote any part of it.
    """
    text = text.replace(url, without_secrets(url))
    rest, _, query = url.partition("://")[2].partition("?")
    user = rest.rpartition("@")[0]
    hidden = [user, *user.split(":")]
    for option in query.split("&"):
        if _shown_option(option) != option:
            name, _, value = option.partition("=")
            hidden += [option, value, *([] if value else [name])]
    for part in sorted({*hidden, *map(unquote, hidden)}, key=len, reverse=True):
        if len(part) > 2:  # anything shorter is not a secret, and may be part of any word
            text = text.replace(part, "…")
    return without_secrets(text)


def _shown(scheme: str, rest: str) -> str:
    path, mark, query = rest.partition("?")
    return _shown_path(path, is_store=_STORE.search(scheme) is not None) + mark + shown_query(query)


def _shown_path(path: str, *, is_store: bool) -> str:
    """What follows the credentials; a secret may hold a `/` or `@` that should be escaped."""
    head = path.partition("/")[0]
    before, _, secret = _IPV6.sub("", unquote(head), count=1).partition(":")
    # Where a bucket or host is expected, a colon comes before a secret or a port.
    is_port = "@" not in before and _PORT.fullmatch(secret) is not None
    if secret and not (is_port and not (is_store and "@" in path)):
        return _AT.split(path)[-1] if _AT.search(path) else ""
    return head.rpartition("@")[2] + path[len(head) :]


def _shown_option(option: str) -> str:
    name, is_given, value = option.partition("=")
    if not is_given or not _NAME.fullmatch(name):
        return ""
    return option if name in _SHOWN and _HARMLESS.fullmatch(unquote(value)) else f"{name}="
