"""How a local Ray starts: with a token of its own, on the loopback, and given up by Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks.processes import descendants, title
from fer_tune.errors import EnvironmentFault
from fer_tune.tuning.options import SearchOptions
from fer_tune.tuning.raytune.local_ray import check_private
from fer_tune.tuning.raytune.runtime import ray_connection
from tests.lean_ray import lean_ray
from tests.tuning.apart import apart
from tests.tuning.listening import listeners
from tests.warm import WarmProcess

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.ray
@pytest.mark.slow
def test_every_ray_has_a_token_of_its_own_and_leaves_the_environment_as_it_was() -> None:
    first, second, changed = apart(_two_sessions)
    assert len(first) == len(second) == 64 and first != second
    assert changed == {}


@lean_ray()
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


def _starting(out: Path, *, is_forked: bool) -> WarmProcess | subprocess.Popen[bytes]:
    """A process that starts a Ray; one that is not forked also ends as Python does."""
    module = "tests.tuning.raytune.ray_starting"
    if is_forked:
        return WarmProcess(module, (), os.environ, out)
    code = f"from {module} import start; start()"
    with out.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=ROOT,
        )


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_while_ray_starts_is_answered_at_once_and_leaves_nothing_behind(
    presses: int, tmp_path: Path
) -> None:
    out = tmp_path / "out.txt"
    driver = _starting(out, is_forked=presses == 2)
    deadline = time.monotonic() + 200
    while not any("gcs_server" in title(pid) for pid in descendants(driver.pid)):
        assert driver.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    below = descendants(driver.pid)
    os.killpg(driver.pid, signal.SIGINT)
    while "\n" not in (text := out.read_text()):
        assert driver.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    assert text.startswith("interrupted: Ray is still starting")
    if presses == 2:
        os.killpg(driver.pid, signal.SIGINT)
        assert driver.wait(30) == -signal.SIGINT
    assert driver.wait(120) == -signal.SIGINT
    rest = out.read_text()
    assert "Ray is up" not in rest and "Check failed" not in rest
    deadline = time.monotonic() + 30
    while any("ray" in title(pid) or "gcs_server" in title(pid) for pid in below):
        assert time.monotonic() < deadline, [title(pid) for pid in below]
        time.sleep(0.1)


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
