"""The server of `fer-tune camera`, and many clients of it; for :mod:`benchmarks.camera`."""

from __future__ import annotations

import http.client
import json
import os
import statistics
import threading
import time
from collections import Counter
from contextlib import AbstractContextManager
from pathlib import Path

from benchmarks.processes import proportional_mib
from benchmarks.serving.threaded import running
from fer_tune.serving.web.contents import Display, page_contents
from fer_tune.serving.web.networks import PageModel
from fer_tune.serving.web.runtime import runtime_files
from fer_tune.serving.web.server import page_app

PATHS = ("/", "/main.js", "/page.json", "/lib/mtcnn.js", "/detector/onet.onnx")


def served(models: list[PageModel], runtime: Path | None) -> AbstractContextManager[int]:
    """The page at a free port of the loopback."""
    return running(page_app(page_contents(models, runtime_files(runtime), Display())))


def measure_server(port: int, clients: int, seconds: float) -> str:
    """Clients that load a file of the page, one after the other; all have the same address."""
    times: list[float] = []
    statuses: Counter[int] = Counter()
    ends = time.monotonic() + seconds
    before = proportional_mib(os.getpid())

    def client(number: int) -> None:
        while time.monotonic() < ends:
            began = time.monotonic()
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                connection.request("GET", PATHS[number % len(PATHS)])
                answer = connection.getresponse()
                answer.read()
                statuses[answer.status] += 1
                times.append(time.monotonic() - began)
                connection.close()
            except (OSError, http.client.HTTPException):
                statuses[0] += 1
            time.sleep(0.05)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = sum(statuses.values())
    cuts = statistics.quantiles(times, n=20)
    return (
        f"{clients} clients for {seconds:g} s: {total} requests, p50 {1000 * cuts[9]:.0f} ms, p95 "
        f"{1000 * cuts[18]:.0f} ms, refused {(total - statuses[200]) / total:.1%} "
        f"({json.dumps(statuses)}), memory of server and clients {before:.0f} MiB before, "
        f"{proportional_mib(os.getpid()):.0f} MiB after"
    )
