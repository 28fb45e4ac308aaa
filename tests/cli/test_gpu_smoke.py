"""`fer-tune doctor --gpu`: the whole of it on the CPU, and what it says where there is no GPU."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch
from rich.console import Console

from fer_tune.cli.doctor import gpu_smoke
from fer_tune.cli.doctor.gpu_sharing import kept_to_share
from fer_tune.cli.doctor.gpu_smoke import CudaMemory, NotShown, at_the_same_time
from fer_tune.errors import EnvironmentFault
from fer_tune.training.device.gpu_share import GpuShare
from tests.lean_ray import lean_ray
from tests.undrawn import undrawn


@pytest.mark.ray
@pytest.mark.slow
@lean_ray()
@undrawn()
def test_search_sharing_and_report_on_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("mixed_precision", "smaller_batches", "end_of_memory"):
        monkeypatch.setattr(gpu_smoke, name, lambda *_: "shown elsewhere")
    monkeypatch.setattr(gpu_smoke, "FACES", "synthetic:120")
    monkeypatch.setattr(gpu_smoke, "EPOCHS", 2)
    out = io.StringIO()
    code = gpu_smoke.prove(
        tmp_path / "smoke", Console(file=out, width=200), device="cpu", gpu=0, memory=CudaMemory()
    )
    output = out.getvalue()
    assert code == 0, output
    assert "search           8 of 8 runs complete" in output
    assert "two runs trained at the same time on the CPU" in output
    assert "6 of 6 passed in" in output
    assert (tmp_path / "smoke/results/report/report.html").exists()


def test_a_failed_step_is_reported_and_the_next_one_runs(tmp_path: Path) -> None:
    def unshown() -> str:
        raise NotShown("the loss is nan")

    def broken() -> str:
        raise RuntimeError("CUDA error: no kernel image\nfor this device")

    out = io.StringIO()
    console = Console(file=out, width=200)
    states = [
        gpu_smoke._run_step(name, step, tmp_path, console)
        for name, step in {"one": unshown, "two words": broken, "three": lambda: "1.5"}.items()
    ]
    assert states == [False, False, True]
    lines = out.getvalue().splitlines()
    assert lines[0].split() == ["FAILED", "one", "the", "loss", "is", "nan"]
    assert "CUDA error: no kernel image (" in lines[1]
    assert "RuntimeError" in (tmp_path / "two-words.txt").read_text()
    assert lines[2].split() == ["passed", "three", "1.5"]


def test_runs_one_after_the_other_share_nothing() -> None:
    import pandas as pd

    runs = pd.DataFrame({"started": [0.0, 5.0, 9.0], "seconds": [5.0, 3.0, 1.0]})
    assert at_the_same_time(runs) == 0.0
    runs.loc[1, "started"] = 4.0
    assert at_the_same_time(runs) == 1.0


def test_runs_that_exceed_their_share_are_reported() -> None:
    import pandas as pd

    share = GpuShare(gpu=0.5, total=8 * 2**30)
    runs = pd.DataFrame({"peak_reserved_mib": [100.0, 3000.0]})
    shown = kept_to_share(runs, share, 430 * 2**20)
    assert shown == "runs held up to 3000 MiB beside a context of 430 MiB"
    with pytest.raises(NotShown, match="for which 700 MiB are left"):
        kept_to_share(runs, share, 701 * 2**20)
    for held in (3397.0, float("nan")):
        runs.loc[0, "peak_reserved_mib"] = held
        runs.loc[1, "peak_reserved_mib"] = held
        with pytest.raises(NotShown, match="the limit of a share is 3396 MiB"):
            kept_to_share(runs, share, 430 * 2**20)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so() -> None:
    with pytest.raises(EnvironmentFault, match="no GPU that torch can use"):
        gpu_smoke.smoke(None, Console())


def test_a_folder_that_is_not_empty_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    (tmp_path / "mine").write_text("")
    with pytest.raises(EnvironmentFault, match="not empty"):
        gpu_smoke.smoke(tmp_path, Console())
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
