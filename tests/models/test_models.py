from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor, nn

from fer_tune.errors import WeightsError
from fer_tune.models.families import FAMILIES
from fer_tune.models.initial import calibrate, draw
from fer_tune.models.network import build, frozen_stages
from fer_tune.models.registry import Backbone, backbone
from fer_tune.models.weights import fetch, locate, read_state
from fer_tune.space.backbones import BACKBONES
from tests.models.smallest import SMALLEST


def cut(name: str, depth: int, state: dict[str, Tensor] | None = None):  # type: ignore[no-untyped-def]
    entry = backbone(name)
    state = draw(entry, 0) if state is None else state
    return build(entry, state, unfreeze_depth=depth, classes=6, dropout=0.0, seed=3)


def pictures(count: int = 4, side: int = 48) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 1, side, side), generator=generator).to(torch.uint8)


@pytest.mark.parametrize("name", BACKBONES)
def test_every_backbone_has_five_stages_that_make_up_the_whole(name: str) -> None:
    entry = backbone(name)
    with torch.device("meta"):
        model = entry.module()
    stages = entry.stages(model)
    assert len(stages) == 5
    held = {id(p) for stage in stages for p in stage.parameters()}
    body = {id(p) for n, p in model.named_parameters() if not n.startswith(entry.head_prefix)}
    assert held == body and "imagenet-v1" in entry.recipes


def test_every_family_is_tested() -> None:
    """By its smallest network, also where whole networks, features and exports are tested."""
    found = [backbone(name).family for name in SMALLEST]
    assert len(found) == len(FAMILIES) and all(family in found for family in FAMILIES)


@pytest.mark.parametrize("name", SMALLEST)
@pytest.mark.parametrize("depth", range(6))
def test_prefix_and_tail_make_the_uncut_network(name: str, depth: int) -> None:
    state = draw(backbone(name), 0)
    whole, parted = cut(name, 5, state), cut(name, depth, state)
    x = pictures()
    with torch.no_grad():
        expected = whole.tail.eval()(whole.prefix(x))
        found = parted.tail.eval()(parted.prefix(x))
    torch.testing.assert_close(found, expected)


def names_of(tail: nn.Sequential, name: str, depth: int) -> set[str]:
    """Which of the original modules' tensors the tail trains."""
    entry = backbone(name)
    with torch.device("meta"):
        model = entry.module()
    shapes = {n: p.shape for n, p in model.named_parameters()}
    stages = entry.stages(model)
    trained = {id(p) for stage in stages[5 - depth :] for p in stage.parameters()}
    return {n for n, p in model.named_parameters() if id(p) in trained and shapes[n] == p.shape}


def test_depth_one_of_a_densenet_trains_block_four_and_the_last_norm_alone() -> None:
    network = cut("densenet121", 1)
    trained = sum(p.numel() for p in network.backbone_parameters())
    with torch.device("meta"):
        features = backbone("densenet121").module().features  # type: ignore[union-attr]
    expected = [*features.denseblock4.parameters(), *features.norm5.parameters()]  # type: ignore[union-attr]
    assert trained == sum(p.numel() for p in expected)
    # transition3 halves 1024 channels: the prefix ends behind it.
    with torch.no_grad():
        assert network.prefix(pictures()).shape[1] == 512


@pytest.mark.parametrize("name", SMALLEST)
def test_depth_zero_trains_the_head_alone(name: str) -> None:
    network = cut(name, 0)
    assert network.backbone_parameters() == []
    assert network.prefix(pictures()).shape == (4, backbone(name).features)


@pytest.mark.parametrize("name", ["densenet161", "resnet152"])
def test_last_stage_maps_at_48_pixels(name: str) -> None:
    entry = backbone(name)
    network = cut(name, 1)
    with torch.no_grad():
        maps = network.tail[0](network.prefix(pictures(2)))
    side = {"densenet161": 1, "resnet152": 2}[name]
    assert maps.shape == (2, entry.features, side, side)


def test_the_prefix_is_frozen_and_the_tail_owns_its_tensors() -> None:
    state = draw(backbone("resnet18"), 0)
    before = {n: t.clone() for n, t in state.items()}
    network = cut("resnet18", 2, state)
    assert not any(p.requires_grad for p in network.prefix.parameters())
    assert not network.prefix.training
    optimiser = torch.optim.SGD(network.tail.parameters(), lr=0.1)
    network.tail.train()(network.prefix(pictures())).sum().backward()
    optimiser.step()
    assert all(torch.equal(state[n], before[n]) for n in state)
    moved = {n: p for n, p in network.tail.named_parameters() if p.grad is not None}
    assert len(moved) == len(list(network.tail.parameters()))


class Biased(Backbone):
    """A backbone whose convolutions have biases, as those of squeeze and excitation."""

    def module(self) -> nn.Module:
        parts = [nn.Sequential(nn.Conv2d(3, 3, 3, bias=True), nn.BatchNorm2d(3)) for _ in range(5)]
        return nn.Sequential(*parts)

    def empty_module(self) -> nn.Module:
        with torch.device("meta"):
            return self.module()

    def stages(self, model: nn.Module) -> list[nn.Sequential]:
        return list(model)  # type: ignore[arg-type]


