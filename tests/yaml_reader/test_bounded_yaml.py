"""YAML that would fill the memory or the stack, in every file that is read as YAML."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fer_tune.cluster.checks.checking import check
from fer_tune.cluster.checks.crd import _validators
from fer_tune.cluster.ssh.head_node import head_of
from fer_tune.errors import UserError
from fer_tune.space import load
from fer_tune.tuning.raytune import autoscaler
from fer_tune.wording import Broken
from fer_tune.yaml_reader.bounded import CLUSTER_FILE, plain

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10)
)
MERGES = "a0: &a0 {x: 1}\n" + "".join(
    f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}\n" for i in range(1, 10)
)
#: Of a cluster file that can be used; ``metadata`` is shown by a message when it is no mapping.
HEAD = "auth: {ssh_user: me}\nprovider: {type: local, head_ip: 127.0.0.1}\n"
TEXTS = {
    "aliases": f"{LAUGHS}{HEAD}metadata: *a9\n",
    "merge keys": f"{MERGES}{HEAD}metadata: *a9\n",
    "a key of aliases": f"{LAUGHS}{HEAD}? *a9\n: 1\n",
    "itself": f"{HEAD}metadata: &m [*m]\n",
    "deep lists": "[" * 100_000,
    "deep mappings": "{a: " * 50_000,
    "deep blocks": "- " * 100_000,
    "large": "# " + "x" * 40_000_000,
    "no date": f"{HEAD}metadata: 2026-99-99\n",
    "a long number": f"{HEAD}metadata: {'9' * 100_000}\n",
    "no text": "\ud800".encode("utf-16", "surrogatepass").decode("latin-1"),
}


def crds(file: Path) -> None:
    folder = file.parent / "crds"
    folder.mkdir()
    (folder / "ray.io_rayjobs.yaml.gz").write_bytes(gzip.compress(file.read_bytes(), 1))
    _validators(folder)


READERS: dict[str, Callable[[Path], object]] = {
    "head": head_of,
    "check": lambda file: check(str(file)),
    "space": lambda file: load(str(file)),
    "definitions": crds,
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", TEXTS)
def test_one_short_message_and_soon(reader: str, kind: str, tmp_path: Path) -> None:
    file = tmp_path / "file.yaml"
    file.write_text(TEXTS[kind], encoding="utf-8")
    began = time.process_time()
    with pytest.raises(UserError) as caught:
        READERS[reader](file)
    assert len(str(caught.value)) < 5000
    assert time.process_time() - began < 20


@pytest.mark.parametrize("text", ["a: 1{}", "? 1{}\n: a", "a: 1{}.5", "- 1{}"])
def test_a_number_to_the_base_of_60_is_bounded(text: str) -> None:
    began = time.process_time()
    with pytest.raises(Broken, match="a number of more than 100 characters"):
        plain(text.format(":1" * 60_000), CLUSTER_FILE)
    assert time.process_time() - began < 1
    assert plain("a: 1:30\nb: " + "9" * 100, CLUSTER_FILE)["a"] == 90


def test_the_file_that_ray_up_left_is_bounded_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "file.yaml"
    monkeypatch.setattr(autoscaler, "BOOTSTRAP", file)
    assert autoscaler.from_ray_up() is None and not caplog.records
    file.write_text("max_workers: 2\n")
    assert autoscaler.from_ray_up() == {"max_workers": 2}
    file.write_text(TEXTS["deep lists"])
    assert autoscaler.from_ray_up() is None
    assert "must nest at most 40 levels" in caplog.text
