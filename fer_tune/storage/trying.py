"""A store that does not answer is asked again for a while; one that refuses is told plainly."""

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

#: Stores that were asked for long enough in vain: asked once, until one answers.
_given_up: set[str] = set()
#: Stores that do not answer: since when, in seconds since the Unix epoch.
_away: dict[str, float] = {}

#: Environment variable: seconds for which a store that does not answer is asked again.
PATIENCE = "FER_TUNE_STORAGE_PATIENCE"
_PATIENCE_S = 60.0
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 8.0

#: What the clients of pyarrow write when it is worth another try.
_PASSING = re.compile(
    r"NETWORK_CONNECTION|SLOW_DOWN|THROTTL|SERVICE_UNAVAILABLE|INTERNAL_FAILURE|REQUEST_TIMEOUT"
    r"|HTTP (?:status|response code):? (?:408|429|5\d\d)|timed out"
    r"|\((?:UNAVAILABLE|DEADLINE_EXCEEDED|INTERNAL|ABORTED|RESOURCE_EXHAUSTED):",
)
#: Of TLS: these do not mend themselves.
_LASTING_CURL = re.compile(r"curlCode: (?:51|58|60|77)\b")
_STORE = re.compile(r"AWS Error|google::cloud")
#: What the client for Google says of a folder; of a file it raises FileNotFoundError.
_ABSENT = "No such directory"
_NO_BUCKET = re.compile(r"NO_SUCH_BUCKET|bucket does not exist|Bucket '.*' not found")
_REFUSED = re.compile(
    r"ACCESS_DENIED|SIGNATURE_DOES_NOT_MATCH|INVALID_ACCESS_KEY|INVALID_CLIENT_TOKEN"
    r"|MISSING_AUTHENTICATION|EXPIRED_TOKEN|InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken"
    r"|REQUEST_TIME_TOO_SKEWED|REQUEST_EXPIRED|PERMISSION_DENIED|UNAUTHENTICATED"
    r"|HTTP (?:status|response code):? 40[13]"
)
#: Where the client says what was the matter, the more telling first.
_SAYS = (
    re.compile(r"CURL error \[\d+\]=([^;({)]+?)(?: error_info|$|[;({)])"),
    re.compile(r"during \w+ operation: (?!No response body)(?:curlCode: \d+, )?([^;(]+)"),
    re.compile(r"AWS Error (\w+) during"),
    re.compile(r"Status\(\w+: ([^;({)]+)"),
)


def trying(where: str, do: Callable[[], T]) -> T:
    """What ``do`` returns; asked again, ever more rarely, while the store does not answer.

    Once that was in vain, every later call asks once, so that a search that ends for it ends soon.

    Args:
        where: the URL, for messages.

    Raises:
        OSError: in words for people: ``FileNotFoundError``, ``PermissionError``, or one that is
            no ``ConnectionError``, as the disk's refusals are told.
    """
    deadline, wait, store = None, _FIRST_WAIT_S, _store_of(where)
    while True:
        try:
            done = do()
        except OSError as error:
            fault = plainly(error, where)
            if fault.errno != errno.EHOSTUNREACH:
                raise fault from None
            _away.setdefault(store, time.time())
            now = time.monotonic()
            if store in _given_up:
                raise fault from None
            if deadline is None:
                deadline = now + patience()
                logger.warning("%s: %s; trying again for %.0f s", where, fault.strerror, patience())
            if now + wait > deadline:
                _given_up.add(store)
                raise fault from None
            time.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT_S)
        else:
            _given_up.discard(store)
            _away.pop(store, None)
            if deadline is not None:
                logger.warning("%s: answers again", where)
            return done


def away_since(where: str) -> float | None:
    """Since when the store of a URL has been asked in vain by this process, if it does not answer.

    Returns:
        seconds since the Unix epoch; None while it answers, and for a path.
    """
    return _away.get(_store_of(where))


def _store_of(where: str) -> str:
    """``s3://bucket?query``: what is away when it is away."""
    scheme, _, rest = where.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}?{rest.partition('?')[2]}"


def patience() -> float:
    """Seconds for which a store that does not answer is asked again."""
    try:
        return max(0.0, float(os.environ.get(PATIENCE, "")))
    except ValueError:
        return _PATIENCE_S


def plainly(error: OSError, where: str) -> OSError:
    """``error`` of pyarrow's in few words, with an ``errno`` and ``where`` as its file name."""
    text = str(error)
    if isinstance(error, FileNotFoundError) or text.startswith(_ABSENT):
        return FileNotFoundError(errno.ENOENT, "is not there", where)
    if error.errno is not None and not _STORE.search(text):
        return error  # of the local disk, to or from which something was copied
    said = next((found for form in _SAYS if (found := form.search(text))), None)
    detail = said.group(1).strip().rstrip(".") if said else text.splitlines()[0]
    if _NO_BUCKET.search(text):
        return FileNotFoundError(errno.ENOENT, "there is no such bucket", where)
    if _REFUSED.search(text):
        return PermissionError(errno.EACCES, f"the store refuses access: {detail}", where)
    if _PASSING.search(text) and not _LASTING_CURL.search(text):
        return OSError(errno.EHOSTUNREACH, f"the store does not answer: {detail}", where)
    return OSError(errno.EIO, f"the store refuses: {detail}", where)
