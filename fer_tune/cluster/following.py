"""A job's log as it is written, across lost connections, every character once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass

import aiohttp

from fer_tune.cluster.access import Access
from fer_tune.cluster.job import Job
from fer_tune.cluster.job_api import ANSWER_S, JobApi, Unreachable
from fer_tune.errors import EnvironmentFault

#: Seconds without any answer after which following gives up; the job knows nothing of it.
PATIENCE_S = 600.0
#: Seconds between tries, the first and the longest.
_PAUSES_S = (1.0, 15.0)
#: Seconds of waiting for the job to start after which that is told, the first time and the others.
_PENDING_S = (30.0, 600.0)
#: Seconds between signs of life that are asked of the other side.
_HEARTBEAT_S = 20.0


@dataclass
class Follower:
    """Hands on the log of one job.

    Attributes:
        access: the way to the cluster.
        id: of the job.
        write: takes the next piece of the log.
        note: takes a word on the connection, for the user.
        patience_s: how long nothing may answer, in seconds.
        written: characters handed on so far; more than 0 leaves as many out.
    """

    access: Access
    id: str
    write: Callable[[str], None]
    note: Callable[[str], None]
    patience_s: float = PATIENCE_S
    written: int = 0
    _waits_since: float | None = None
    _told_at: float | None = None

    def to_the_end(self) -> Job:
        """Follows until the job is over, and returns how it ended.

        Raises:
            Unreachable: nothing answered for ``patience_s``.
            EnvironmentFault: the cluster no longer knows the job, or refuses.
        """
        lost_at: float | None = None
        pause = _PAUSES_S[0]
        closed = False
        while True:
            try:
                if lost_at is not None:
                    self.access.renew()
                job = self.access.api.job(self.id)
                if lost_at is not None:
                    self.note("connected again")
                    lost_at, pause = None, _PAUSES_S[0]
                if job.over:
                    self._hand_on(self.access.api.log(self.id), begins_at=0)
                    return job
                self._waits(job)
                if closed:
                    time.sleep(_PAUSES_S[0])  # nobody is asked without a pause
                closed = False
                asyncio.run(self._tail(self.access.api))
                closed = True
            except Unreachable as error:
                now = time.monotonic()
                if lost_at is None:
                    lost_at = now
                    self.note(f"connection lost ({error.what}); the job goes on, trying again")
                if now - lost_at > self.patience_s:
                    raise
                time.sleep(pause)
                pause = min(2 * pause, _PAUSES_S[1])

    async def _tail(self, api: JobApi) -> None:
        """Hands on what comes until the other side closes, however it does."""
        position = 0  # the log comes from its beginning, every time
        watch = asyncio.create_task(self._until_it_runs(api))
        # What fails while it is handed on is no fault of the connection, hence the two.
        try:
            async with aclosing(self._pieces(api)) as pieces:
                async for text in pieces:
                    self._hand_on(text, begins_at=position)
                    position += len(text)
        finally:
            watch.cancel()

    async def _until_it_runs(self, api: JobApi) -> None:
        """Looks now and then whether the job still waits; its log is silent until it starts."""
        while self._waits_since is not None:
            await asyncio.sleep(_PENDING_S[0])
            with suppress(EnvironmentFault):  # the tail will tell
                self._waits(await asyncio.to_thread(api.job, self.id))

    def _waits(self, job: Job) -> None:
        """Tells that the job has waited for long."""
        now = time.monotonic()
        if job.state != "pending":
            self._waits_since = None
            return
        since = self._waits_since = now if self._waits_since is None else self._waits_since
        first, more = _PENDING_S
        due = since + first if self._told_at is None else self._told_at + more
        if now >= due:
            self._told_at = now
            said = f" Ray says: {job.message.strip()}" if job.message else ""
            self.note(
                f"{self.id} has waited {now - since:.0f} s to start.{said} Its page tells more: "
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

    def _hand_on(self, text: str, *, begins_at: int) -> None:
        """Writes what of ``text`` was not written yet."""
        news = text[max(0, self.written - begins_at) :]
        if news and begins_at + len(text) > self.written:
            self.write(news)
            self.written = begins_at + len(text)
