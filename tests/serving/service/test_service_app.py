"""What the service answers, without replicas and without a network."""

from __future__ import annotations

import asyncio
import time

import httpx
import pytest

from fer_tune.serving.service.answers import HealthAnswer, ModelAnswer, PredictAnswer
from fer_tune.serving.service.backend import BusyError, UnavailableError
from fer_tune.serving.service.limits import Limits
from tests.serving.service.fakes import JPEG, TOKEN, Service, chunks

SMALL = Limits(body_bytes=1_000, body_seconds=0.2, all_bodies_bytes=2_500, pictures=3, waiting=4)
MULTIPART = {"Content-Type": "multipart/form-data; boundary=b"}


def part(name: str, content: str, filename: str | None = "a.png") -> str:
    of_file = f'; filename="{filename}"' if filename is not None else ""
    return f'--b\r\nContent-Disposition: form-data; name="{name}"{of_file}\r\n\r\n{content}\r\n'


def test_a_picture_is_answered() -> None:
    service = Service()
    answer = service.predict(b"encoded")
    found = PredictAnswer.model_validate(answer.json())
    assert (
        answer.status_code == 200 and found.model == service.ask("GET", "/model").json()["sha256"]
    )
    assert [one.picture for one in found.pictures] == ["picture 1"]
    assert [[one.content for one in request] for request in service.backend.seen] == [[b"encoded"]]


def test_several_pictures_keep_their_names_and_order() -> None:
    service = Service()
    files = [("pictures", (name, b"x" + name.encode(), "image/png")) for name in ("b.png", "ä.png")]
    answer = service.ask("POST", "/predict", files=files)
    assert [one["picture"] for one in answer.json()["pictures"]] == ["b.png", "ä.png"]
    assert [one.content for one in service.backend.seen[0]] == [b"xb.png", "xä.png".encode()]


def test_a_name_cannot_fake_a_line() -> None:
    service = Service()
    answer = service.ask("POST", "/predict", files={"a": ("x\u202e" + "y" * 300, b"z")})
    name = answer.json()["pictures"][0]["picture"]
    assert name.startswith("x\\u202ey") and len(name) == 200


def test_one_unreadable_picture_does_not_hide_the_others() -> None:
    files = [("a", ("a", b"bad")), ("a", ("b", b"good"))]
    answer = Service().ask("POST", "/predict", files=files)
    assert answer.status_code == 200
    assert [one["error"] for one in answer.json()["pictures"]] == ["not an image", None]


