"""A Ray that a search starts serves nobody else: no other address, no other user, no request
without its token."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import grpc
import pytest

from benchmarks.killing.processes import descendants, title
from fer_tune.errors import EnvironmentFault
from fer_tune.tuning.options import SearchOptions
from fer_tune.tuning.raytune import local_ray
from fer_tune.tuning.raytune.local_ray import check_private, private_ray, ray_folder
from fer_tune.tuning.raytune.runtime import RayConnection, ray_connection
from tests.tuning.apart import apart
from tests.tuning.listening import Listener, family, is_anothers, listeners

NOBODY = 65534
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

    def test_another_user_is_denied_and_sees_neither_files_nor_token(
        self, running: Running, tmp_path: Path
    ) -> None:
        _needs_root()
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


@pytest.mark.ray
@pytest.mark.slow
def test_every_ray_has_a_token_of_its_own_and_leaves_the_environment_as_it_was() -> None:
    first, second, changed = apart(_two_sessions)
    assert len(first) == len(second) == 64 and first != second
    assert changed == {}


def _two_sessions() -> tuple[str, str, dict[str, str | None]]:
    import ray  # before the variables are set: Ray reads some of them on import

    os.environ["RAY_AUTH_MODE"] = "disabled"  # what the user says does not open it
    os.environ["RAY_AUTH_TOKEN_PATH"] = "/nonexistent"
    before = dict(os.environ)
    seen = []
    for _ in range(2):
        with ray_connection(SearchOptions(cpus=1, dashboard=False)):
            inside = ray.get(ray.remote(lambda: dict(os.environ)).remote())
            assert inside["RAY_AUTH_MODE"] == "token"
            assert all(found.address.is_loopback for found in listeners())
            seen.append(inside["RAY_AUTH_TOKEN"])
    ours = {*before, "RAY_AUTH_TOKEN", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"}
    changed = {name: now for name in ours if (now := os.environ.get(name)) != before.get(name)}
    return seen[0], seen[1], changed


STARTING = """
from rich.console import Console
from fer_tune.tuning.raytune.runtime import ray_connection
from fer_tune.tuning.options import SearchOptions

with ray_connection(SearchOptions(cpus=1, dashboard=False), Console(width=200)):
    print("Ray is up")
"""


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_while_ray_starts_is_answered_at_once_and_leaves_nothing_behind(
    presses: int,
) -> None:
    driver = subprocess.Popen(
        [sys.executable, "-c", STARTING],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert driver.stdout is not None
    while not any("gcs_server" in title(pid) for pid in descendants(driver.pid)):
        assert driver.poll() is None
        time.sleep(0.05)
    below = descendants(driver.pid)
    os.killpg(driver.pid, signal.SIGINT)
    assert driver.stdout.readline().startswith("interrupted: Ray is still starting")
    if presses == 2:
        os.killpg(driver.pid, signal.SIGINT)
        assert driver.wait(30) == -signal.SIGINT
    rest, _ = driver.communicate(timeout=120)
    assert driver.returncode == -signal.SIGINT
    assert "Ray is up" not in rest and "Check failed" not in rest
    deadline = time.monotonic() + 30
    while any("ray" in title(pid) or "gcs_server" in title(pid) for pid in below):
        assert time.monotonic() < deadline, [title(pid) for pid in below]
        time.sleep(0.1)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a path that is short enough for Ray."""
    monkeypatch.setattr(local_ray, "_LONGEST", 200)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    return tmp_path


def test_a_ray_that_would_listen_elsewhere_is_not_used() -> None:
    check_private({"node_ip_address": "127.0.0.1"})
    check_private({"node_ip_address": "::1"})
    with pytest.raises(EnvironmentFault, match="loopback") as caught:
        check_private({"node_ip_address": "192.0.2.7"})
    assert caught.value.value == "192.0.2.7"


def test_a_ray_of_the_users_own_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    stopped: list[bool] = []
    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    monkeypatch.setattr(ray, "shutdown", lambda: stopped.append(True))
    context = SimpleNamespace(gcs_address="127.0.0.1:6379")
    monkeypatch.setattr(ray, "get_runtime_context", lambda: context)
    before = dict(os.environ)
    with (
        pytest.raises(EnvironmentFault, match=r"already uses Ray.*--address 127\.0\.0\.1:6379"),
        ray_connection(SearchOptions(cpus=1)),
    ):
        pass
    assert not stopped
    assert os.environ.get("RAY_AUTH_MODE") == before.get("RAY_AUTH_MODE")


def test_a_folder_that_was_open_is_closed(temporary: Path) -> None:
    folder = ray_folder().parent
    folder.mkdir(mode=0o755)
    with private_ray() as given:
        assert given == ray_folder() and given.is_relative_to(temporary)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("kind", ["link", "file", "open", "foreign"])
def test_a_folder_that_another_may_have_made_is_refused(temporary: Path, kind: str) -> None:
    folder = ray_folder().parent
    if kind == "link":
        (temporary / "elsewhere").mkdir()
        folder.symlink_to(temporary / "elsewhere")
    elif kind == "file":
        folder.touch()
    else:
        folder.mkdir()
        (folder / "file").touch()
        folder.chmod(0o777 if kind == "open" else 0o700)
        if kind == "foreign":
            _needs_root()
            os.chown(folder, NOBODY, NOBODY)
    with pytest.raises(EnvironmentFault, match="RAY_TMPDIR") as caught, private_ray():
        pass
    assert caught.value.where == str(folder)


def test_a_long_temporary_folder_gives_way_and_one_that_was_named_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    long = "/tmp/" + "long-name-" * 9
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setenv("TMPDIR", long)
    assert ray_folder() == Path(f"/tmp/ft-{os.getuid()}/r")
    monkeypatch.setenv("RAY_TMPDIR", long)
    with pytest.raises(EnvironmentFault, match="too long") as caught, private_ray():
        pass
    assert caught.value.value == long


def test_the_longest_folder_still_takes_a_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    base = Path("/tmp") / ("x" * (local_ray._LONGEST - len("/tmp/")))
    monkeypatch.setenv("RAY_TMPDIR", str(base))
    path = ray_folder() / local_ray._SOCKET
    assert len(str(path)) == 107
    monkeypatch.setenv("RAY_TMPDIR", f"{base}x")
    with pytest.raises(EnvironmentFault, match="too long"), private_ray():
        pass
