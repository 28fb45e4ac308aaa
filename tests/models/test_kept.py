"""Kept models on disk: complete, checked, and never run code."""

from __future__ import annotations

import hashlib
import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from fer_tune.errors import ModelError
from fer_tune.models.card_file import CARD, CARD_TEXT, WEIGHTS, read_card
from fer_tune.models.kept import open_model
from tests.models.kept_files import cut, make_model

ROOT = Path(__file__).resolve().parents[2]
PICTURES = torch.randint(0, 256, (3, 1, 32, 32), dtype=torch.uint8)


def change_card(folder: Path, **changes: Any) -> None:
    card = json.loads((folder / CARD).read_text())
    (folder / CARD).write_text(json.dumps({**card, **changes}))


def change_weights(folder: Path, **changes: torch.Tensor | None) -> None:
    """Other tensors, with a checksum that fits."""
    state = load_file(folder / WEIGHTS) | {n: t for n, t in changes.items() if t is not None}
    save_file({n: t for n, t in state.items() if changes.get(n, t) is not None}, folder / WEIGHTS)
    resign(folder)


def resign(folder: Path) -> None:
    change_card(folder, sha256=hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest())


def refusal(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        open_model(folder)
    text = str(caught.value)
    assert str(folder) in text and "\n" not in text
    return text


def test_it_comes_back_as_it_was(tmp_path: Path) -> None:
    network = cut()
    kept = open_model(make_model(tmp_path / "model", network))
    network.tail.eval()
    with torch.no_grad():
        assert torch.equal(kept.network(PICTURES), network.tail(network.prefix(PICTURES)))
    assert kept.card.classes[0] == "angry" and kept.card.temperature == 1.5
    assert not any(p.requires_grad for p in kept.network.parameters())
    text = (tmp_path / "model" / CARD_TEXT).read_text()
    assert "0.5100" in text and "Do not use it for decisions about people" in text


def test_a_truncated_or_changed_file_is_refused(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "model")
    content = (folder / WEIGHTS).read_bytes()
    flipped = content[:-1] + bytes([content[-1] ^ 1])
    for other in (content[:-100], flipped, b"", pickle.dumps({"weights": 1})):
        (folder / WEIGHTS).write_bytes(other)
        assert "SHA-256 should begin with" in refusal(folder)
    (folder / WEIGHTS).unlink()
    assert f"no {WEIGHTS} here" in refusal(folder)


def test_loading_never_runs_code(tmp_path: Path) -> None:
    """Not even a pickle with a checksum that fits."""

    class Evil:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "ran",))

    folder = make_model(tmp_path / "model")
    for content in (pickle.dumps(Evil()), b"\x00" * 64, b"PK\x03\x04"):
        (folder / WEIGHTS).write_bytes(content)
        resign(folder)
        assert "is not a safetensors file" in refusal(folder)
    torch.save(Evil(), folder / WEIGHTS)
    resign(folder)
    assert "is not a safetensors file" in refusal(folder)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema_version": 2}, "Update fer-tune to read it"),
        ({"schema_version": "1"}, "schema version '1'"),
        ({"schema_version": None}, "schema version None"),
        ({"schema_version": True}, "schema version True"),
        ({"schema_version": 1.0}, "schema version 1.0"),
        ({"classes": ["angry", "happy"]}, "for 2 classes"),
        ({"classes": ["angry", "angry"]}, "must not name a class twice"),
        ({"classes": []}, "classes must have at least 2 items"),
        ({"backbone": "resnet34"}, "contradicts card.json: these weights do not fit resnet34"),
        ({"backbone": "alexnet"}, "unknown backbone"),
        ({"temperature": 0.0}, "temperature must be above 0"),
        ({"temperature": "1"}, "temperature must be a number"),
        ({"sha256": "00"}, "sha256"),
        ({"preprocessing": None}, "preprocessing must be a mapping"),
        ({"scores": {}}, "scores.validation_macro_f1 is missing"),
        ({"arm": "../../etc"}, "arm must be 1 to 64 letters"),
    ],
)
def test_a_card_that_is_wrong_or_contradicts_the_weights_is_refused(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    folder = make_model(tmp_path / "model")
    change_card(folder, **change)
    assert words in refusal(folder)


def test_cards_that_are_not_json_or_not_there(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "model")
    for content in (b"", b"{", b"[1]", b"\xff\xfe", b"[" * 100_000):
        (folder / CARD).write_bytes(content)
        refusal(folder)
    (folder / CARD).unlink()
    assert "not a model folder" in refusal(folder)
    with pytest.raises(ModelError, match="not a model folder"):
        read_card(tmp_path / "nowhere")


def test_weights_that_are_not_the_cards_network_are_refused(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "model")
    head = load_file(folder / WEIGHTS)["fc.weight"]
    nan = torch.full_like(head, torch.nan)
    for changes, words in (
        ({"fc.weight": nan}, "tensor fc.weight has values that are not finite"),
        ({"fc.weight": head.to(torch.int8)}, "tensor fc.weight is not float32"),
        (
            {"fc.weight": head.to(torch.bfloat16)},
            "fc.weight is not float32 (got 'bfloat16')",
        ),
        ({"fc.weight": head.to(torch.float8_e4m3fn)}, "tensor fc.weight is not float32"),
        ({"fc.weight": head.to(torch.float8_e5m2)}, "tensor fc.weight is not float32"),
        (
            {"fc.weight": head, "bn1.num_batches_tracked": torch.zeros(())},
            "tensor bn1.num_batches_tracked is not int64",
        ),
        ({"fc.weight": head[:, :5].contiguous()}, "its head should have"),
        ({"fc.weight": head, "fc.bias": None}, "its head should have"),
        ({"fc.bias": torch.zeros(6), "more": torch.zeros(1)}, "1 unknown (more)"),
        ({"more": None, "conv1.weight": None}, "1 missing (conv1.weight)"),
    ):
        change_weights(folder, **changes)
        assert words in refusal(folder)


def test_cards_are_read_without_torch(tmp_path: Path) -> None:
    """Listing models would take seconds with it."""
    folder = make_model(tmp_path / "model")
    program = (
        "import sys, pathlib\n"
        "from fer_tune.models.card_file import read_card\n"
        "print(read_card(pathlib.Path(sys.argv[1])).arm, 'torch' in sys.modules)"
    )
    command = [sys.executable, "-c", program, str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["resnet18", "False"]
