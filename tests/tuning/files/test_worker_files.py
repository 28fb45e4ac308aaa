"""Dataset and weights go to the nodes of a cluster that lack them, once each."""

from __future__ import annotations

import functools
import json
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from fer_tune.data import PackedDataset
from fer_tune.space import SearchSpace
from fer_tune.training.learning_curve import EpochReport
from fer_tune.tuning.files import file_server as file_servers
from fer_tune.tuning.files.file_server import FileServer, files_of
from fer_tune.tuning.files.node_cache import Kind
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.raytune.callback import DriverCallback
from fer_tune.tuning.raytune.replay import Recording, ReplayedRun
from fer_tune.tuning.settings import WorkerSettings
from tests.lean_ray import lean_ray
from tests.tuning.apart import apart
from tests.tuning.conftest import make_space
from tests.tuning.recorded_stage import play_runs

EPOCHS = 3


def space_with(weights: Path) -> SearchSpace:
    return make_space(
        budget={"trials": 8, "max_epochs": EPOCHS}, weights=str(weights / "{backbone}.pt")
    )


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    folder = tmp_path / "weights"
    folder.mkdir()
    for name in ("densenet161", "resnet152"):
        (folder / f"{name}.pt").write_bytes(name.encode() * 9000)
    return folder


def test_weights_travel_under_names_that_a_folder_is_searched_for(
    faces: PackedDataset, weights: Path
) -> None:
    files = files_of(space_with(weights), faces)
    assert set(files["weights"]) == {"densenet161.pth", "resnet152.pth"}
    assert set(files["dataset"]) == {"dataset.json", "index.parquet", "pixels.bin"}
    assert all(path.is_file() for paths in files.values() for path in paths.values())
    assert files_of(make_space(), faces)["weights"] == {}


# -- on a cluster -------------------------------------------------------------------------------


class OpeningRun(ReplayedRun):
    """A recorded run that opens dataset and weights as training does, and notes what it saw.

    Its second epoch waits until so many nodes have opened them.
    """

    def __init__(
        self, notes: Path, nodes: int, settings: WorkerSettings, assignment: Assignment
    ) -> None:
        import ray

        from fer_tune.training.inputs import data_of  # torch, which the file server does without

        super().__init__(quick, settings, assignment)
        self._notes, self._nodes = notes, nodes
        context = settings.context
        dataset, split = data_of(context)
        file = Path(context.weights.replace("{backbone}", assignment.config.backbone))
        if file.is_dir():
            file = file / f"{assignment.config.backbone}.pth"
        seen = {
            "node": ray.get_runtime_context().get_node_id(),
            "pid": os.getpid(),
            "dataset": context.dataset,
            "pixels": int(sum(dataset.picture(int(i)).sum() for i in split.train)),
            "weights": str(file),
            "right_weights": file.read_bytes() == assignment.config.backbone.encode() * 9000,
        }
        with notes.open("a") as out:
            out.write(json.dumps(seen) + "\n")

    def run_epoch(self) -> EpochReport | None:
        deadline = time.monotonic() + 120
        while self.curve.epoch == 1 and len({s["node"] for s in read(self._notes)}) < self._nodes:
            assert time.monotonic() < deadline, "the other node does not come"
            time.sleep(0.1)
        return super().run_epoch()


def read(notes: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in notes.read_text().splitlines()]


def quick(run: Assignment) -> Recording:
    return Recording(values=[0.1, 0.2, 0.3])


class CountingFileServer(FileServer):
    """Notes which files it was asked for."""

    def chunks(self, kind: Kind, name: str) -> list[Any]:
        with Path(os.environ["DEPOT_NOTES"]).open("a") as out:
            out.write(f"{name}\n")
        return super().chunks(kind, name)


class Joining(DriverCallback):
    """A node that joins with the first report."""

    def __init__(self, join: Any) -> None:
        self._join: Any = join

    def on_trial_result(self, **info: Any) -> None:
        if self._join is not None:
            self._join()
            self._join = None


