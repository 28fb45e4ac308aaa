"""Event files of our own: TensorBoard reads them, also while they are written."""

from __future__ import annotations

import math
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboardX.summary import hparams

from fer_tune.tuning.monitor.event_file import EventFile


def read(folder: Path) -> Any:
    found = EventAccumulator(str(folder))
    found.Reload()
    return found


def test_values_are_read_while_the_file_is_open(tmp_path: Path) -> None:
    with EventFile(tmp_path, tmp_path / "a" / "0") as file:
        for step in (1, 2, 3):
            file.add_scalars({"loss/train": 1 / step, "run/images_per_s": step * 1e6}, step)
            seen = read(tmp_path / "a" / "0")
            assert [s.step for s in seen.Scalars("loss/train")] == list(range(1, step + 1))
        assert [s.value for s in seen.Scalars("run/images_per_s")] == [1e6, 2e6, 3e6]
        assert seen.Scalars("loss/train")[2].value == pytest.approx(1 / 3, rel=1e-6)
        for summary in hparams({"arm": "a", "depth": 3, "off": None}, {"best": math.nan}):
            file.add_summary(summary)
    metadata = read(tmp_path / "a" / "0").summary_metadata
    assert {"_hparams_/experiment", "_hparams_/session_start_info"} <= set(metadata)


def test_two_files_of_one_second_are_both_read(tmp_path: Path) -> None:
    for step in (1, 2):
        with EventFile(tmp_path, tmp_path / "a") as file:
            file.add_scalars({"x": step}, step)
    assert [s.step for s in read(tmp_path / "a").Scalars("x")] == [1, 2]


@pytest.mark.parametrize("lost", [1, 4, 9, 20, 30])
def test_a_torn_record_hides_only_itself(tmp_path: Path, lost: int) -> None:
    with EventFile(tmp_path, tmp_path / "a") as file:
        for step in (1, 2, 3):
            file.add_scalars({"x": step}, step)
    [path] = (tmp_path / "a").iterdir()
    os.truncate(path, path.stat().st_size - lost)
    assert [s.step for s in read(tmp_path / "a").Scalars("x")] == [1, 2]


def test_a_file_costs_no_thread(tmp_path: Path) -> None:
    before = threading.active_count()
    with EventFile(tmp_path, tmp_path / "a") as file:
        file.add_scalars({"x": 1.0}, 1)
        assert threading.active_count() == before
