"""Many clients of `fer-tune serve` at once: seconds of an answer, share refused, memory.

Every client sends one picture after another over its own connection; after a 503 it waits for the
`Retry-After` seconds, as that asks for. Memory is the proportional set size of the command and of
every process below it, before, at its highest, and ten seconds after the last request. With
`--kill`, a replica gets SIGKILL at that interval: an accepted request must still be answered, so
that no other status than 200 and 503 is a result, and no lost connection.

    python -m benchmarks.serving.service MODEL PICTURE --clients 200 --seconds 60
    python -m benchmarks.serving.service MODEL PICTURE --replicas 2 --kill 10
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path

import aiohttp

from benchmarks.processes import descendants, proportional_mib, title

#: Seconds until a service has started, and after the load until memory is measured again.
START_S, AFTER_S = 180, 10


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("model")
    options.add_argument("picture", type=Path)
    options.add_argument("--clients", type=int, default=200)
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--kill", type=float, help="seconds between two kills of a replica")
    chosen, others = options.parse_known_args()
    picture = chosen.picture.read_bytes()
    with service(chosen.model, others) as (process, url):
        one(url, picture)
        memory = Memory(process.pid)
        before = memory.now()
        memory.start()
        stop = threading.Event()
        if chosen.kill:
            threading.Thread(target=killing, args=(process.pid, chosen.kill, stop)).start()
        load = asyncio.run(load_of(url, picture, chosen.clients, chosen.seconds))
        stop.set()
        time.sleep(AFTER_S)
        memory.stop()
        show(load, chosen.seconds)
        print(
            f"memory, MiB: {before:.0f} before, {memory.peak:.0f} at most, "
            f"{memory.now():.0f} {AFTER_S} s after"
        )


@contextmanager
def service(model, others):
    """The service at a free port; yields its process and address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "fer_tune", "serve", model, f"--port={port}", *others]
    process = subprocess.Popen(command)
    url = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + START_S
        while True:
            with suppress(OSError), urllib.request.urlopen(f"{url}/healthz", timeout=2):
                break
            assert process.poll() is None and time.monotonic() < end, "it did not start"
            time.sleep(0.5)
        yield process, url
    finally:
        process.send_signal(signal.SIGTERM)
        print(f"exit code {process.wait(120)}")


def one(url: str, picture: bytes) -> None:
    """The first request, which loads what is loaded late."""
    headers = {"Content-Type": "image/jpeg"}
    request = urllib.request.Request(f"{url}/predict", picture, headers, method="POST")
    with urllib.request.urlopen(request, timeout=60) as answer:
        answer.read()


async def load_of(url: str, picture: bytes, clients: int, seconds: float):
    """Status (or error) and seconds of every request."""
    found: list[tuple[str, float]] = []
    end = time.monotonic() + seconds

    async def client(session: aiohttp.ClientSession, number: int) -> None:
        while time.monotonic() < end:
            began, wait = time.monotonic(), 0.0
            try:
                async with session.post(
                    f"{url}/predict", data=picture, headers={"Content-Type": "image/jpeg"}
                ) as answer:
                    await answer.read()
                    status, wait = str(answer.status), float(answer.headers.get("Retry-After", 0))
            except (aiohttp.ClientError, TimeoutError) as error:
                status = type(error).__name__
            found.append((status, time.monotonic() - began))
            # Spread a little, as clients that nobody synchronises are.
            await asyncio.sleep(wait * random.uniform(0.8, 1.2))

    connector = aiohttp.TCPConnector(limit=clients)
    async with aiohttp.ClientSession(
        connector=connector, timeout=aiohttp.ClientTimeout(total=180)
    ) as session:
        await asyncio.gather(*(client(session, number) for number in range(clients)))
    return found


def show(load: list[tuple[str, float]], seconds: float) -> None:
    counts = Counter(status for status, _ in load)
    print(f"requests: {len(load)}, by status {dict(sorted(counts.items()))}")
    for status in ("200", "503"):
        times = sorted(duration for found, duration in load if found == status)
        if len(times) > 1:
            cuts = statistics.quantiles(times, n=100)
            print(
                f"{status}: {len(times) / seconds:.1f} per second, "
                f"p50 {cuts[49]:.3f} s, p95 {cuts[94]:.3f} s, longest {times[-1]:.3f} s"
            )
    print(f"refused: {counts['503'] / len(load):.1%}")
    lost = {status: n for status, n in counts.items() if status not in ("200", "503")}
    print(f"lost: {lost or 'none'}")


class Memory:
    """Proportional set size of a process and all below it, in MiB, sampled every half second."""

    def __init__(self, pid: int) -> None:
        self._pid, self.peak, self._ended = pid, 0.0, threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._watch).start()

    def stop(self) -> None:
        self._ended.set()

    def _watch(self) -> None:
        while not self._ended.wait(0.5):
            self.peak = max(self.peak, self.now())

    def now(self) -> float:
        return sum(map(proportional_mib, [self._pid, *descendants(self._pid)]))


def killing(pid: int, interval: float, stop: threading.Event) -> None:
    """Kills a replica of the service at intervals."""
    while not stop.wait(interval):
        replicas = [one for one in descendants(pid) if "ServeReplica" in title(one)]
        if replicas:
            victim = random.choice(replicas)
            print(f"SIGKILL to replica {victim}, one of {len(replicas)}", flush=True)
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)


if __name__ == "__main__":
    main()
