"""Reading the URL of a folder in an object store, and the filesystem behind it."""

from __future__ import annotations

import functools
import os
import re
from dataclasses import dataclass
from typing import Any

from fer_tune.errors import ResultsError
from fer_tune.storage.trying import trying

SCHEMES = ("s3", "gs")
#: Added to the URL unless it says otherwise. A small object is one request instead of three; and
#: Google's own patience of a quarter of an hour would hide ours.
_DEFAULTS = {"s3": {"allow_delayed_open": "true"}, "gs": {"retry_limit_seconds": "5"}}
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
#: Before the bucket, where a secret may hold a `/` that should have been %2F; and in the query.
_SECRETS = (
    re.compile(r"(\b(?:s3|gs)://)[^/@\s:]+:[^@\s]*@(?=[^@\s]*/)"),
    re.compile(r"(\b[A-Za-z][A-Za-z0-9+.-]*://)[^/\s]*@"),
    re.compile(r"([?&][^=&\s]*(?:key|secret|token|password)[^=&\s]*=)[^&\s]*", re.IGNORECASE),
)


@dataclass(frozen=True, kw_only=True)
class Address:
    """The parts of ``scheme://user@bucket/key?query``; ``user`` and ``query`` may be empty."""

    scheme: str
    user: str
    bucket: str
    key: str
    query: str

    @classmethod
    def of(cls, url: str) -> Address:
        """Reads a URL.

        Raises:
            ResultsError: another scheme, no bucket, or ``..`` on the way.
        """
        found = _URL.fullmatch(url)
        scheme, rest = found.groups() if found else ("", url)
        if scheme not in SCHEMES:
            raise ResultsError(
                f"{scheme}:// is no store that is known here",
                where=without_secrets(url),
                remedy="Give a folder, s3://BUCKET/NAME or gs://BUCKET/NAME",
            )
        path, _, query = rest.partition("?")
        authority, _, key = path.partition("/")
        user, _, bucket = authority.rpartition("@")
        if not bucket:
            raise ResultsError(
                "names no bucket", where=without_secrets(url), remedy="As in s3://BUCKET/NAME"
            )
        if ":" in bucket:
            raise ResultsError(
                "no bucket has a `:` in its name",
                where=without_secrets(url),
                remedy="Write %2F for a `/` in a secret, or give credentials in the environment; "
                "a server's address goes behind `?endpoint_override=`",
            )
        parts = [part for part in key.split("/") if part]
        for part in parts:
            if part in (".", ".."):  # clients write to another place than they list
                raise ResultsError(
                    f"there is no `{part}` in a store",
                    where=without_secrets(url),
                    remedy="Write it out, as in s3://BUCKET/NAME",
                )
        key = "/".join(parts)
        return cls(scheme=scheme, user=user, bucket=bucket, key=key, query=query)

    def url(self, *, secret: bool) -> str:
        """The URL again, with or without credentials before the ``@`` and behind the ``?``."""
        user = f"{self.user}@" if self.user and secret else ""
        key = f"/{self.key}" if self.key else ""
        query = f"?{self.query}" if self.query else ""
        query = query if secret else without_secrets(query)
        return f"{self.scheme}://{user}{self.bucket}{key}{query}"

    @property
    def bucket_url(self) -> str:
        """What pyarrow makes the filesystem from."""
        given = {item.partition("=")[0] for item in self.query.split("&") if item}
        added = [f"{k}={v}" for k, v in _DEFAULTS[self.scheme].items() if k not in given]
        query = "&".join([*filter(None, [self.query]), *added])
        user = f"{self.user}@" if self.user else ""
        return f"{self.scheme}://{user}{self.bucket}?{query}"


def is_url(where: object) -> bool:
    """Whether it is written like a URL, of whatever scheme."""
    return isinstance(where, str) and _URL.fullmatch(where) is not None


def without_secrets(text: str) -> str:
    """``text`` without the credentials of the URLs in it."""
    for secret in _SECRETS:
        text = secret.sub(r"\1", text)
    return text


def filesystem_of(address: Address) -> Any:
    """The ``pyarrow.fs.FileSystem`` of the address's bucket; one per bucket and process.

    Raises:
        ResultsError: the URL's query holds what pyarrow does not know.
        OSError: the store does not answer.
    """
    return _filesystem(address.bucket_url, os.getpid())


@functools.lru_cache(maxsize=16)
def _filesystem(url: str, process: int) -> Any:
    import pyarrow as pa
    from pyarrow.fs import FileSystem

    where = without_secrets(url)
    try:
        return trying(where, lambda: FileSystem.from_uri(url))[0]
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ResultsError(
            f"not a URL that can be used: {without_secrets(str(error))}",
            where=where,
            remedy="See docs/architecture.md for what may stand behind the `?`",
        ) from None
