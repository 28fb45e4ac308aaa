"""A small HTTP server that speaks as much of Ray's job API as a client can be tried on.

It can do what a real one does only now and then: refuse, stall, break a log off in the middle.
That Ray answers in this way is what `test_job_ray.py` sees to.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web


@dataclass
class Script:
    """What the server does.

    Attributes:
        token: that it asks for; None for none.
        log: of the one job, in the pieces in which the WebSocket sends them.
        break_after: how many pieces of ``log`` each connection gets before it is cut, first
            to last; the connections after those get all.
        refuse: answers with this status for as many requests as the second number says.
        stall_s: seconds before any answer.
        runs_on: the job does not end with its log.
        state: of the job; while it is PENDING its log is silent.
        more: metadata of the job.
        authorizations: what every request so far had in that header.
    """

    token: str | None = None
    log: list[str] = field(default_factory=list)
    break_after: list[int] = field(default_factory=list)
    refuse: tuple[int, int] = (0, 0)
    stall_s: float = 0.0
    runs_on: bool = False
    state: str = "RUNNING"
    more: dict[str, str] = field(default_factory=dict)
    exit_code: int | None = None
    packages: dict[str, bytes] = field(default_factory=dict)
    submitted: list[dict[str, Any]] = field(default_factory=list)
    tails: int = 0
    address: str = ""
    authorizations: list[str | None] = field(default_factory=list)

    def details(self) -> dict[str, Any]:
        metadata = {"fer_tune": "0.1.0", "space": "quickstart", "results": "/srv/results/one"}
        metadata |= self.more
        return {
            "submission_id": "one-20261127-0312",
            "status": self.state,
            "message": "Job has not started yet." if self.state == "PENDING" else "",
            "metadata": metadata,
            "start_time": 1_000_000,
            "end_time": None if self.state == "RUNNING" else 1_062_000,
            "driver_exit_code": self.exit_code,
        }

    def application(self) -> web.Application:
        application = web.Application(middlewares=[self._gate])
        for method, path, handler in (
            ("GET", "/api/version", self._version),
            ("GET", "/api/packages/gcs/{name}", self._has),
            ("PUT", "/api/packages/gcs/{name}", self._put),
            ("POST", "/api/jobs/", self._submit),
            ("GET", "/api/jobs/", self._jobs),
            ("GET", "/api/jobs/{id}", self._job),
            ("POST", "/api/jobs/{id}/stop", self._stop),
            ("GET", "/api/jobs/{id}/logs", self._log),
            ("GET", "/api/jobs/{id}/logs/tail", self._tail),
        ):
            application.router.add_route(method, path, handler)
        return application

    @web.middleware
    async def _gate(self, request: web.Request, handler: Any) -> web.StreamResponse:
        await asyncio.sleep(self.stall_s)
        given = request.headers.get("Authorization")
        self.authorizations.append(given)
        if self.token is not None and given is None:
            return web.Response(status=401, text="Unauthorized: Missing authentication token")
        if self.token is not None and given != f"Bearer {self.token}":
            return web.Response(status=403, text="Forbidden: Invalid authentication token")
        status, times = self.refuse
        if times:
            self.refuse = (status, times - 1)
            return web.Response(status=status, text="Traceback:\n  somewhere\nValueError: no room")
        response: web.StreamResponse = await handler(request)
        return response

    async def _version(self, request: web.Request) -> web.Response:
        return web.json_response({"version": "4", "ray_version": "2.60.0"})

    async def _has(self, request: web.Request) -> web.Response:
        there = request.match_info["name"] in self.packages
        return web.Response(status=200 if there else 404)

    async def _put(self, request: web.Request) -> web.Response:
        self.packages[request.match_info["name"]] = await request.read()
        return web.Response()

    async def _submit(self, request: web.Request) -> web.Response:
        self.submitted.append(await request.json())
        return web.json_response({"submission_id": self.submitted[-1]["submission_id"]})

    async def _jobs(self, request: web.Request) -> web.Response:
        another = {**self.details(), "submission_id": None, "metadata": None}
        foreign = {**self.details(), "submission_id": "raysubmit_1", "metadata": {}}
        return web.json_response([another, foreign, self.details()])

    async def _job(self, request: web.Request) -> web.Response:
        if request.match_info["id"] != self.details()["submission_id"]:
            return web.Response(status=404, text="Job does not exist")
        return web.json_response(self.details())

    async def _stop(self, request: web.Request) -> web.Response:
        stopped, self.state = self.state == "RUNNING", "STOPPED"
        return web.json_response({"stopped": stopped})

    async def _log(self, request: web.Request) -> web.Response:
        return web.json_response({"logs": "".join(self.log)})

    async def _tail(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        while self.state == "PENDING":
            await asyncio.sleep(0.02)
        pieces = self.log
        self.tails += 1
        breaks = bool(self.break_after)
        if breaks:
            pieces = pieces[: self.break_after.pop(0)]
        for piece in pieces:
            await socket.send_str(piece)
            await asyncio.sleep(0.01)
        if breaks:
            assert request.transport is not None
            request.transport.abort()
        elif self.runs_on:
            while (await socket.receive()).type is not WSMsgType.CLOSE:
                pass
        else:
            self.state = "FAILED" if self.exit_code else "SUCCEEDED"
        return socket


@contextmanager
def serving(script: Script, port: int = 0) -> Iterator[Script]:
    """Serves ``script`` on the loopback, from a thread; ``script.address`` is where."""
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(script.application(), shutdown_timeout=0.1)

    async def start() -> int:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        assert site._server is not None
        return int(site._server.sockets[0].getsockname()[1])

    script.address = f"http://127.0.0.1:{loop.run_until_complete(start())}"
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield script
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