REFUSED = {
    "a form": (415, "the body must be pictures", {"headers": {}, "content": b"a=1"}),
    "json": (415, "the body must be pictures", {"json": {"a": 1}}),
    "compressed": (
        415,
        "Content-Encoding is not accepted",
        {"headers": {**JPEG, "Content-Encoding": "gzip"}, "content": b"x"},
    ),
    "too large": (413, "larger than 0.000953674 MiB", {"headers": JPEG, "content": b"x" * 1_001}),
    "nothing": (400, "no picture in the body", {"headers": JPEG, "content": b""}),
    "no boundary": (
        400,
        "not a valid multipart/form-data body",
        {"headers": {"Content-Type": "multipart/form-data"}, "content": b"x"},
    ),
    "no parts": (
        400,
        "not a valid multipart/form-data body",
        {"headers": MULTIPART, "content": b"random bytes --b--"},
    ),
    "an unfinished part": (
        400,
        "its end is missing",
        {"headers": MULTIPART, "content": part("a", "half")[:-2].encode()},
    ),
    "a part without a head": (
        400,
        "not a valid multipart/form-data body",
        {"headers": MULTIPART, "content": b"--b\r\n\r\nx\r\n--b--\r\n"},
    ),
    "a field and no file": (
        400,
        "no picture in the body",
        {"headers": MULTIPART, "content": (part("a", "x", None) + "--b--\r\n").encode()},
    ),
    "more pictures than allowed": (
        413,
        "more than 3 pictures",
        {"headers": MULTIPART, "content": (part("a", "x") * 4 + "--b--\r\n").encode()},
    ),
    "more fields than allowed": (
        400,
        "not a valid multipart/form-data body",
        {"headers": MULTIPART, "content": (part("a", "x", None) * 4 + "--b--\r\n").encode()},
    ),
    "no readable picture": (
        422,
        "cannot be read: picture 1: not an image",
        {"headers": JPEG, "content": b"bad"},
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_each_bad_request_has_one_clear_answer(case: str) -> None:
    status, sentence, request = REFUSED[case]
    service = Service(SMALL)
    answer = service.ask("POST", "/predict", **request)
    assert answer.status_code == status and set(answer.json()) == {"error"}
    assert answer.json()["error"].startswith(sentence) or sentence in answer.json()["error"]
    assert service.load.bodies.used == service.load.waiting.used == 0
    assert service.observed == [("/predict", status)]


def test_other_methods_and_addresses() -> None:
    service = Service()
    assert (answer := service.ask("GET", "/predict")).status_code == 405
    assert answer.headers["Allow"] == "POST" and "takes POST" in answer.json()["error"]
    assert (answer := service.ask("GET", "/nothing")).status_code == 404
    assert "no such address" in answer.json()["error"]
    assert service.ask("POST", "/model").status_code == 405


def test_a_body_without_a_length_is_read_no_further_than_allowed() -> None:
    service, sent = Service(SMALL), []

    async def once() -> httpx.Response:
        async with service.client() as client:
            return await client.post("/predict", content=chunks(50, 400, sent), headers=JPEG)

    assert asyncio.run(once()).status_code == 413
    # httpx asks for a body in advance by one piece at most.
    assert sum(sent) <= 1_600 and service.load.bodies.peak <= 1_000 and not service.backend.seen


def test_a_slow_body_is_given_up() -> None:
    service, sent = Service(SMALL), []

    async def once() -> httpx.Response:
        async with service.client() as client:
            return await client.post("/predict", content=chunks(90, 1, sent, 0.05), headers=JPEG)

    began = time.monotonic()
    answer = asyncio.run(once())
    assert answer.status_code == 408 and "within 0.2 seconds" in answer.json()["error"]
    assert time.monotonic() - began < 3 and service.load.bodies.used == 0


def test_a_client_that_leaves_gives_its_bytes_back() -> None:
    service = Service(SMALL)
    messages = [{"type": "http.request", "body": b"x" * 300, "more_body": True}]
    messages.append({"type": "http.disconnect"})

    async def receive() -> dict[str, object]:
        return messages.pop(0)

    async def send(message: object) -> None:
        raise AssertionError(message)

    headers = [(b"content-type", b"image/png")]
    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": headers}
    asyncio.run(service.gateway(scope, receive, send))
    assert service.load.bodies.peak == 300 and service.load.bodies.used == 0
    assert service.observed == [("/predict", 499)] and not service.backend.seen


def test_two_hundred_clients_at_once_get_answers_or_quick_refusals() -> None:
    """No queue grows: what exceeds the limit is refused while the accepted ones still wait."""
    service = Service(SMALL)
    service.backend.open.clear()

    async def all_of_them() -> list[httpx.Response]:
        async with service.client() as client:
            asking = [
                asyncio.create_task(client.post("/predict", content=b"x" * 100, headers=JPEG))
                for _ in range(200)
            ]
            while sum(task.done() for task in asking) < 196:
                await asyncio.sleep(0.01)
            assert service.load.waiting.used == 4
            service.backend.open.set()
            return await asyncio.gather(*asking)

    answers = asyncio.run(asyncio.wait_for(all_of_them(), 20))
    refused = [answer for answer in answers if answer.status_code == 503]
    assert sorted(answer.status_code for answer in answers) == [200] * 4 + [503] * 196
    assert all(answer.headers["Retry-After"] == "1" for answer in refused)
    assert len(service.backend.seen) == 4
    assert service.load.bodies.peak <= 2_500
    assert service.load.waiting.used == service.load.bodies.used == 0


def test_a_full_service_refuses_before_it_reads_a_body() -> None:
    service, sent = Service(SMALL), []
    service.load.waiting.take(4)

    async def once() -> httpx.Response:
        async with service.client() as client:
            return await client.post("/predict", content=chunks(5, 100, sent), headers=JPEG)

    assert asyncio.run(once()).status_code == 503
    assert service.load.bodies.peak == 0


def test_all_bodies_together_are_bounded() -> None:
    service = Service(SMALL)
    service.load.bodies.take(2_000)
    answer = service.predict(b"x" * 600)
    assert answer.status_code == 503 and "receiving as much as it may" in answer.json()["error"]
    assert service.load.bodies.used == 2_000


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (BusyError(), 503, "the replicas have as much work as they may have"),
        (UnavailableError("no answer of a replica in 120 s"), 503, "no answer of a replica"),
        (RuntimeError("secret words"), 500, "an error of the service"),
    ],
)
def test_errors_of_the_replicas(error: Exception, status: int, sentence: str) -> None:
    service = Service()
    service.backend.error = error
    answer = service.predict()
    assert answer.status_code == status and sentence in answer.json()["error"]
    assert "secret" not in answer.text and ("Retry-After" in answer.headers) == (status == 503)
    assert service.load.waiting.used == service.load.bodies.used == 0