@lean_ray()
def searched(folder: Path, data: Path, weights: Path) -> dict[str, Any]:
    """Four searches on a cluster: on an early and a late node, again, after damage, in place."""
    os.environ |= {"RAY_AUTH_MODE": "disabled", "DEPOT_NOTES": str(folder / "asked.txt")}
    from ray.cluster_utils import Cluster

    from fer_tune.tuning.options import SearchOptions
    from fer_tune.tuning.raytune.runtime import ray_connection

    file_servers.FileServer = CountingFileServer  # type: ignore[misc]
    dataset, space = PackedDataset.open(data), space_with(weights)
    hidden = {"dataset": "/nowhere/faces", "weights": "/nowhere/{backbone}.pt"}
    here = {"dataset": str(data), "weights": space.weights}
    common = {"fingerprint": dataset.fingerprint}
    # The dashboard would be ten processes that nobody looks at.
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
    )
    found: dict[str, Any] = {"pixels": sum_of_training(dataset, space)}

    def join(name: str, cpus: int) -> None:
        cache = {"FER_TUNE_CACHE": str(folder / name)}
        cluster.add_node(num_cpus=cpus, env_vars=cache)

    def played(
        name: str, count: int, nodes: int, where: dict[str, str], *callbacks: Any
    ) -> dict[str, Any]:
        notes = folder / f"{name}.jsonl"
        (folder / "asked.txt").write_text("")
        results = play_runs(
            space,
            folder / name,
            count,
            functools.partial(OpeningRun, notes, nodes),
            asked=4,
            callbacks=list(callbacks),
            file_server=file_server,
            **common,
            **where,
        )
        return {
            "seen": read(notes),
            "asked": Counter((folder / "asked.txt").read_text().split()),
            "states": results.read("trials")["state"].tolist(),
        }

    try:
        join("early", 2)
        with ray_connection(SearchOptions(address=cluster.address)):
            file_server = file_servers.start_file_server(space, dataset, chunk=50_000)
            found["first"] = played("first", 10, 2, hidden, Joining(lambda: join("late", 1)))
            found["again"] = played("again", 2, 1, hidden)
            (victim,) = (folder / "early").glob("dataset-*/pixels.bin")
            content = bytearray(victim.read_bytes())
            content[-1] ^= 255
            victim.write_bytes(content)
            found["damaged"] = played("damaged", 4, 2, hidden)
            found["in place"] = played("in-place", 2, 1, here)
    finally:
        cluster.shutdown()
    return found


def sum_of_training(dataset: PackedDataset, space: SearchSpace) -> int:
    from fer_tune.tuning.settings import splits_of

    return int(sum(dataset.picture(int(i)).sum() for i in splits_of(space, dataset).train))


@pytest.mark.ray
@pytest.mark.slow
def test_every_node_gets_its_copy_once_and_uses_what_it_has(
    faces: PackedDataset, weights: Path, tmp_path: Path
) -> None:
    found = apart(searched, tmp_path, faces.root, weights, within_s=280.0)
    for name, searched_once in found.items():
        if name == "pixels":
            continue
        assert set(searched_once["states"]) == {"complete"}, name
        assert {s["pixels"] for s in searched_once["seen"]} == {found["pixels"]}
        assert all(s["right_weights"] for s in searched_once["seen"])

    first = found["first"]
    by_node = Counter(s["node"] for s in first["seen"])
    assert len(by_node) == 2 and sum(by_node.values()) == 10, "the late node had a share"
    assert len({s["pid"] for s in first["seen"]}) >= 3, "two processes shared the early node's"
    wanted = ("dataset.json", "index.parquet", "pixels.bin", "densenet161.pth", "resnet152.pth")
    assert first["asked"] == dict.fromkeys(wanted, 2), "once for each of two nodes"
    assert not found["again"]["asked"]
    damaged = found["damaged"]
    assert {s["node"] for s in damaged["seen"]} == set(by_node), "a search on both nodes again"
    # Of all that both nodes have, the early one's dataset alone is brought once more.
    assert damaged["asked"] == dict.fromkeys(wanted[:3], 1), "replaced where it was bad"
    assert not found["in place"]["asked"]
    assert {s["dataset"] for s in found["in place"]["seen"]} == {str(faces.root)}
    for node in ("early", "late"):
        copies = [path.name.partition("-")[0] for path in (tmp_path / node).glob("[!.]*")]
        assert sorted(copies) == ["dataset", "weights"]
