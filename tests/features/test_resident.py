"""Views that stay in a device's memory; here in the processor's, by the same code."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fer_tune.features import resident
from fer_tune.features.bank import FeatureBank
from fer_tune.features.memory import MemoryFit
from fer_tune.features.resident import ResidentFeatures, resident_features
from fer_tune.features.source import CHUNK, chunk_size
from tests.features.sources import ALL, Counting, provider

PLACES = np.array([250, 3, 3, 77])


@pytest.mark.parametrize("banked", [True, False])
def test_a_view_is_made_once_and_stays_across_trials(tmp_path: Path, banked: bool) -> None:
    torch.manual_seed(0)
    prefix = Counting()
    bank = FeatureBank(tmp_path) if banked else None
    expected = provider(prefix, None).view(1).rows(PLACES)
    prefix.seen.clear()
    resident = ResidentFeatures(10**9)
    for trial in range(2):
        source = provider(prefix, bank, resident=resident).view(1)
        assert source.hit is bool(trial) and len(source) == 300
        assert torch.equal(source.rows(PLACES), expected)
        assert source.rows(PLACES).is_contiguous(memory_format=torch.channels_last)
    assert prefix.seen == [CHUNK, CHUNK, 300 - 2 * CHUNK], "in canonical chunks"
    assert len(list(tmp_path.glob("[!.]*.npy"))) == banked
    other = provider(prefix, bank, resident=ResidentFeatures(10**9)).view(1)
    assert other.hit is banked, "of another process, it comes from the bank"


def test_what_the_bank_does_not_keep_may_stay_on_the_device(tmp_path: Path) -> None:
    resident = ResidentFeatures(10**9)
    nothing = replace(ALL, train=False, validation=False)
    for hit in (False, True):
        source = provider(
            Counting(), FeatureBank(tmp_path), decision=nothing, resident=resident
        ).view(0)
        assert source.hit is hit
    assert list(tmp_path.glob("*.npy")) == []


def test_the_least_recently_used_views_go_first() -> None:
    resident = ResidentFeatures(3 * 40)
    for key in "abc":
        resident.put(key, torch.zeros(10))
    assert resident.get("a") is not None
    resident.put("d", torch.zeros(10))
    assert [key for key in "abcd" if resident.get(key) is not None] == ["a", "c", "d"]
    resident.put("e", torch.zeros(31))
    assert resident.get("e") is None and resident.get("a") is not None, "too large by itself"
    assert resident.clear() and not resident.clear() and resident.get("a") is None


def test_the_processors_memory_has_the_page_cache_instead() -> None:
    assert resident_features(torch.device("cpu")) is None


@pytest.mark.parametrize(
    ("device", "crop", "size"),
    [
        ("cpu", 48, 128),
        ("cpu", 224, 128),
        ("cuda", 48, 1024),
        ("cuda", 96, 1024),
        ("cuda", 224, 512),
    ],
)
def test_accelerators_get_larger_chunks(device: str, crop: int, size: int) -> None:
    assert chunk_size(torch.device(device), crop) == size


def test_chunks_are_as_large_as_asked(tmp_path: Path) -> None:
    prefix = Counting()
    provider(prefix, FeatureBank(tmp_path), chunk=200).view(0)
    assert prefix.seen == [200, 100]


def test_views_are_given_up_before_batches_are_split(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = ResidentFeatures(limit=1000)
    monkeypatch.setattr(resident, "_all", [kept])
    kept.put("view", torch.zeros(10))
    tried = []

    def work(limit: int) -> None:
        tried.append(limit)
        if len(tried) < 3:
            raise torch.OutOfMemoryError("CUDA out of memory")

    MemoryFit(16).run(work)
    assert tried == [16, 16, 8] and kept.get("view") is None
    kept.put("view", torch.zeros(10))
    tried[:] = [0]
    MemoryFit(1).run(work)  # nothing is left to split, but there is something to give up
    assert tried == [0, 1, 1]
