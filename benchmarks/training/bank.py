"""What the feature bank saves, on the CPU with one thread, against a stock training loop.

    python -m benchmarks.training.bank [--backbones densenet161 resnet152] [--pictures 384]
        [--rounds 3]

Per round and backbone, in turn: one epoch of the stock loop and one of a run whose bank holds what
a depth-0 run of the same crop and view left, at depth 1 and at depth 2; then the run's epoch again,
with a warm bank. An epoch is training and validation. The stock loop is what Ray Tune's guide
shows: torchvision's transforms over an ImageFolder, the frozen part computed with the rest in every
step. Both loops run in float32. Reports medians of CPU seconds and of the ratios of pairs.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, models
from torchvision import transforms as T

from fer_tune.data import PackedDataset, Split, import_source
from fer_tune.space import TrialConfig
from fer_tune.training.context import TrialContext
from fer_tune.training.device.compute import release_memory
from fer_tune.training.inputs import data_of
from fer_tune.training.trial import RunSeeds, TrialRun

CROP, BATCH, CLASSES = 48, 32, ["angry", "fear", "happy", "neutral", "sad", "surprise"]
_STATISTICS = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])


def main() -> None:
    given = argparse.ArgumentParser()
    given.add_argument("--backbones", nargs="+", default=["densenet161", "resnet152"])
    given.add_argument("--pictures", type=int, default=384)
    given.add_argument("--rounds", type=int, default=3)
    options = given.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        import_source(f"synthetic:{options.pictures}", home / "faces", classes=CLASSES)
        for name in options.backbones:
            measure(name, home, options.rounds)


def measure(name: str, home: Path, rounds: int) -> None:
    """Measures one backbone and prints its lines."""
    dataset, split = data_of(context(home, home / "unused"))
    folders = as_folders(dataset, split, home / "pictures")
    taken: dict[str, list[tuple[float, float]]] = {}
    for number in range(rounds):
        for depth in (1, 2):
            bank = home / f"bank-{name}-{number}-{depth}"
            first = run(name, 0, home, bank)
            first.run_epoch()
            del first
            release_memory()
            stock = timed(stock_epoch(name, depth, folders))
            for label in ("first time after depth 0", "bank warm"):
                one = run(name, depth, home, bank)
                seconds = timed(one.run_epoch)
                taken.setdefault(f"depth {depth}, {label}", []).append((stock, seconds))
                del one
                release_memory()
            shutil.rmtree(bank)
    for label, pairs in taken.items():
        theirs, ours = (statistics.median(side) for side in zip(*pairs, strict=True))
        ratios = [stock / own for stock, own in pairs]
        print(
            f"{name}, {label}: stock {theirs:.2f} s, ours {ours:.2f} s, stock / ours "
            f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
            flush=True,
        )


def timed(work: Callable[[], object]) -> float:
    """CPU seconds of ``work``."""
    began = time.process_time()
    work()
    return time.process_time() - began


def context(home: Path, bank: Path) -> TrialContext:
    return TrialContext(
        dataset=str(home / "faces"),
        fingerprint=PackedDataset.open(home / "faces").fingerprint,
        validation_share=0.2,
        split_seed=0,
        leaks="drop",
        conflicts="drop",
        weights="none",
        weights_seed=0,
        view_seed=0,
        views=1,
        resize_ratio=1.14,
        precision="float32",
        max_epochs=2,
        metric="macro_f1",
        patience=None,
        window=3,
        bank=str(bank),
        bank_bytes=None,
        threads=1,
        device="cpu",
        depths=tuple((name, (0, 1, 2)) for name in ("densenet161", "resnet152", "resnet18")),
    )


def run(name: str, depth: int, home: Path, bank: Path) -> TrialRun:
    config = TrialConfig(backbone=name, unfreeze_depth=depth, crop_size=CROP, batch_size=BATCH)
    made = TrialRun(context(home, bank), config, RunSeeds(run=1, weights=0, views=0))
    made.prepare()
    return made


def as_folders(dataset: PackedDataset, split: Split, folder: Path) -> Path:
    """The pictures of a run as the folders that the stock loop reads."""
    for part, positions in (("train", split.train), ("validation", split.validation)):
        for position in map(int, positions):
            place = folder / part / dataset.classes[int(dataset.labels[position])]
            place.mkdir(parents=True, exist_ok=True)
            file = place / f"{position}.png"
            if not file.exists():
                Image.fromarray(np.squeeze(dataset.picture(position))).save(file)
    return folder


def stock_epoch(name: str, depth: int, folder: Path) -> Callable[[], None]:
    """One epoch of the stock loop, loaders and network made beforehand."""
    side = int(CROP * 1.14)
    tensor = [T.ToTensor(), T.Normalize(*_STATISTICS)]
    augmented = T.Compose([T.Resize(side), T.RandomCrop(CROP), T.RandomHorizontalFlip(), *tensor])
    centred = T.Compose([T.Resize(side), T.CenterCrop(CROP), *tensor])
    train = DataLoader(datasets.ImageFolder(folder / "train", augmented), BATCH, shuffle=True)
    validation = DataLoader(datasets.ImageFolder(folder / "validation", centred), BATCH)
    network = stock_network(name, depth).to(memory_format=torch.channels_last)
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimiser, loss = torch.optim.AdamW(trained, 1e-3), nn.CrossEntropyLoss()

    def epoch() -> None:
        network.train()
        for pictures, labels in train:
            optimiser.zero_grad()
            logits = network(pictures.to(memory_format=torch.channels_last))
            loss(logits, labels).backward()
            optimiser.step()
        network.eval()
        with torch.no_grad():
            for pictures, _ in validation:
                network(pictures.to(memory_format=torch.channels_last)).argmax(1)

    return epoch


def stock_network(name: str, depth: int) -> nn.Module:
    """torchvision's network with the last ``depth`` stages and a new head to train."""
    network = models.get_model(name, weights=None).requires_grad_(False)
    if name.startswith("densenet"):
        network.classifier = nn.Linear(network.classifier.in_features, len(CLASSES))
        part = network.features
        stages = [[part.denseblock4, part.norm5], [part.transition3, part.denseblock3]]
    else:
        network.fc = nn.Linear(network.fc.in_features, len(CLASSES))
        stages = [[network.layer4], [network.layer3]]
    for stage in stages[:depth]:
        for module in stage:
            module.requires_grad_(True)
    return network


if __name__ == "__main__":
    main()
