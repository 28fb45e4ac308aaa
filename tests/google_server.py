"""Google's storage in memory, on a free port of loopback; a process of its own.

pyarrow holds on to the interpreter while it reads from Google, so that no thread could answer.
With the word ``faulty`` every third request to the port fails.
"""

from __future__ import annotations

import sys
from functools import partial
from http.server import ThreadingHTTPServer

from tests.faulty_proxy import LOST_REQUEST, LOST_RESPONSE, FaultyProxy, Status, every
from tests.object_store import BUCKET

FAULTS = (Status(503, b"{}"), LOST_RESPONSE, LOST_REQUEST, Status(500, b"<html>Bad gateway</html>"))


def main() -> None:
    from gcp_storage_emulator.handlers import buckets
    from gcp_storage_emulator.server import RequestHandler
    from gcp_storage_emulator.storage import Storage

    storage = Storage(use_memory_fs=True)
    buckets.create_bucket(BUCKET, storage)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(RequestHandler, storage))
    port = server.server_port
    if sys.argv[1:] == ["faulty"]:
        port = FaultyProxy(port, every(3, *FAULTS)).port
    print(port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
