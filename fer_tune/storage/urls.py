"""Reading the URL of a folder in an object store, and the filesystem behind it."""

from __future__ import annotations

import functools
import os
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from fer_tune.errors import ResultsError
from fer_tune.storage.retry import with_retries
from fer_tune.storage.secrets import redacted, shown_query, without_secrets

SCHEMES = ("s3", "gs")
#: Added to the URL unless it says otherwise. A small object is one request instead of three; and
#: Google's own retries, for a quarter of an hour, would replace ours.
_DEFAULTS = {"s3": {"allow_delayed_open": "true"}, "gs": {"retry_limit_seconds": "5"}}
#: Seconds that an S3 server may take to accept a connection, and to send the next byte. By default
#: pyarrow waits for one and three, so that no request to a busy server would succeed. Requests are
#: attempted three times before an error is ours to retry; for a small object that must take less
#: than a lease lives.
_CONNECT_S, _RESPONSE_S, _ATTEMPTS = 4.0, 8.0, 3
#: Options of a URL that pyarrow forgets when a filesystem is made again.
_FORGOTTEN = ("smart_defaults=", "tls_ca_dir_path=", "tls_verify_certificates=")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
#: Options permitted in a URL that the user did not name: none that could name another host.
_BUCKET = re.compile(r"[A-Za-z0-9._-]+")
_REGION = re.compile(r"[a-z0-9-]+")
#: A store's URL with slashes or letters that should be otherwise: never the name of a file.
_ALMOST = re.compile(r"\s*(?:s3[an]?|gs|gcs)\s*:", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Address:
    """The parts of ``scheme://user@bucket/key?query``; ``user`` and ``query`` may be empty."""

    scheme: str
    user: str = field(repr=False)
    bucket: str
    key: str
    query: str = field(repr=False)

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
                f"{scheme}:// is not a supported store",
                where=without_secrets(url),
                remedy="Use a folder, s3://BUCKET/NAME or gs://BUCKET/NAME",
            )
        path, _, query = rest.partition("?")
        authority, _, key = path.partition("/")
        user, _, bucket = authority.rpartition("@")
        if not bucket:
            raise ResultsError(
                "names no bucket", where=without_secrets(url), remedy="For example s3://BUCKET/NAME"
            )
        if ":" in unquote(bucket):
            raise ResultsError(
                "the name of a bucket cannot contain `:`",
                where=without_secrets(url),
                remedy="Write %2F for a `/` in a secret, or set credentials in the environment; a "
                "server's address belongs after `?endpoint_override=`",
            )
        if ":" in unquote(user) and "@" in unquote(f"{bucket}/{key}"):
            raise ResultsError(
                "an `@` after the credentials could be part of the secret or of the name",
                where=without_secrets(url),
                remedy="Write %40 for an `@` and %2F for a `/` in a secret, or set credentials in "
                "the environment",
            )
        if any("@" in unquote(o) for o in query.split("&") if o.startswith("endpoint_override=")):
            raise ResultsError(
                "a server's address cannot contain `@`",
                where=without_secrets(url),
                remedy="Set credentials in the environment",
            )
        parts = [part for part in key.split("/") if part]
        for part in parts:
            if part in (".", ".."):  # clients do not write where they list
                raise ResultsError(
                    f"a store's URL cannot contain `{part}`",
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
        query = query if secret or not query else f"?{shown_query(self.query)}"
        return f"{self.scheme}://{user}{self.bucket}{key}{query}"

    @property
    def bucket_url(self) -> str:
        """What pyarrow makes the filesystem from."""
        given = {item.partition("=")[0] for item in self.query.split("&") if item}
        added = [f"{k}={v}" for k, v in _DEFAULTS[self.scheme].items() if k not in given]
        query = "&".join([*filter(None, [self.query]), *added])
        user = f"{self.user}@" if self.user else ""
        return f"{self.scheme}://{user}{self.bucket}?{query}"


def server_options(address: Address) -> str:
    """The parts of a URL of unknown origin that decide where requests go and who signs them.

    A region, and the endpoint that this machine's environment names as well, do not count.

    Returns:
        names for a message; empty if there is nothing of the kind.
    """
    options = [option.partition("=")[::2] for option in address.query.split("&") if option]
    found = dict(options)
    if _REGION.fullmatch(found.get("region", "-")):
        found.pop("region", None)
    is_usual = _BUCKET.fullmatch(address.bucket) and len(options) == len(dict(options))
    if is_usual and not address.user and (not found or _is_of_environment(address, found)):
        return ""
    names = [*(["credentials"] if address.user else []), *(name for name in found if name)]
    return ", ".join(names) or "an unusual bucket"


def _is_of_environment(address: Address, options: dict[str, str]) -> bool:
    """Whether the options name the server that ``AWS_ENDPOINT_URL`` names, and nothing else."""
    named = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if address.scheme != "s3" or not named or options.keys() - {"endpoint_override", "scheme"}:
        return False
    endpoint = unquote(options.get("endpoint_override", ""))
    if "://" not in endpoint:
        endpoint = f"{options.get('scheme', 'https')}://{endpoint}"
    return endpoint.rstrip("/").lower() == named.rstrip("/").lower()


def is_url(where: object) -> bool:
    """Whether it is written like a URL, of whatever scheme."""
    return isinstance(where, str) and _URL.fullmatch(where) is not None


def refuse_almost_url(where: str) -> None:
    """Raises ResultsError for a mistyped URL, which as a path would be shown with its secrets."""
    if not is_url(where) and _ALMOST.match(where):
        raise ResultsError(
            "looks like a mistyped object-store URL",
            where=without_secrets(where),
            remedy="Write it as in s3://BUCKET/NAME; a path of that name begins with ./",
        )


def filesystem_of(address: Address) -> Any:
    """The ``pyarrow.fs.FileSystem`` of the address's bucket; one per bucket and process.

    Raises:
        ResultsError: the URL's query holds what pyarrow does not know.
        OSError: the store is unavailable.
    """
    return _filesystem(address.bucket_url, os.getpid())


@functools.lru_cache(maxsize=16)
def _filesystem(url: str, process: int) -> Any:
    import pyarrow as pa
    from pyarrow.fs import FileSystem

    where = without_secrets(url)
    try:
        return _waiting(with_retries(where, lambda: FileSystem.from_uri(url))[0], url)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ResultsError(
            f"not a URL that can be used: {redacted(str(error), url)}",
            where=where,
            remedy="See docs/architecture/urls.md for the options after the `?`",
        ) from None


def _waiting(filesystem: Any, url: str) -> Any:
    """The filesystem with this module's time limits, which a URL cannot name."""
    from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem

    if not isinstance(filesystem, S3FileSystem) or any(option in url for option in _FORGOTTEN):
        return filesystem
    make, (options,) = filesystem.__reduce__()
    limits = {
        "connect_timeout": _CONNECT_S,
        "request_timeout": _RESPONSE_S,
        "retry_strategy": AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
    }
    return make({**options, **limits})
