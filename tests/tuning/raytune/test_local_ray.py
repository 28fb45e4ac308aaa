"""A Ray that a search starts serves nobody else: no other address, no other user, no request
without its token."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import grpc
import pytest

from fer_tune.tuning.options import SearchOptions
from fer_tune.tuning.raytune.local_ray import ray_folder
from fer_tune.tuning.raytune.runtime import RayConnection, ray_connection
from tests.other_user import NOBODY, needs_root
from tests.tuning.listening import Listener, family, is_anothers, listeners

#: One call of every service that Ray's processes offer, besides the check of their health.
CALLS = (
    "/ray.rpc.InternalKVGcsService/InternalKVKeys",
    "/ray.rpc.NodeManagerService/GetNodeStats",
    "/ray.rpc.ObjectManagerService/Pull",
    "/ray.rpc.CoreWorkerService/PushTask",
    "/ray.rpc.ReporterService/GetTraceback",
)
#: Paths that answer without a token: the page that asks for it, and measurements.
METRICS = "# HELP"


class Running(NamedTuple):
    engine: RayConnection
    token: str
    listeners: list[Listener]
    commands: str
    folder: Path


@pytest.fixture(scope="module", params=[True, False], ids=["dashboard", "no dashboard"])
def running(request: pytest.FixtureRequest) -> Iterator[Running]:
    others = set(listeners())  # servers that earlier tests of this process have started
    with ray_connection(SearchOptions(cpus=1, dashboard=request.param)) as engine:
        import ray

        ray.get(ray.remote(lambda: None).remote())  # a worker listens, too
        token = os.environ["RAY_AUTH_TOKEN"]
        yield Running(engine, token, _settled(others), _commands(), ray_folder())


def _settled(others: set[Listener]) -> list[Listener]:
    """Ray's sockets, once all its processes are there and nothing has been added for 3 s."""
    before, quiet = [], 0
    for _ in range(60):
        time.sleep(1)
        now = [found for found in listeners() if found not in others]
        quiet = quiet + 1 if len(now) == len(before) else 0
        if quiet >= 3 and len(now) >= 8:
            return now
        before = now
    raise AssertionError(f"Ray does not come to rest: {before}")


def _commands() -> str:
    found = []
    for pid in family():
        try:
            found.append(Path(f"/proc/{pid}/cmdline").read_bytes())
        except OSError:
            continue
    return b"\n".join(found).replace(b"\0", b" ").decode()


