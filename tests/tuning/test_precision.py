"""The precision of a search is chosen once and recorded."""

from __future__ import annotations

import os
import threading
import time
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from fer_tune.records import Results
from fer_tune.training.device.precision import PrecisionChoice
from fer_tune.tuning import precision as module
from fer_tune.tuning.options import SearchOptions
from fer_tune.tuning.precision import search_precision
from fer_tune.tuning.raytune.nodes import waiting
from fer_tune.tuning.raytune.runtime import ray_connection
from tests.lean_ray import lean_ray
from tests.tuning.apart import apart
from tests.tuning.conftest import make_space


@pytest.fixture
def results(tmp_path: Path) -> Results:
    found = Results(tmp_path)
    found.write_manifest({"state": "running"})
    return found


def found(results: Results, *, resumed: bool, precision: str = "auto") -> str:
    space = make_space(precision=precision)
    return search_precision(space, results, Console(quiet=True), resumed=resumed, joined=False)


def test_it_is_recorded_and_a_resume_on_another_processor_uses_it(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice = PrecisionChoice(precision="bfloat16", reason="it is faster", seconds={"float32": 2.0})
    monkeypatch.setattr(module, "choose_precision", lambda *args, **more: choice)
    assert found(results, resumed=False) == "bfloat16"
    assert results.manifest()["precision"] == {
        "chosen": "bfloat16",
        "reason": "it is faster",
        "seconds": {"float32": 2.0},
    }
    other = PrecisionChoice(precision="float32", reason="no bfloat16")
    monkeypatch.setattr(module, "choose_precision", lambda *args, **more: other)
    assert found(results, resumed=True) == "bfloat16"
    assert found(results, resumed=False) == "bfloat16"  # killed before its first session began


def test_a_search_without_a_record_is_older_and_goes_on_as_it_began(results: Results) -> None:
    assert found(results, resumed=True) == "auto"
    assert results.manifest().get("precision") is None


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_precision_that_the_user_names_is_kept(results: Results, precision: str) -> None:
    assert found(results, resumed=False, precision=precision) == precision
    assert results.manifest().get("precision") is None


@lean_ray()
def on_a_busy_cluster(folder: Path) -> dict[str, Any]:
    """The measurement where other work holds the only CPU, until that is reported."""
    os.environ["RAY_AUTH_MODE"] = "disabled"
    import ray
    from ray.cluster_utils import Cluster as RayCluster

    waiting.FIRST_S = waiting.POLL_INTERVAL_S = module.POLL_INTERVAL_S = 0.5
    cluster = RayCluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
    )
    out = StringIO()

    @ray.remote(num_cpus=1)
    class Other:
        def is_there(self) -> bool:
            return True

    def end_other() -> None:
        deadline = time.monotonic() + 60
        while "waiting" not in out.getvalue() and time.monotonic() < deadline:
            time.sleep(0.1)
        ray.kill(other)

    results = Results(folder)
    results.write_manifest({"state": "running"})
    try:
        with ray_connection(SearchOptions(address=cluster.address)):
            other: Any = Other.remote()
            ray.get(other.is_there.remote())
            thread = threading.Thread(target=end_other)
            thread.start()
            found = search_precision(
                make_space(precision="auto", resources={"cpu": 1, "gpu": 0}),
                results,
                Console(file=out, width=300),
                resumed=False,
                joined=True,
            )
            thread.join()
    finally:
        cluster.shutdown()
    return {"precision": found, "console": out.getvalue(), "manifest": results.manifest()}


@pytest.mark.ray
@pytest.mark.slow
def test_the_wait_for_a_busy_machine_is_reported(tmp_path: Path) -> None:
    found = apart(on_a_busy_cluster, tmp_path)
    assert "waiting for 1 CPU on one machine, which other work on this Ray" in found["console"]
    assert "the wait for resources is over" in found["console"]
    assert found["precision"] == found["manifest"]["precision"]["chosen"]
