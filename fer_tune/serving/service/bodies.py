"""The pictures in the body of a request."""

from __future__ import annotations

import logging

from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from fer_tune.escaping import one_line
from fer_tune.serving.service.answers import RefusedError
from fer_tune.serving.service.backend import Upload
from fer_tune.serving.service.limits import Limits

logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # the answer says it all
#: Longest name of a picture in an answer, in characters.
_NAME = 200


async def uploads_of(request: Request, limits: Limits) -> list[Upload]:
    """The pictures of a request whose body has been bounded before.

    Raises:
        RefusedError: no picture, too many, or a body that is not what its type says.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().casefold()
    if kind != "multipart/form-data":
        content = await request.body()
        if not content:
            raise _empty()
        return [Upload(name="picture 1", content=content)]
    return await _parts(request, limits)


async def _parts(request: Request, limits: Limits) -> list[Upload]:
    _, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary")
    if not boundary:
        raise _malformed("its Content-Type has no boundary")
    if b"--" + boundary + b"--" not in await request.body():
        raise _malformed("its end is missing")
    parser = MultiPartParser(
        request.headers,
        request.stream(),
        max_files=limits.pictures,
        max_fields=limits.pictures,
        max_part_size=limits.body_bytes,
    )
    parser.spool_max_size = limits.body_bytes + 1  # pictures are never written to the disk
    try:
        form = await parser.parse()
    except MultiPartException as error:
        if error.message.startswith("Too many files"):
            raise RefusedError(
                413,
                f"more than {limits.pictures} pictures: send them in several requests",
                "pictures",
            ) from None
        raise _malformed(error.message) from None
    except (ValueError, KeyError, AssertionError) as error:  # a header that is no header
        raise _malformed(str(error)) from None
    try:
        files = [part for _, part in form.multi_items() if isinstance(part, UploadFile)]
        found = [
            Upload(name=_name(part.filename, number), content=await part.read())
            for number, part in enumerate(files, 1)
        ]
    finally:
        await form.close()
    if not found:
        raise _empty()
    return found


def _name(given: str | None, number: int) -> str:
    return one_line(given)[:_NAME] if given else f"picture {number}"


def _empty() -> RefusedError:
    return RefusedError(
        400, "no picture in the body: send one as the body, or files as multipart/form-data", "body"
    )


def _malformed(why: str) -> RefusedError:
    return RefusedError(400, f"not a valid multipart/form-data body: {one_line(why)[:200]}", "body")