@pytest.mark.ray
@pytest.mark.slow
class TestRunning:
    def test_all_that_listens_does_so_on_the_loopback(self, running: Running) -> None:
        assert len(running.listeners) >= 8
        assert [found for found in running.listeners if not found.address.is_loopback] == []

    def test_another_address_of_this_machine_is_refused(self, running: Running) -> None:
        address = _own_address()
        for found in running.listeners:
            try:
                socket.create_connection((address, found.port), timeout=5).close()
            except ConnectionRefusedError:
                continue
            # Another Ray of this machine may have the same port, at this address alone.
            assert is_anothers(address, found.port)

    def test_no_http_server_takes_a_job_without_the_token(
        self, running: Running, tmp_path: Path
    ) -> None:
        marker = tmp_path / "ran"
        answers = {}
        for found in running.listeners:
            for path in ("/api/job_agent/jobs/", "/api/jobs/"):
                answer = _post(found.port, path, f'{{"entrypoint": "touch {marker}"}}')
                if answer is not None:
                    answers[found.port, path] = answer
        assert set(answers.values()) <= {401, 405}  # 405: it knows nothing but GET
        denied = {port for (port, _), status in answers.items() if status == 401}
        # The runtime environments' agent, the dashboard, and the node's agent if its port was free.
        assert len(denied) >= (2 if running.engine.dashboard else 1)
        time.sleep(1)
        assert not marker.exists()

    def test_what_answers_without_the_token_are_measurements_and_the_page_that_asks_for_it(
        self, running: Running
    ) -> None:
        texts = [text for found in running.listeners if (text := _get(found.port))]
        pages = [text for text in texts if not text.startswith(METRICS)]
        assert len(texts) > len(pages)
        assert len(pages) == (1 if running.engine.dashboard else 0)
        assert running.token not in "".join(texts)

    def test_no_service_answers_a_call_without_the_token_or_with_another(
        self, running: Running
    ) -> None:
        for token in (None, "0" * 64):
            codes = _calls(running.listeners, token)
            assert set(codes.values()) <= {"UNAUTHENTICATED", "UNIMPLEMENTED"}
            denied = {call for (_, call), code in codes.items() if code == "UNAUTHENTICATED"}
            assert denied == set(CALLS)

    def test_the_token_is_what_opens_them(self, running: Running) -> None:
        codes = _calls(running.listeners, running.token)
        assert "UNAUTHENTICATED" not in codes.values()
        assert "OK" in codes.values()

    @needs_root
    def test_another_user_is_denied_and_sees_neither_files_nor_token(
        self, running: Running, tmp_path: Path
    ) -> None:
        engine, agent = running.engine, _agent(running)
        assert engine.token_file is not None
        marker = Path("/tmp") / f"fer_tune-test-{os.getpid()}"
        body = f'{{"entrypoint": "touch {marker}"}}'
        request = (
            f"POST /api/job_agent/jobs/ HTTP/1.0\\r\\nContent-Type: application/json\\r\\n"
            f"Content-Length: {len(body)}\\r\\n\\r\\n{body}"
        )
        script = (
            f"exec 3<>/dev/tcp/127.0.0.1/{agent}; printf '{request}' >&3; head -n 1 <&3; "
            f"cat {engine.token_file}; ls {running.folder}; cat /proc/{os.getpid()}/environ"
        )
        done = subprocess.run(
            ["bash", "-c", script], user=NOBODY, group=NOBODY, extra_groups=[], cwd="/",
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert "401" in done.stdout and running.token not in done.stdout
        assert done.stderr.count("Permission denied") == 3, done.stderr
        assert not marker.exists()

    def test_the_token_is_in_no_command_line_and_its_file_is_this_users_alone(
        self, running: Running
    ) -> None:
        assert "gcs_server" in running.commands and running.token not in running.commands
        file = running.engine.token_file
        assert file is not None and file.read_text().strip() == running.token
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(running.folder.parent.stat().st_mode) == 0o700
        assert file.is_relative_to(running.folder)


def _own_address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: asks which address it would go from
        except OSError:
            pytest.skip("this machine has no address but the loopback's")
        return str(probe.getsockname()[0])


def _post(port: int, path: str, body: str) -> int | None:
    """The status of the answer; None from what speaks no HTTP."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}",
        data=body.encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return None
    except Exception as error:  # http.client has no common root with OSError
        assert type(error).__module__ == "http.client", error
        return None


def _get(port: int) -> str:
    """What a server answers to anybody; empty if it denies, or speaks no HTTP."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return ""
    except Exception as error:
        assert isinstance(error, OSError) or type(error).__module__ == "http.client", error
        return ""


def _calls(found: list[Listener], token: str | None) -> dict[tuple[int, str], str]:
    """The code of every call at every port that speaks gRPC."""
    metadata = [("authorization", f"Bearer {token}")] if token else []
    codes = {}
    for port in {one.port for one in found}:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            for name in CALLS:
                call = channel.unary_unary(
                    name, request_serializer=bytes, response_deserializer=bytes
                )
                try:
                    call(b"", timeout=10, metadata=metadata)
                    code = "OK"
                except grpc.RpcError as error:
                    code = error.code().name
                if code == "UNAVAILABLE":
                    break  # no gRPC here
                codes[port, name] = code
    return codes


def _agent(running: Running) -> int:
    """The port of the agent that starts jobs."""
    ports = [one.port for one in running.listeners]
    answers = {port: _post(port, "/api/job_agent/jobs/", "{}") for port in ports}
    return next(port for port, status in answers.items() if status == 401)


def _needs_root() -> None:
    if os.getuid() != 0:
        pytest.skip("only root can become another user")
