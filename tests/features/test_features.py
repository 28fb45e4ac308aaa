from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from fer_tune.features.bank import FeatureBank, entry_key
from fer_tune.features.entries import as_tensor
from fer_tune.features.source import CHUNK
from tests.features.sources import Counting, entry, provider, rows
from tests.warm import context

KEY = entry_key({"name": "k"})


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.uint8])
def test_an_entry_comes_back_as_it_went_in(tmp_path: Path, dtype: torch.dtype) -> None:
    bank, whole = FeatureBank(tmp_path), rows(10, dtype=dtype)
    for hit_expected in (False, True):
        mapped, hit = bank.get(entry(KEY, dtype=dtype), lambda: iter(whole.split(4)))
        assert hit is hit_expected
        assert torch.equal(as_tensor(np.array(mapped), dtype), whole)


def test_failed_computation_leaves_nothing(tmp_path: Path) -> None:
    def failing() -> Iterator[Tensor]:
        yield rows(4)
        raise ValueError("no more")

    bank = FeatureBank(tmp_path)
    with pytest.raises(ValueError, match="no more"):
        bank.get(entry(KEY), failing)
    assert list(tmp_path.glob("*.npy")) == [] and list(tmp_path.glob(".*.npy")) == []
    assert bank.get(entry(KEY), lambda: [rows(10)])[1] is False


def test_the_bank_stays_within_its_bound_and_drops_what_was_unused_longest(tmp_path: Path) -> None:
    bank = FeatureBank(tmp_path, max_bytes=3 * entry(KEY).size)

    def ask(key: str) -> bool:
        return bank.get(entry(key), lambda: [rows(10)])[1]

    a, b, c, d = (entry_key({"name": name}) for name in "abcd")
    for key in (a, b, c):
        ask(key)
    assert ask(a)  # now b is the oldest
    ask(d)
    assert {p.stem for p in tmp_path.glob("[!.]*.npy")} == {a, c, d}
    assert bank.get(entry(KEY, (1000, 8)), lambda: [rows(1000)]) is None
    assert {p.stem for p in tmp_path.glob("[!.]*.npy")} == {a, c, d}


def _ask(root: str, log: str) -> None:
    def chunks() -> list[Tensor]:
        with Path(log).open("a") as out:
            out.write("computed\n")
        return [rows(10)]

    FeatureBank(Path(root)).get(entry(KEY), chunks)


def test_processes_that_ask_together_compute_once(tmp_path: Path) -> None:
    log = str(tmp_path / "log")
    asking = [context.Process(target=_ask, args=(str(tmp_path), log)) for _ in range(3)]
    for process in asking:
        process.start()
    for process in asking:
        process.join(60)
    assert [p.exitcode for p in asking] == [0, 0, 0]
    assert Path(log).read_text() == "computed\n"


def test_keys_depend_on_every_part() -> None:
    base = {"backbone": "resnet18", "depth": 1, "view": 0}
    keys = {entry_key({**base, **change}) for change in ({}, {"depth": 2}, {"view": None})}
    assert len(keys) == 3 and entry_key(base) == entry_key(dict(reversed(base.items())))


def test_banked_and_streamed_features_are_the_same(tmp_path: Path) -> None:
    torch.manual_seed(0)
    prefix = Counting().eval()
    places = np.array([250, 3, 3, 77])
    with_bank = provider(prefix, FeatureBank(tmp_path)).view(1)
    too_small = provider(prefix, FeatureBank(tmp_path / "small", max_bytes=10)).view(1)
    without = provider(prefix, None).view(1)
    assert (with_bank.hit, too_small.hit, without.hit) == (False, None, None)
    assert with_bank.rows(places).is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(with_bank.rows(places), without.rows(places))
    assert torch.equal(with_bank.rows(places), too_small.rows(places))


def test_views_are_computed_once_in_canonical_chunks(tmp_path: Path) -> None:
    prefix = Counting().eval()
    bank = FeatureBank(tmp_path)
    first = provider(prefix, bank)
    first.view(0)
    assert prefix.seen == [CHUNK, CHUNK, 300 - 2 * CHUNK]
    prefix.seen.clear()
    assert first.view(0).hit is True and prefix.seen == []
    assert provider(prefix, bank).view(0).hit is True
    assert first.view(1).hit is False
    assert provider(prefix, bank, count=299).view(0).hit is False, "another set, another entry"


def test_another_set_of_as_many_pictures_has_features_of_its_own(tmp_path: Path) -> None:
    """As validation pictures of another cut, by seed."""
    prefix, bank, places = Counting().eval(), FeatureBank(tmp_path), np.arange(300)
    one, other = (provider(prefix, bank, first=first).view(0) for first in (0, 1))
    assert (one.hit, other.hit) == (False, False)
    assert torch.equal(other.rows(places), provider(prefix, None, first=1).view(0).rows(places))
    assert not torch.equal(other.rows(places), one.rows(places))
