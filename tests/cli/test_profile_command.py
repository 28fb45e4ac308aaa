"""`fer-tune profile` on a machine without a GPU; ``tests/profiling`` has a fake one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fer_tune.cli import profiling
from fer_tune.data import PackedDataset
from fer_tune.profiling.cases import Case
from fer_tune.profiling.proposal import Measured, Proposal
from tests.command_line import Run
from tests.docs.pages import json_rows
from tests.profiling.test_measuring import SPACE


def test_the_command_shows_a_table_or_json_and_says_what_the_cpu_cannot_tell(
    faces: PackedDataset, tmp_path: Path, run: Run
) -> None:
    file = tmp_path / "space.yaml"
    file.write_text(json.dumps(SPACE))
    words = ["profile", str(file), "--data", str(faces.root), "--steps", "1", "--cases", "2"]
    shown = run(*words)
    assert shown.code == 0, shown.err
    assert "resnet18" in shown.out and "the search space asks for no GPU" in shown.out
    found = json.loads(run(*words, "--json").out)
    assert list(found) == json_rows()["profile"]
    assert found["device"] == "cpu" and found["proposal"] is None
    assert [one["case"]["unfreeze_depth"] for one in found["cases"]] == [1]


CASE = Case(arm="resnet18", crop_size=48, unfreeze_depth=1, batch_size=32)


@pytest.mark.parametrize(
    ("proposal", "words"),
    [
        (Proposal(packing=4, gain=3.1, limit="busy"), ("resources.gpu: 1/4", "3.1 times", "wait")),
        (Proposal(packing=1, gain=1.0, limit="memory"), ("resources.gpu: 1.", "into its memory")),
        (Proposal(packing=0, gain=0.0, limit="memory"), ("Reduce crop_size",)),
    ],
)
def test_a_proposal_is_a_line_to_copy_with_its_reason(
    proposal: Proposal, words: tuple[str, ...]
) -> None:
    said = profiling._conclusion(proposal)
    assert all(word in said for word in words), said
    found = profiling._found([Measured(case=CASE)], proposal, "cuda")
    assert found["proposal"]["resources.gpu"] == proposal.share


def test_a_case_that_failed_shows_its_error() -> None:
    assert profiling._row(Measured(case=CASE, error="out of memory"))[4] == "out of memory"