def test_a_frozen_prefix_computes_in_one_dtype() -> None:
    entry = Biased(name="biased", family=FAMILIES[0], features=3, head_prefix="fc.", recipes={})
    frozen = frozen_stages(entry, entry.module().state_dict(), torch.bfloat16, torch.device("cpu"))
    assert {tensor.dtype for tensor in frozen[0][0].parameters()} == {torch.bfloat16}
    assert {tensor.dtype for tensor in frozen[0][1].parameters()} == {torch.float32}
    found = nn.Sequential(*frozen)(torch.ones(2, 3, 32, 32, dtype=torch.bfloat16))
    assert found.dtype is torch.bfloat16


def test_drawing_and_heads_follow_their_seeds() -> None:
    entry = backbone("resnet18")
    assert all(
        torch.equal(a, b)
        for a, b in zip(draw(entry, 1).values(), draw(entry, 1).values(), strict=True)
    )
    assert not torch.equal(draw(entry, 1)["conv1.weight"], draw(entry, 2)["conv1.weight"])

    def head(seed: int) -> Tensor:
        network = build(entry, draw(entry, 0), unfreeze_depth=0, classes=6, dropout=0.0, seed=seed)
        return network.head_parameters()[0]

    assert torch.equal(head(1), head(1)) and not torch.equal(head(1), head(2))


@pytest.mark.parametrize("name", SMALLEST)
def test_calibration_makes_eval_mode_agree_with_the_data(name: str) -> None:
    entry = backbone(name)
    x = pictures(64)
    raw = draw(entry, 0)
    autocast = torch.autocast("cpu", enabled=False)
    device = torch.device("cpu")
    tuned = calibrate(entry, raw, [x[:32], x[32:]], autocast=autocast, device=device)

    def spread(state: dict[str, Tensor]) -> float:
        with torch.no_grad():
            return float(cut(name, 0, state).prefix(x).std(dim=0).mean())

    uncalibrated, calibrated = spread(raw), spread(tuned)
    assert 0.05 < calibrated < 5
    assert not 0.3 < uncalibrated / calibrated < 3, "uncalibrated statistics would do as well"
    weights = next(name for name in raw if name.endswith("weight"))
    assert torch.equal(raw[weights], tuned[weights])


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_weights_from_a_file(tmp_path: Path, suffix: str) -> None:
    entry = backbone("resnet18")
    state = entry.module().state_dict()
    path = tmp_path / f"resnet18{suffix}"
    if suffix == ".pth":
        torch.save(state, path)
    else:
        save_file(state, path)
    for named in (str(path), str(tmp_path), str(tmp_path / ("{backbone}" + suffix))):
        assert locate(entry, named) == path
    read = read_state(path, entry)
    assert "fc.weight" not in read and torch.equal(read["conv1.weight"], state["conv1.weight"])


def test_old_densenet_names_are_read(tmp_path: Path) -> None:
    entry = backbone("densenet121")
    state = {
        n.replace("norm1", "norm.1")
        .replace("conv1", "conv.1")
        .replace("norm2", "norm.2")
        .replace("conv2", "conv.2"): t
        for n, t in entry.module().state_dict().items()
        if not n.endswith("num_batches_tracked")
    }
    torch.save(state, tmp_path / "old.pth")
    cut("densenet121", 1, read_state(tmp_path / "old.pth", entry))


@pytest.mark.parametrize("kind", ["garbage", "pickle", "other", "shape", "missing"])
def test_weights_that_do_not_fit_are_reported(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "w.pth"
    state = backbone("resnet18").module().state_dict()
    if kind == "garbage":
        path.write_bytes(b"no weights")
    elif kind == "pickle":
        torch.save(nn.Linear(2, 2), path)
    elif kind == "other":
        torch.save(backbone("resnet34").module().state_dict(), path)
    elif kind == "shape":
        torch.save({**state, "conv1.weight": torch.zeros(1)}, path)
    else:
        torch.save({n: t for n, t in state.items() if not n.startswith("layer1")}, path)
    with pytest.raises(WeightsError) as reported:
        read_state(path, backbone("resnet18"))
    assert str(path) in str(reported.value) and reported.value.remedy


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    content=st.sampled_from([b"", b"PK\x03\x04", b"\x80\x02", b"\x10\0\0\0\0\0\0\0{"]).flatmap(
        lambda start: st.binary(max_size=60).map(lambda rest: start + rest)
    ),
    suffix=st.sampled_from([".pth", ".safetensors"]),
)
def test_any_bytes_are_no_weights(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, suffix: str
) -> None:
    path = tmp_path_factory.mktemp("weights") / f"w{suffix}"
    path.write_bytes(content)
    with pytest.raises(WeightsError) as reported:
        read_state(path, backbone("resnet18"))
    assert str(reported.value).startswith(str(path)) and reported.value.remedy


def test_missing_weights_are_reported_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_TUNE_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    entry = backbone("densenet161")
    with pytest.raises(WeightsError, match=r"fer-tune weights fetch densenet161"):
        locate(entry, "imagenet-v1")
    with pytest.raises(WeightsError, match="no weights file"):
        locate(entry, str(tmp_path / "absent.pth"))
    with pytest.raises(WeightsError, match="no weights of that recipe"):
        locate(entry, "imagenet-v2")
    staged = tmp_path / Path(entry.recipe("imagenet-v1").url).name
    staged.write_bytes(b"")
    assert locate(entry, "imagenet-v1") == staged


def test_a_download_that_fails_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("connection refused")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    with pytest.raises(WeightsError, match=r"connection refused.*Download that file elsewhere"):
        fetch(backbone("resnet18"), "imagenet-v1", tmp_path)
