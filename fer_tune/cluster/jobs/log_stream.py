"""Following a job's log across lost connections, every character once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass

import aiohttp

from fer_tune.cluster.dashboard import ANSWER_S, TooLarge, Unreachable
from fer_tune.cluster.job import Job
from fer_tune.cluster.job_api import JobApi
from fer_tune.cluster.ssh.dashboard_access import Access
from fer_tune.errors import EnvironmentFault

#: Seconds without a response after which following gives up; the job is not affected.
PATIENCE_S = 600.0
#: Seconds between retries, the first and the longest.
_RETRY_INTERVALS_S = (1.0, 15.0)
#: Seconds of waiting for the job to start after which this is reported, first and repeatedly.
_PENDING_S = (30.0, 600.0)
#: Seconds between heartbeats of the connection.
_HEARTBEAT_S = 20.0


@dataclass
class Follower:
    """Follows the log of one job.

    Attributes:
        access: the way to the cluster.
        id: of the job.
        write: receives the next piece of the log.
        note: receives messages on the connection, for the user.
        patience_s: seconds without a response before giving up.
        written: characters forwarded so far; a positive start value skips as many.
    """

    access: Access
    id: str
    write: Callable[[str], None]
    note: Callable[[str], None]
    patience_s: float = PATIENCE_S
    written: int = 0
    _pending_since: float | None = None
    _reported_at: float | None = None

    def to_the_end(self) -> Job:
        """Follows until the job ends, and returns it.

        Raises:
            Unreachable: no response for ``patience_s``.
            EnvironmentFault: the cluster no longer knows the job, or denies access.
        """
        lost_at: float | None = None
        pause = _RETRY_INTERVALS_S[0]
        closed = False
        while True:
            try:
                if lost_at is not None:
                    self.access.renew()
                job = self.access.api.job(self.id)
                if lost_at is not None:
                    self.note("reconnected")
                    lost_at, pause = None, _RETRY_INTERVALS_S[0]
                if job.over:
                    self._finish()
                    return job
                self._check_pending(job)
                if closed:
                    time.sleep(_RETRY_INTERVALS_S[0])  # never poll without a pause
                closed = False
                asyncio.run(self._tail(self.access.api))
                closed = True
            except Unreachable as error:
                now = time.monotonic()
                if lost_at is None:
                    lost_at = now
                    self.note(f"connection lost ({error.what}); the job continues, retrying")
                if now - lost_at > self.patience_s:
                    raise
                time.sleep(pause)
                pause = min(2 * pause, _RETRY_INTERVALS_S[1])

    def _finish(self) -> None:
        """Forwards what the stream did not deliver before it ended."""
        try:
            self._forward(self.access.api.log(self.id), offset=0)
        except TooLarge as error:
            self.note(f"the end of the log may be missing: {error}")

    async def _tail(self, api: JobApi) -> None:
        """Forwards the stream until the other side closes it."""
        position = 0  # the log comes from its beginning, every time
        watch = asyncio.create_task(self._until_it_runs(api))
        # Errors of the writer are no connection errors, so the stream is separate.
        try:
            async with aclosing(self._pieces(api)) as pieces:
                async for text in pieces:
                    self._forward(text, offset=position)
                    position += len(text)
        finally:
            watch.cancel()

    async def _until_it_runs(self, api: JobApi) -> None:
        """Checks periodically whether the job is pending; its log is silent until it starts."""
        while self._pending_since is not None:
            await asyncio.sleep(_PENDING_S[0])
            with suppress(EnvironmentFault):  # the stream will report it
                self._check_pending(await asyncio.to_thread(api.job, self.id))

    def _check_pending(self, job: Job) -> None:
        """Reports that the job has been pending for long."""
        now = time.monotonic()
        if job.state != "pending":
            self._pending_since = None
            return
        since = self._pending_since = now if self._pending_since is None else self._pending_since
        first, more = _PENDING_S
        due = since + first if self._reported_at is None else self._reported_at + more
        if now >= due:
            self._reported_at = now
            said = f" Ray says: {job.message.strip()}" if job.message else ""
            self.note(
                f"{self.id} has been pending for {now - since:.0f} s.{said} See its page: "
                f"{self.access.link(self.id)}"
            )

    async def _pieces(self, api: JobApi) -> AsyncGenerator[str, None]:
        unlimited = aiohttp.ClientTimeout(total=None)
        try:
            async with aiohttp.ClientSession(
                headers=api.headers, trust_env=not api.loopback, timeout=unlimited
            ) as session:
                async with asyncio.timeout(ANSWER_S):
                    socket = await session.ws_connect(
                        api.tail_url(self.id),
                        heartbeat=_HEARTBEAT_S,
                        max_msg_size=0,
                        timeout=aiohttp.ClientWSTimeout(ws_close=5.0),
                    )
                async with socket:
                    async for message in socket:
                        if message.type is not aiohttp.WSMsgType.TEXT:
                            break
                        yield message.data
        except aiohttp.WSServerHandshakeError as error:
            raise api.refusal(error.status, error.message) from None
        except (aiohttp.ClientError, OSError) as error:
            raise api.unreachable(error) from None

    def _forward(self, text: str, *, offset: int) -> None:
        """Writes the part of ``text`` that was not written yet."""
        news = text[max(0, self.written - offset) :]
        if news and offset + len(text) > self.written:
            self.write(news)
            self.written = offset + len(text)
