"""`fer-tune doctor --gpu`: the whole of it on the CPU, and what it says where there is no GPU."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch
from rich.console import Console

from fer_tune.cli import smoke
from fer_tune.errors import EnvironmentFault
from fer_tune.training.smoke import CudaMemory, NotShown


@pytest.mark.ray
@pytest.mark.slow
def test_search_sharing_and_report_on_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("mixed_precision", "smaller_batches", "end_of_memory"):
        monkeypatch.setattr(smoke, name, lambda *_: "shown elsewhere")
    monkeypatch.setattr(smoke, "FACES", "synthetic:120")
    out = io.StringIO()
    code = smoke.prove(
        tmp_path / "smoke", Console(file=out, width=200), device="cpu", gpu=0, memory=CudaMemory()
    )
    told = out.getvalue()
    assert code == 0, told
    assert "search           8 of 8 runs complete" in told
    assert "two runs trained at the same time on the CPU" in told
    assert "6 of 6 shown in" in told
    assert (tmp_path / "smoke/results/report/report.html").exists()


def test_what_fails_is_told_and_the_next_step_goes_on(tmp_path: Path) -> None:
    def unshown() -> str:
        raise NotShown("the loss is nan")

    def broken() -> str:
        raise RuntimeError("CUDA error: no kernel image\nfor this device")

    out = io.StringIO()
    console = Console(file=out, width=200)
    states = [
        smoke._told(name, step, tmp_path, console)
        for name, step in {"one": unshown, "two words": broken, "three": lambda: "1.5"}.items()
    ]
    assert states == [False, False, True]
    lines = out.getvalue().splitlines()
    assert lines[0].split() == ["FAILED", "one", "the", "loss", "is", "nan"]
    assert "CUDA error: no kernel image (" in lines[1]
    assert "RuntimeError" in (tmp_path / "two-words.txt").read_text()
    assert lines[2].split() == ["shown", "three", "1.5"]


def test_runs_one_after_the_other_share_nothing() -> None:
    import pandas as pd

    from fer_tune.tuning.smoke import at_the_same_time

    runs = pd.DataFrame({"started": [0.0, 5.0, 9.0], "seconds": [5.0, 3.0, 1.0]})
    assert at_the_same_time(runs) == 0.0
    runs.loc[1, "started"] = 4.0
    assert at_the_same_time(runs) == 1.0


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so() -> None:
    with pytest.raises(EnvironmentFault, match="no GPU that torch can use"):
        smoke.smoke(None, Console())


def test_a_folder_that_is_not_empty_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    (tmp_path / "mine").write_text("")
    with pytest.raises(EnvironmentFault, match="not empty"):
        smoke.smoke(tmp_path, Console())
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
