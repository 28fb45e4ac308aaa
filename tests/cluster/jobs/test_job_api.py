"""The job API's client: what it sends, and one clear message for whatever goes wrong."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from job_server import Script, serving

from fer_tune.cluster import dashboard
from fer_tune.cluster.dashboard import TooLarge, Unreachable, dashboard_url
from fer_tune.cluster.job_api import JobApi
from fer_tune.cluster.ssh.token import local_token
from fer_tune.errors import EnvironmentFault
from fer_tune.storage import without_secrets

ID = "one-20261127-0312"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of its own, and no word of Ray in the environment."""
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@contextmanager
def answering(words: bytes) -> Iterator[str]:
    """A server that says ``words`` to whoever connects, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):  # the test is over
                while True:
                    connection, _ = server.accept()
                    with connection:
                        connection.recv(4096)
                        connection.sendall(words)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(5)


@pytest.mark.parametrize(
    ("given", "means"),
    [
        ("127.0.0.1:8265", "http://127.0.0.1:8265"),
        ("https://ray.example.org/", "https://ray.example.org"),
        ("http://head:8265/base/", "http://head:8265/base"),
        ("http://head:8265/#/jobs/one", "http://head:8265"),  # as a browser shows it
    ],
)
def test_a_dashboard_can_be_named_in_short(given: str, means: str) -> None:
    assert dashboard_url(given) == means


@pytest.mark.parametrize(
    "given", ["auto", "ray://head:10001", "head:6379", "http://", "http://x:y", "127.0.0..1:8265"]
)
def test_other_addresses_of_ray_are_refused(given: str) -> None:
    with pytest.raises(EnvironmentFault, match="8265") as caught:
        dashboard_url(given)
    assert repr(without_secrets(given)) in str(caught.value)


def test_the_right_token_opens(home: Path) -> None:
    with serving(Script(token="abc")) as server:
        assert JobApi(server.address, "abc").ray_version() == "2.60.0"
        assert [job.id for job in JobApi(server.address, "abc").jobs()] == [ID]


@pytest.mark.parametrize(
    ("token", "said"),
    [(None, "requires a token, and none was found"), ("abd", "rejects the token")],
)
def test_no_token_and_a_wrong_one(token: str | None, said: str) -> None:
    with serving(Script(token="abc")) as server, pytest.raises(EnvironmentFault) as caught:
        JobApi(server.address, token).jobs()
    assert said in str(caught.value) and "abd" not in str(caught.value)
    assert not isinstance(caught.value, Unreachable)


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(Unreachable, match="Connection refused"):
        JobApi(f"http://127.0.0.1:{port}", None).jobs()


def test_no_such_machine() -> None:
    with pytest.raises(Unreachable, match="cannot be reached"):
        JobApi("http://no-such-machine.invalid:8265", None).jobs()


def test_no_answer_in_time() -> None:
    with serving(Script(stall_s=5)) as server, pytest.raises(Unreachable, match="in time"):
        JobApi(server.address, None, answer_s=0.2).jobs()


def test_a_connection_cut_before_the_answer() -> None:
    with answering(b"") as address, pytest.raises(Unreachable, match="cannot be reached"):
        JobApi(address, None).jobs()


@pytest.mark.parametrize(
    "words",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n<html>hi</html>",
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ],
)
def test_something_else_that_answers(words: bytes) -> None:
    with answering(words) as address, pytest.raises(EnvironmentFault, match="not a Ray dashboard"):
        JobApi(address, None).jobs()


@pytest.mark.parametrize("words", [b'{"version":"1"}', b'["a list here"]'])
def test_another_service_with_a_version_of_its_own(words: bytes) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n" + words
    with answering(answer) as address, pytest.raises(EnvironmentFault, match="not a Ray dashboard"):
        JobApi(address, None).ray_version()


ASKED: dict[str, Callable[[JobApi], object]] = {
    "jobs": JobApi.jobs,
    "ids": JobApi.ids,
    "find": lambda api: api.find("one"),
    "job": lambda api: api.job(ID),
    "log": lambda api: api.log(ID),
    "stop": lambda api: api.stop(ID),
    "version": JobApi.ray_version,
}
SHAPES = ("[1]", "[[]]", "[{}]", "{}", "null", "5", '"x"', '[{"submission_id": ["x"]}]')
SHAPES += ('{"logs": 5}', '{"stopped": "x"}', '{"submission_id": {}}', '{"ray_version": []}')


@pytest.mark.parametrize("words", SHAPES)
@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
def test_json_of_another_shape(asked: Callable[[JobApi], object], words: str) -> None:
    answer = f"HTTP/1.1 200 OK\r\nContent-Length: {len(words)}\r\n\r\n{words}".encode()
    with (
        answering(answer) as address,
        pytest.raises(EnvironmentFault, match="not a Ray dashboard"),
    ):
        asked(JobApi(address, None))


def test_an_answer_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboard, "ANSWER_BYTES", 1024**2)
    answer = b"HTTP/1.1 200 OK\r\n\r\n" + b" " * (1024**2 + 1)
    with answering(answer) as address, pytest.raises(TooLarge, match="more than 1 MiB"):
        JobApi(address, None).jobs()


def test_an_error_without_end() -> None:
    answer = b"HTTP/1.1 500 Oh\r\n\r\n" + b"x" * (1024**2 + 1)
    with (
        answering(answer) as address,
        pytest.raises(EnvironmentFault, match="status 500: the error text has more than 1 MiB"),
    ):
        JobApi(address, None).jobs()


def test_an_answer_that_is_cut_in_its_midst() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[]"
    with answering(answer) as address, pytest.raises(Unreachable):
        JobApi(address, None).jobs()


def test_an_error_that_is_cut_in_its_midst() -> None:
    answer = b"HTTP/1.1 500 Oh\r\nContent-Length: 100\r\n\r\nno room"
    with answering(answer) as address, pytest.raises(EnvironmentFault, match="status 500"):
        JobApi(address, None).jobs()


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_gateway_whose_dashboard_is_unavailable_for_a_moment(status: int) -> None:
    with serving(Script(refuse=(status, 1))) as server:
        api = JobApi(server.address, None)
        with pytest.raises(Unreachable, match=f"status {status}"):
            api.jobs()
        assert api.jobs()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_nothing_is_sent_on_to_another_address(status: int) -> None:
    """Neither the token, nor a POST that would become a GET on its way."""
    with serving(Script()) as another:
        location = f"{another.address}/api/version".encode()
        answer = b"HTTP/1.1 %d On\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n"
        with (
            answering(answer % (status, location)) as address,
            pytest.raises(EnvironmentFault, match="redirects to") as caught,
        ):
            JobApi(address, "abc").ray_version()
    assert f"{another.address}." in str(caught.value) and "abc" not in str(caught.value)


def test_an_error_reports_the_last_line_of_its_traceback() -> None:
    with serving(Script(refuse=(500, 1))) as server, pytest.raises(EnvironmentFault) as caught:
        JobApi(server.address, None).jobs()
    assert "status 500: ValueError: no room" in str(caught.value)
    assert "somewhere" not in str(caught.value)


def test_a_job_that_is_not_there() -> None:
    with serving(Script()) as server:
        api = JobApi(server.address, None)
        with pytest.raises(EnvironmentFault, match="--resume"):
            api.job("another")
        with pytest.raises(EnvironmentFault, match=ID):
            api.find("another")
        assert api.find("one").id == ID


def test_what_is_sent(tmp_path: Path) -> None:
    file = tmp_path / "p.zip"
    file.write_bytes(b"whatever" * 1000)
    with serving(Script()) as server:
        api = JobApi(server.address, None)
        assert not api.has_package("p.zip")
        api.put_package("p.zip", file)
        assert api.has_package("p.zip")
        api.submit(
            entrypoint="true",
            id="x",
            metadata={"a": "b"},
            working_dir="gcs://p.zip",
            environment={"E": "1"},
        )
    assert server.packages == {"p.zip": file.read_bytes()}
    assert server.submitted == [
        {
            "entrypoint": "true",
            "submission_id": "x",
            "metadata": {"a": "b"},
            "runtime_env": {"working_dir": "gcs://p.zip", "env_vars": {"E": "1"}},
            "entrypoint_num_cpus": 0,
        }
    ]


def test_a_proxy_is_not_asked_for_the_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with serving(Script()) as server:
        assert JobApi(server.address, None).ray_version() == "2.60.0"


def test_the_token_is_found_where_ray_looks(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert local_token() is None
    (home / ".ray").mkdir()
    (home / ".ray/auth_token").write_text("from-home\n")
    assert local_token() == "from-home"
    (home / "elsewhere").write_text(" from-path ")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(home / "elsewhere"))
    assert local_token() == "from-path"
    monkeypatch.setenv("RAY_AUTH_TOKEN", "from-variable")
    assert local_token() == "from-variable"
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert local_token() is None


def test_a_token_file_that_is_not_there(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(home / "none"))
    with pytest.raises(EnvironmentFault, match="RAY_AUTH_TOKEN_PATH"):
        local_token()


def test_a_token_that_no_header_can_hold_is_not_repeated(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", "two\nlines")
    with pytest.raises(EnvironmentFault) as caught:
        local_token()
    assert "lines" not in str(caught.value)
