"""What a GPU makes of this project, in ten minutes: the most valuable step first, a table last.

    python -m benchmarks.training.gpu --out FOLDER
        [--peer stock_ray_tune.py --pictures P --configs C.jsonl]

Every step is a process of its own with a time limit; a step that fails or takes too long leaves its
row empty. The peer is a stock Ray Tune script with the arguments PICTURES CONFIGS EPOCHS GPU_SHARE
that prints a JSON line with ``wall_s``; it and ours (``reference.yaml`` beside the configurations)
run in turn.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks.training.steps import STEPS, Stepping, make_run, operations, peak
from fer_tune.data import import_source
from fer_tune.profiling.measuring import CudaMeter
from fer_tune.training.device.compute import release_memory

FACES = "synthetic:900"
#: Crop size, unfreeze depth and batch size of the measured steps.
SHAPES = ((48, 1, 64), (48, 5, 64), (96, 1, 64), (96, 5, 64), (224, 1, 64), (224, 5, 64))
TRIALS = (1, 4, 8)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--out", type=Path, required=True, help="a new folder")
    options.add_argument("--peer", type=Path, help="stock Ray Tune script")
    options.add_argument("--pictures", type=Path, help="its picture folder")
    options.add_argument("--configs", type=Path, help="its configurations")
    options.add_argument("--packed", type=Path, help="the same pictures, packed")
    options.add_argument("--step", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.step:
        print(json.dumps(STEP_OF[chosen.step.partition(":")[0]](chosen)))
        return
    chosen.out.mkdir(parents=True)
    import_source(FACES, chosen.out / "faces")
    rows = []
    for name, limit in _plan(chosen):
        began = time.monotonic()
        found = _in_a_process(name, limit)
        rows.append((name, time.monotonic() - began, found))
        with (chosen.out / "steps.jsonl").open("a") as out:
            out.write(json.dumps({"step": name, **found}) + "\n")
        print(f"{name}: {found}", flush=True)
    print(f"\n{_device()}\n\n| step | s | figures |\n|---|---|---|")
    for name, seconds, found in rows:
        figures = ", ".join(f"{key} {_short(value)}" for key, value in found.items())
        print(f"| {name} | {seconds:.0f} | {figures} |")


def _plan(chosen: argparse.Namespace) -> Iterator[tuple[str, float]]:
    """Steps with their limits in seconds, the most valuable first."""
    yield "smoke", 150
    for crop, depth, batch in SHAPES[:2]:
        yield f"graphs:{crop}:{depth}:{batch}", 60
    for trials in TRIALS:
        yield f"sharing:{trials}", 60
    if chosen.peer:
        yield "peer", 120
        yield "ours", 120
    for crop, depth, batch in SHAPES[2:]:
        yield f"graphs:{crop}:{depth}:{batch}", 60


def _in_a_process(name: str, limit: float) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.training.gpu", *sys.argv[1:], "--step", name]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True)
    try:
        out, errors = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # with what it has started: it holds the card
        process.communicate()
        return {"error": f"more than {limit:.0f} s"}
    if process.returncode:
        return {"error": (errors.strip().splitlines() or ["no output"])[-1][:200]}
    found: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
    return found


def smoke(chosen: argparse.Namespace) -> dict[str, Any]:
    """`fer-tune doctor --gpu`."""
    command = [sys.executable, "-m", "fer_tune", "doctor", "--gpu"]
    done = subprocess.run(
        [*command, "--out", chosen.out / "smoke"], capture_output=True, text=True, check=False
    )
    (chosen.out / "smoke.txt").write_text(done.stdout + done.stderr)
    return {"exit code": done.returncode}


def graphs(chosen: argparse.Namespace) -> dict[str, Any]:
    """Eager steps against recorded ones: pictures/s, busy share, memory, losses, share of peak."""
    crop, depth, batch = map(int, chosen.step.split(":")[1:])
    found: dict[str, Any] = {}
    losses = {}
    for name in ("eager", "graphs"):
        run = make_run(chosen.out, crop, depth, batch, graphs=name == "graphs")
        meter = CudaMeter(run.compute.device)
        meter.reset()
        steps = Stepping(run, batch)
        losses[name] = steps()
        rates = []
        for _ in range(3):
            seconds, busy = meter.timed(steps)
            rates.append(STEPS * batch / seconds)
        found[f"{name} pictures/s"] = statistics.median(rates)
        found[f"{name} busy"] = busy
        found[f"{name} MiB"] = meter.peak() / 2**20
        if name == "eager":
            seconds = batch / statistics.median(rates)
            found["share of peak"] = operations(run, steps.features) / seconds / peak(run)
        del run, steps  # the next one is measured alone
        release_memory()
    found["ratio"] = found["graphs pictures/s"] / found["eager pictures/s"]
    found["loss difference"] = abs(losses["graphs"] - losses["eager"]) / losses["eager"]
    return found


def sharing(chosen: argparse.Namespace) -> dict[str, Any]:
    """So many processes on the card at once, each within its share."""
    count = int(chosen.step.split(":")[1])
    command = [
        sys.executable,
        "-m",
        "benchmarks.training.gpu",
        *sys.argv[1:-2],
        "--step",
        f"alone:{count}",
    ]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(count)
    ]
    answers = [process.communicate() for process in running]
    rates = [
        json.loads(out.strip().splitlines()[-1])["pictures/s"]
        for process, (out, _) in zip(running, answers, strict=True)
        if process.returncode == 0
    ]
    return {"pictures/s": sum(rates), "lost": count - len(rates)}


def alone(chosen: argparse.Namespace) -> dict[str, Any]:
    """One of the processes that share the card: steps for 15 seconds."""
    share = 1 / int(chosen.step.split(":")[1])
    run = make_run(chosen.out, 48, 1, 64, share=share)
    steps, count = Stepping(run, 64), 0
    steps()
    began = time.monotonic()
    while time.monotonic() - began < 15:
        steps()
        count += STEPS
    return {"pictures/s": count * 64 / (time.monotonic() - began)}


def peer(chosen: argparse.Namespace) -> dict[str, Any]:
    """The stock search."""
    command = [sys.executable, chosen.peer, chosen.pictures, chosen.configs, "2", "0.25"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return {"seconds": found["wall_s"], "trials": found["trials"]}


def ours(chosen: argparse.Namespace) -> dict[str, Any]:
    """The same configurations as a search of ours."""
    space = chosen.configs.with_name("reference.yaml")
    began = time.monotonic()
    subprocess.run(
        [
            *(sys.executable, "-m", "fer_tune", "search", space, "--data", chosen.packed),
            *("--set", "resources.gpu=1/4", "--set", "budget.max_epochs=2", "--no-dashboard"),
            *("--results", chosen.out / "ours"),
        ],
        capture_output=True,
        check=True,
    )
    return {"seconds": time.monotonic() - began}


STEP_OF: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "smoke": smoke,
    "graphs": graphs,
    "sharing": sharing,
    "alone": alone,
    "peer": peer,
    "ours": ours,
}


def _device() -> str:
    if not torch.cuda.is_available():
        return "no GPU"
    return f"{torch.cuda.get_device_name()}, torch {torch.__version__}"


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
