"""Class-activation maps point at the evidence, and are written where they should be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from fer_tune.errors import UserError
from fer_tune.models.network import Head, Normalise
from fer_tune.serving.explain import (
    Explanation,
    activation_map,
    explain,
    safe_name,
    write_explanation,
)
from fer_tune.serving.predictor import Predictor
from tests.serving.small_models import small_model

pytest.importorskip("captum", reason="explanations need captum")


class Bright(nn.Module):
    """Two channels: how bright each place is, and how dark."""

    def forward(self, seen: Tensor) -> Tensor:
        level = seen.mean(dim=1, keepdim=True)
        return torch.cat([level.relu(), (-level).relu()], dim=1)


def hand_made() -> nn.Sequential:
    """A network of which class 0 is the brightness of a picture, class 1 its darkness."""
    head = Head(2, 2, dropout=0.0)
    with torch.no_grad():
        head.linear.weight.copy_(torch.eye(2))
        head.linear.bias.zero_()
    stages = [Bright(), *(nn.AvgPool2d(2) for _ in range(3)), nn.Identity()]
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(Normalise(), *stages, pool, head).eval().requires_grad_(False)


def corner(value: int, rest: int, row: int, column: int, side: int = 32) -> Tensor:
    """A picture with one quarter of another tone."""
    picture = torch.full((1, 1, side, side), rest, dtype=torch.uint8)
    half = side // 2
    picture[:, :, row * half : (row + 1) * half, column * half : (column + 1) * half] = value
    return picture


def share(heat: np.ndarray, row: int, column: int) -> float:
    half = heat.shape[0] // 2
    quarter = heat[row * half : (row + 1) * half, column * half : (column + 1) * half]
    return float(quarter.sum() / heat.sum())


@pytest.mark.parametrize("row", [0, 1])
@pytest.mark.parametrize("column", [0, 1])
@pytest.mark.parametrize(("target", "value", "rest"), [(0, 255, 0), (1, 0, 255)])
def test_the_map_lies_on_the_evidence(
    row: int, column: int, target: int, value: int, rest: int
) -> None:
    heat, stage = activation_map(hand_made(), corner(value, rest, row, column), target)
    assert stage == "stage4" and heat.shape == (32, 32)
    assert share(heat, row, column) > 0.7
    assert heat.min() == 0 and heat.max() == 1


def test_without_evidence_the_map_is_empty() -> None:
    bright = torch.full((1, 1, 32, 32), 255, dtype=torch.uint8)
    assert not activation_map(hand_made(), bright, 1)[0].any()


def test_a_last_stage_of_one_place_is_replaced_by_an_earlier_one() -> None:
    whole = hand_made()
    whole[5] = nn.AdaptiveAvgPool2d(1)
    heat, stage = activation_map(whole, corner(255, 0, 0, 1), 0)
    assert stage == "stage3"
    assert share(heat, 0, 1) > 0.7


@pytest.mark.parametrize(
    ("name", "side", "stage"),
    [("resnet18", 96, "stage4"), ("resnet18", 32, "stage2"), ("densenet121", 48, "stage2")],
)
def test_stage_of_real_networks(name: str, side: int, stage: str) -> None:
    kept = small_model(name, crop=side)
    view = torch.randint(0, 256, (1, 1, side, side)).to(torch.uint8)
    heat, used = activation_map(kept.network, view, 0)
    assert used == stage
    assert heat.shape == (side, side) and (not heat.any() or heat.max() == 1)


def face(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (40, 50, 1), dtype=np.uint8)


def test_the_predicted_class_is_explained_or_the_named_one() -> None:
    predictor = Predictor(small_model("resnet18", crop=32), device="cpu")
    found = explain(predictor, face())
    assert found.expression == predictor.classes[predictor.logits([face()]).argmax()]
    other = explain(predictor, face(), "sad")
    assert other.expression == "sad"
    assert found.heat.dtype == np.float32 and 0 <= found.heat.min() <= found.heat.max() <= 1
    assert found.overlay.shape == (224, 224, 3) and found.overlay.dtype == np.uint8


def test_an_unknown_expression_lists_the_known() -> None:
    predictor = Predictor(small_model("resnet18", crop=32), device="cpu")
    with pytest.raises(UserError, match=r"'bored'.*happy, sad"):
        explain(predictor, face(), "bored")


# -- files ------------------------------------------------------------------------------------

PLAIN = Explanation(
    expression="sad",
    heat=np.zeros((8, 8), np.float32),
    stage="stage4",
    overlay=np.full((8, 8, 3), 7, np.uint8),
)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("face.jpg", "face.png"),
        ("folder/face.jpg", "face.png"),
        ("../../etc/passwd", "passwd.png"),
        ("/etc/cron.d/x.sh", "x.png"),
        ("..\\..\\boot.ini", "boot.png"),
        ("..", "picture.png"),
        (".hidden", "hidden.png"),
        ("", "picture.png"),
        ("a\nb\x1b[2J\0.png", "a_b__2J_.png"),
        ("Gesicht ä 顔.png", "Gesicht ä 顔.png"),
        ("\udcff.png", "_.png"),
        ("archive.tar.gz", "archive.tar.png"),
    ],
)
def test_names_stay_in_the_folder(tmp_path: Path, name: str, written: str) -> None:
    path = write_explanation(tmp_path / "new" / "out", name, PLAIN)
    assert path == tmp_path / "new" / "out" / written
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [path]
    with Image.open(str(path)) as image:
        assert image.size == (8, 8)


@pytest.mark.parametrize("name", ["x" * 5_000, "顔" * 2_000, "a." * 500])
def test_long_names_are_cut(tmp_path: Path, name: str) -> None:
    assert write_explanation(tmp_path, name, PLAIN).is_file()
    assert len(safe_name(name).encode()) <= 200


def test_names_that_are_taken_get_a_number(tmp_path: Path) -> None:
    outside = tmp_path / "outside.png"
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "face-2.png").symlink_to(outside)
    first = write_explanation(folder, "a/face.jpg", PLAIN)
    second = write_explanation(folder, "b/face.png", PLAIN)
    assert (first.name, second.name) == ("face.png", "face-3.png")
    assert not outside.exists()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        write_explanation(tmp_path / "file" / "out", "face.png", PLAIN)
