"""Google's storage in memory, on a free port of loopback; a process of its own.

pyarrow holds on to the interpreter while it reads from Google, so that no thread could answer.
"""

from __future__ import annotations

from functools import partial
from http.server import ThreadingHTTPServer

from tests.object_store import BUCKET


def main() -> None:
    from gcp_storage_emulator.handlers import buckets
    from gcp_storage_emulator.server import RequestHandler
    from gcp_storage_emulator.storage import Storage

    storage = Storage(use_memory_fs=True)
    buckets.create_bucket(BUCKET, storage)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(RequestHandler, storage))
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
