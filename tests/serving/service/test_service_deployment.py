"""What happens to requests beside one that ends its replica, or fails in it; without Ray."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from ray.exceptions import ActorDiedError

from fer_tune.serving.service import deployment
from fer_tune.serving.service.backend import UnavailableError, Upload
from fer_tune.serving.service.deployment import Replicas
from fer_tune.serving.service.recognition import apart
from fer_tune.serving.service.settings import ServiceSettings

Request = list[Upload]


def request(content: bytes) -> Request:
    return [Upload(name="x", content=content)]


class FakeReplica:
    """One replica as Serve's handle reaches it: it holds requests and works on batches of them.

    Content ``kills`` ends it with all that it holds; a new one is there at once.
    """

    def __init__(self, batch: int = 4) -> None:
        self.batch, self.deaths, self.sizes = batch, 0, list[int]()
        self.held: list[tuple[list[Request], list[asyncio.Future[Any]]]] = []
        self.predict = self.predict_alone = self
        self.working: asyncio.Task[None] | None = None

    def remote(self, pictures: Request) -> asyncio.Future[Any]:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if not self.held or len(self.held[-1][0]) == self.batch:
            self.held.append(([], []))
        self.held[-1][0].append(pictures)
        self.held[-1][1].append(answer)
        if self.working is None or self.working.done():
            self.working = asyncio.create_task(self.work())
        return answer

    async def work(self) -> None:
        while self.held:
            await asyncio.sleep(0.01)  # further requests come meanwhile
            requests, answers = self.held[0]
            self.sizes.append(len(requests))
            if any(one.content == b"kills" for pictures in requests for one in pictures):
                self.deaths += 1
                lost = [answer for _, waiting in self.held for answer in waiting]
                self.held.clear()
                for answer in lost:
                    answer.set_exception(ActorDiedError())
                return
            self.held.pop(0)
            for answer in answers:
                answer.set_result([{"faces": []}])


@pytest.mark.parametrize("killers", [1, 3])
def test_only_the_request_that_ends_its_replica_is_lost(killers: int) -> None:
    replica = FakeReplica()
    contents = [*[b"kills"] * killers, *[b"good"] * 12]
    contents[1], contents[-1] = contents[-1], contents[1]

    async def ask() -> list[Any]:
        backend = Replicas(replica, "app", 60)  # type: ignore[arg-type]
        asked = [backend.predict(request(content)) for content in contents]
        return await asyncio.gather(*asked, return_exceptions=True)

    found = asyncio.run(ask())
    for content, answer in zip(contents, found, strict=True):
        if content == b"kills":
            assert isinstance(answer, UnavailableError) and "4 replicas ended" in str(answer)
        else:
            assert answer == [{"faces": []}]
    assert replica.deaths <= 4 * killers


def test_requests_are_still_predicted_together_where_nothing_dies() -> None:
    replica = FakeReplica()

    async def ask() -> list[Any]:
        backend = Replicas(replica, "app", 60)  # type: ignore[arg-type]
        return await asyncio.gather(*[backend.predict(request(b"good")) for _ in range(12)])

    assert len(asyncio.run(ask())) == 12
    assert replica.sizes == [4, 4, 4]


def test_replicas_are_counted_once_for_all_who_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def running(app: str) -> int:
        asked.append(app)
        time.sleep(0.1)
        return 2

    monkeypatch.setattr(deployment, "running", running)

    async def ask() -> list[int]:
        backend = Replicas(FakeReplica(), "app", 60)  # type: ignore[arg-type]
        return await asyncio.gather(*[backend.replicas() for _ in range(50)])

    assert asyncio.run(ask()) == [2] * 50
    assert asked == ["app"]


class _Slow:
    """A recogniser that counts how many threads use it at once."""

    def __init__(self) -> None:
        self.now = self.most = self.calls = 0

    def recognise(self, requests: list[Request]) -> list[list[dict[str, Any]]]:
        self.calls += 1
        self.now += 1
        self.most = max(self.most, self.now)
        time.sleep(0.05)
        self.now -= 1
        return [[] for _ in requests]


def test_a_cancelled_request_leaves_the_model_to_its_thread() -> None:
    replica = object.__new__(deployment.ModelReplica)
    slow = replica._recogniser = _Slow()  # type: ignore[assignment]
    replica._metrics = SimpleNamespace(observe=lambda *_: None)  # type: ignore[assignment]

    async def ask() -> list[Any]:
        replica._working = asyncio.Lock()
        asked = [asyncio.create_task(replica.predict_alone(request(b"x"))) for _ in range(3)]
        await asyncio.sleep(0.02)
        asked[0].cancel()
        return await asyncio.gather(*asked, return_exceptions=True)

    cancelled, *answered = asyncio.run(ask())
    assert isinstance(cancelled, asyncio.CancelledError) and answered == [[], []]
    assert (slow.calls, slow.most) == (3, 1)


def test_replicas_ask_ray_for_what_they_use() -> None:
    settings = ServiceSettings(model="m", replicas=3, cpus=1.5, gpus=0.5)
    application = deployment.model_application(settings, deployment.Located(where="m"))
    made = application._bound_deployment
    assert made.ray_actor_options == {"num_cpus": 1.5, "num_gpus": 0.5}
    assert made.num_replicas == 3 and settings.recognising.gpus == 0.5


def failing(fails: bytes) -> Callable[[Sequence[Sequence[Upload]]], list[list[dict[str, Any]]]]:
    def recognise(requests: Sequence[Sequence[Upload]]) -> list[list[dict[str, Any]]]:
        if any(one.content == fails for pictures in requests for one in pictures):
            raise RuntimeError("wrong shape")
        return [[{"faces": [], "of": one.content} for one in pictures] for pictures in requests]

    return recognise


def test_an_error_in_one_request_is_not_one_of_its_batch() -> None:
    requests = [request(b"a"), request(b"fails"), [], request(b"b")]
    first, second, third, fourth = apart(failing(b"fails"), requests)
    assert first == [{"faces": [], "of": b"a"}] and fourth == [{"faces": [], "of": b"b"}]
    assert isinstance(second, RuntimeError) and third == []
    calls: list[int] = []

    def counted(requests: Sequence[Sequence[Upload]]) -> list[list[dict[str, Any]]]:
        calls.append(len(requests))
        return failing(b"none")(requests)

    assert len(apart(counted, requests)) == 4 and calls == [4]