def test_health_says_whether_a_replica_runs() -> None:
    service = Service()
    assert HealthAnswer.model_validate(service.ask("GET", "/healthz").json()).replicas == 1
    service.backend.count = 0
    answer = service.ask("GET", "/healthz")
    assert answer.status_code == 503 and answer.json()["status"] == "no replica is running"


def test_the_model_says_what_it_must_not_be_used_for() -> None:
    found = ModelAnswer.model_validate(Service().ask("GET", "/model").json())
    assert found.classes == ["angry", "happy", "sad"] and any(
        "Do not use" in x for x in found.limits
    )


def test_metrics_are_passed_on() -> None:
    answer = Service().ask("GET", "/metrics")
    assert answer.text.startswith("ray_fer_tune_requests")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")


def test_the_schema_describes_every_address() -> None:
    found = Service(token=TOKEN).ask("GET", "/openapi.json").json()
    assert set(found["paths"]) == {"/predict", "/model", "/healthz", "/metrics"}
    predict = found["paths"]["/predict"]["post"]
    assert {"image/jpeg", "image/*", "multipart/form-data"} <= set(
        predict["requestBody"]["content"]
    )
    answers = predict["responses"]
    assert {"200", "400", "401", "408", "413", "415", "422", "503"} <= set(answers)
    shape = answers["200"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    assert set(found["components"]["schemas"][shape]["properties"]) == {"model", "pictures"}


def test_nothing_but_health_and_schema_is_answered_without_the_token() -> None:
    service = Service(token=TOKEN)
    wrong = [{}, {"Authorization": TOKEN}, {"Authorization": f"Bearer {TOKEN}x"}]
    wrong += [{"Authorization": "Bearer "}, {"Authorization": "Bearer é".encode()}]
    wrong += [{"Authorization": f"Basic {TOKEN}"}]
    for path in ("/predict", "/model", "/metrics", "/nothing"):
        for headers in wrong:
            answer = service.ask("GET", path, headers=headers)
            assert answer.status_code == 401 and TOKEN not in answer.text
            assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert service.predict().status_code == 401 and not service.backend.seen
    assert service.predict(Authorization=f"Bearer {TOKEN}").status_code == 200
    assert service.ask("GET", "/healthz").status_code == 200
    assert service.ask("GET", "/openapi.json").status_code == 200


def test_a_page_on_the_web_cannot_name_this_machine() -> None:
    """DNS rebinding: a browser sends the page's own name, whatever address it leads to."""
    service = Service(local=True)
    for name in ("evil.example", "evil.example:8000", "127.0.0.1.evil.example", "[::2]:80"):
        answer = service.ask("GET", "/model", headers={"Host": name})
        assert answer.status_code == 403 and "127.0.0.1" in answer.json()["error"]
    for name in ("localhost:8000", "127.0.0.1", "[::1]:8000", "LOCALHOST"):
        assert service.ask("GET", "/model", headers={"Host": name}).status_code == 200
    assert Service().ask("GET", "/model", headers={"Host": "a.example"}).status_code == 200


def test_a_prefix_of_a_proxy_changes_no_limit() -> None:
    """Serve's proxies leave the prefix of an application in the path."""
    service = Service(SMALL, token=TOKEN)
    transport = httpx.ASGITransport(service.gateway, root_path="/fer")

    async def once(path: str, content: bytes, headers: dict[str, str]) -> int:
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return (await client.post(path, content=content, headers=headers)).status_code

    right = {**JPEG, "Authorization": f"Bearer {TOKEN}"}
    assert asyncio.run(once("/fer/predict", b"x", JPEG)) == 401
    assert asyncio.run(once("/fer/predict", b"x", right)) == 200
    assert asyncio.run(once("/fer/predict", b"x" * 1_001, right)) == 413
    assert service.load.bodies.peak == 1
