"""Reading results folders at every stage, foreign ones included."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from fake_search import CLASSES, Plan, write

import analysis
from fer_tune.errors import ResultsError
from fer_tune.records import Results

ROOT = Path(__file__).resolve().parents[3]


def test_search_and_confirmation_stand_apart(tmp_path: Path) -> None:
    search = analysis.load(write(tmp_path, Plan(trials=12, seeds=5)))
    assert search.arms == ("densenet161", "resnet152")
    assert search.classes == CLASSES
    assert len(search.trials) == 24
    assert len(search.confirmations) == 10
    assert set(search.trials["cohort"]) == {"tpe"}
    assert set(search.floors["arm"]) == {"majority", "logistic_regression"}
    assert set(search.predictions["arm"]) == set(search.arms)
    assert (search.unit, search.metric_column) == ("seed", "best_val_macro_f1")


def test_chosen_are_the_frozen_choices_or_the_best_so_far(tmp_path: Path) -> None:
    done = analysis.load(write(tmp_path / "done", Plan(replicates=2)))
    open_ = analysis.load(write(tmp_path / "open", Plan(replicates=2, confirmed=False)))
    assert open_.manifest["choices"] == []
    assert done.chosen == open_.chosen
    assert all(len(numbers) == 2 for numbers in done.chosen.values())
    states = done.trials.set_index("trial")["state"]
    assert {states[n] for ns in done.chosen.values() for n in ns} <= {"complete", "overfit"}


def test_running_trials_are_those_without_an_end(tmp_path: Path) -> None:
    write(tmp_path, Plan(confirmed=False, state="running"))
    who = {"trial": 99, "arm": "resnet152", "replicate": 0, "cohort": "tpe"}
    rows = [{**who, "epoch": e, "val_loss": 1.0} for e in (1, 2)]
    Results(tmp_path).append("epochs", rows, part="all")
    running = analysis.load(tmp_path).running
    assert running[["trial", "epochs"]].to_numpy().tolist() == [[99, 2]]


def test_empty_folder_of_a_search_that_just_began(tmp_path: Path) -> None:
    Results(tmp_path).write_manifest({"state": "running", "name": "young"})
    search = analysis.load(tmp_path)
    assert search.arms == ()
    assert search.trials.empty and search.epochs.empty and search.predictions.empty
    assert search.replicates == 1


def test_foreign_folder_is_told_plainly(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="not a results folder"):
        analysis.load(tmp_path)


def test_predictions_of_another_search_are_refused(tmp_path: Path) -> None:
    write(tmp_path, Plan(), classes=list(CLASSES[:-1]))
    with pytest.raises(ResultsError, match="class that the manifest does not list"):
        analysis.write_report(tmp_path)


BLOCKED = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "ray", "torchvision"):
            raise ImportError(f"{name} is blocked")
sys.meta_path.insert(0, Block())
"""


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", code, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_report_needs_neither_torch_nor_ray(tmp_path: Path) -> None:
    write(tmp_path, Plan(pictures=120))
    code = f"{BLOCKED}\nfrom analysis.__main__ import main\nsys.exit(main(sys.argv[1:]))"
    done = run(code, str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "VERDICT: better" in done.stdout
    assert (tmp_path / "report" / "report.html").exists()


def test_import_is_light() -> None:
    heavy = ("pandas", "matplotlib", "scipy", "jinja2", "pyarrow", "numpy")
    done = run(f"import sys, analysis; print([m for m in {heavy!r} if m in sys.modules])")
    assert done.stdout.strip() == "[]", done.stderr


def test_reading_does_without_matplotlib(tmp_path: Path) -> None:
    write(tmp_path, Plan(pictures=120))
    code = "import sys, analysis; analysis.load(sys.argv[1]); print('matplotlib' in sys.modules)"
    assert run(code, str(tmp_path)).stdout.strip() == "False"


def test_user_fault_prints_one_message_and_exits_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from analysis.__main__ import main

    assert main([str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "not a results folder" in captured.err
