"""Retries transient errors of an object store; reports permanent ones in few words."""

from __future__ import annotations

import errno
import logging
import os
import re
import time
from collections.abc import Callable
from typing import TypeVar

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Stores whose retries ran out: later calls try once, until one succeeds.
_given_up: set[str] = set()
#: Unavailable stores: since when, in seconds since the Unix epoch.
_unavailable: dict[str, float] = {}

#: Environment variable: seconds for which an unavailable store is retried.
PATIENCE = "FER_TUNE_STORAGE_PATIENCE"
_PATIENCE_S = 60.0
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 8.0

#: What is said of an upload that the store knows otherwise than the client, or no longer, once a
#: response was lost: another one begins with the next attempt.
_LOST_UPLOAD = re.compile(
    r"NO_SUCH_UPLOAD"
    r"|\((?:NOT_FOUND|INVALID_ARGUMENT|OUT_OF_RANGE):.*function=(?:UploadChunk|QueryResumableUpload)",
    re.DOTALL,
)
#: Errors of pyarrow's clients that are worth a retry.
_TRANSIENT = re.compile(
    r"NETWORK_CONNECTION|SLOW_DOWN|THROTTL|SERVICE_UNAVAILABLE|INTERNAL_FAILURE|REQUEST_TIMEOUT"
    r"|HTTP (?:status|response code):? (?:408|429|5\d\d)|timed out"
    r"|\((?:UNAVAILABLE|DEADLINE_EXCEEDED|INTERNAL|ABORTED|RESOURCE_EXHAUSTED):",
)
#: TLS errors, which no retry fixes.
_PERMANENT_CURL = re.compile(r"curlCode: (?:51|58|60|77)\b")
_STORE = re.compile(r"AWS Error|google::cloud")
#: Message of Google's client for a folder; for a file it raises FileNotFoundError.
_NO_FOLDER = "No such directory"
_NO_BUCKET = re.compile(r"NO_SUCH_BUCKET|bucket does not exist|Bucket '.*' not found")
_DENIED = re.compile(
    r"ACCESS_DENIED|SIGNATURE_DOES_NOT_MATCH|INVALID_ACCESS_KEY|INVALID_CLIENT_TOKEN"
    r"|MISSING_AUTHENTICATION|EXPIRED_TOKEN|InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken"
    r"|REQUEST_TIME_TOO_SKEWED|REQUEST_EXPIRED|PERMISSION_DENIED|UNAUTHENTICATED"
    r"|HTTP (?:status|response code):? 40[13]"
)
#: Where a client names the cause, the most specific pattern first.
_DETAILS = (
    re.compile(r"CURL error \[\d+\]=([^;({)]+?)(?: error_info|$|[;({)])"),
    re.compile(r"during \w+ operation: (?!No response body)(?:curlCode: \d+, )?([^;(]+)"),
    re.compile(r"AWS Error (\w+) during"),
    re.compile(r"Status\(\w+: ([^;({)]+)"),
)


def with_retries(where: str, do: Callable[[], T]) -> T:
    """Calls ``do``, with retries and exponential backoff while the store is unavailable.

    Once retries have run out, every later call tries once, so that a search that ends because of it
    ends soon.

    Args:
        where: the URL, for messages.

    Returns:
        what ``do`` returns.

    Raises:
        OSError: with a readable message: ``FileNotFoundError``, ``PermissionError``, or one that is
            no ``ConnectionError``, like errors of a disk.
    """
    deadline, wait, store = None, _FIRST_WAIT_S, _store_of(where)
    while True:
        try:
            done = do()
        except (OSError, ValueError) as raw:
            if not (isinstance(raw, OSError) or _STORE.search(str(raw))):
                raise
            error = translated(raw, where)
            if error.errno != errno.EHOSTUNREACH:
                raise error from None
            _unavailable.setdefault(store, time.time())
            now = time.monotonic()
            if store in _given_up:
                raise error from None
            if deadline is None:
                deadline = now + patience()
                logger.warning("%s: %s; retrying for %.0f s", where, error.strerror, patience())
            if now + wait > deadline:
                _given_up.add(store)
                raise error from None
            time.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT_S)
        else:
            _given_up.discard(store)
            _unavailable.pop(store, None)
            if deadline is not None:
                logger.warning("%s: available again", where)
            return done


def unavailable_since(where: str) -> float | None:
    """Since when the store of a URL has been unavailable to this process.

    Returns:
        seconds since the Unix epoch; None while it is available, and for a path.
    """
    return _unavailable.get(_store_of(where))


def _store_of(where: str) -> str:
    """``s3://bucket?query``: the unit that becomes unavailable."""
    scheme, _, rest = where.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}?{rest.partition('?')[2]}"


def patience() -> float:
    """Seconds for which an unavailable store is retried."""
    try:
        return max(0.0, float(os.environ.get(PATIENCE, "")))
    except ValueError:
        return _PATIENCE_S


def translated(error: OSError | ValueError, where: str) -> OSError:
    """``error`` of pyarrow as a short one, with an ``errno`` and ``where`` as its file name.

    Google's client has a ValueError for whatever the store calls an invalid argument.
    """
    text = str(error)
    if _LOST_UPLOAD.search(text):
        return OSError(errno.EHOSTUNREACH, "the store is unavailable: it lost an upload", where)
    if isinstance(error, FileNotFoundError) or text.startswith(_NO_FOLDER):
        return FileNotFoundError(errno.ENOENT, "not found", where)
    if isinstance(error, OSError) and error.errno is not None and not _STORE.search(text):
        return error  # of the local disk, to or from which something was copied
    said = next((found for form in _DETAILS if (found := form.search(text))), None)
    detail = said.group(1).strip().rstrip(".") if said else text.splitlines()[0]
    if _NO_BUCKET.search(text):
        return FileNotFoundError(errno.ENOENT, "there is no such bucket", where)
    if _DENIED.search(text):
        return PermissionError(errno.EACCES, f"the store denies access: {detail}", where)
    if _TRANSIENT.search(text) and not _PERMANENT_CURL.search(text):
        return OSError(errno.EHOSTUNREACH, f"the store is unavailable: {detail}", where)
    return OSError(errno.EIO, f"the store rejected the request: {detail}", where)
