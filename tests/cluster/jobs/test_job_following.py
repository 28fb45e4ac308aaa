"""Following a log: every character once, however often the connection breaks."""

from __future__ import annotations

import threading
import time

import pytest
from job_server import Script, serving

from fer_tune.cluster import dashboard
from fer_tune.cluster.dashboard import Unreachable
from fer_tune.cluster.job_api import JobApi
from fer_tune.cluster.jobs import log_stream
from fer_tune.cluster.jobs.log_stream import Follower
from fer_tune.cluster.ssh.dashboard_access import Access
from fer_tune.errors import EnvironmentFault

ID = "one-20261127-0312"
LINES = [f"epoch {i}: é\n" for i in range(40)]


class Followed:
    """A follower, and what it has handed on."""

    def __init__(self, address: str, **keywords: float) -> None:
        self.text: list[str] = []
        self.notes: list[str] = []
        self.renewed = 0
        api = JobApi(address, None, answer_s=5)
        access = Access(api=api, option="", forwarding="", browser=address, renew=self._renew)
        self.follower = Follower(access, ID, self.text.append, self.notes.append, **keywords)  # type: ignore[arg-type]

    def _renew(self) -> None:
        self.renewed += 1

    def all(self) -> str:
        return "".join(self.text)


def test_the_whole_log_and_how_it_ended() -> None:
    with serving(Script(log=LINES)) as server:
        followed = Followed(server.address)
        job = followed.follower.to_the_end()
    assert followed.all() == "".join(LINES) and followed.notes == []
    assert (job.state, job.code(), job.seconds(0)) == ("succeeded", 0, 62.0)


def test_a_connection_that_breaks_three_times_repeats_nothing() -> None:
    with serving(Script(log=LINES, break_after=[7, 3, 21])) as server:
        followed = Followed(server.address)
        followed.follower.to_the_end()
    assert followed.all() == "".join(LINES)
    assert server.tails == 4


def test_a_job_that_does_not_start_is_reported_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(log_stream, "_PENDING_S", (0.2, 0.5))
    with serving(Script(log=LINES, state="PENDING")) as server:
        followed = Followed(server.address)

        def note(text: str) -> None:
            followed.notes.append(text)
            if len(followed.notes) == 2:
                server.state = "RUNNING"

        followed.follower.note = note
        began = time.monotonic()
        followed.follower.to_the_end()
    assert 0.7 <= time.monotonic() - began < 10
    assert followed.all() == "".join(LINES) and len(followed.notes) == 2
    assert f"{ID} has been pending for 0 s. Ray says: Job has not started yet." in followed.notes[0]
    assert f"/#/jobs/{ID}" in followed.notes[0]


def test_following_continues_at_the_given_position() -> None:
    with serving(Script(log=LINES)) as server:
        followed = Followed(server.address)
        followed.follower.written = len("".join(LINES[:5])) + 3
        followed.follower.to_the_end()
    assert followed.all() == "".join(LINES)[followed.follower.written - len(followed.all()) :]
    assert followed.all().startswith(LINES[5][3:])


def test_a_server_that_is_gone_for_a_while() -> None:
    script = Script(log=LINES, break_after=[5], runs_on=True)
    with serving(script) as server:
        followed = Followed(server.address)
        thread = threading.Thread(target=followed.follower.to_the_end)
        thread.start()
        _wait_for(lambda: followed.all() == "".join(LINES))
    _wait_for(lambda: len(followed.notes) == 1)
    assert thread.is_alive() and "retrying" in followed.notes[0]
    script.log = [*LINES, "the end\n"]
    script.runs_on = False
    with serving(script, port=int(script.address.rpartition(":")[2])):
        thread.join(30)
    assert not thread.is_alive()
    assert followed.all() == "".join(script.log)
    assert followed.notes[1:] == ["reconnected"] and followed.renewed >= 1


def test_patience_ends() -> None:
    with serving(Script()) as server:
        address = server.address
    with pytest.raises(Unreachable):
        Followed(address, patience_s=0.0).follower.to_the_end()


def test_what_is_lost_at_the_end_is_fetched() -> None:
    """The stream may end before the last lines; the log itself has them."""
    with serving(Script(log=LINES, break_after=[39])) as server:
        followed = Followed(server.address)
        server.state = "SUCCEEDED"
        followed.follower.to_the_end()
    assert followed.all() == "".join(LINES) and server.tails == 0


def test_a_log_that_is_too_long_to_be_fetched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboard, "ANSWER_BYTES", 1000)
    with serving(Script(log=[*LINES, "x" * 1000])) as server:
        followed = Followed(server.address)
        job = followed.follower.to_the_end()
    assert job.state == "succeeded" and followed.all() == "".join(server.log)
    assert "the end of the log may be missing" in followed.notes[0]


def test_a_refused_token_ends_it() -> None:
    with serving(Script(token="abc")) as server, pytest.raises(EnvironmentFault, match="token"):
        Followed(server.address).follower.to_the_end()


@pytest.mark.timeout(60)
def test_what_takes_the_log_may_fail() -> None:
    """A pipe that nobody reads any longer is no lost connection."""

    def closed(text: str) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    with serving(Script(log=LINES, runs_on=True)) as server:
        followed = Followed(server.address, patience_s=3.0)
        followed.follower.write = closed
        with pytest.raises(BrokenPipeError):
            followed.follower.to_the_end()
    assert followed.notes == [] and server.tails == 1


def test_a_gateway_that_is_unavailable_for_a_moment() -> None:
    with serving(Script(log=LINES, refuse=(503, 1))) as server:
        followed = Followed(server.address)
        followed.follower.to_the_end()
    assert followed.all() == "".join(LINES)
    assert "status 503" in followed.notes[0] and followed.notes[1:] == ["reconnected"]


@pytest.mark.parametrize(("exit_code", "code"), [(2, 2), (137, 137), (-9, 137)])
def test_the_exit_code_is_that_of_the_search(exit_code: int, code: int) -> None:
    with serving(Script(log=LINES, exit_code=exit_code)) as server:
        job = Followed(server.address).follower.to_the_end()
    assert (job.state, job.code()) == ("failed", code)


def _wait_for(condition: object, seconds: float = 20.0) -> None:
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not come about in time"
        time.sleep(0.02)
