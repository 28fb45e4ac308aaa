"""``python -m benchmarks.regret tables|curves|summary``: see the package."""

from __future__ import annotations

import argparse
import json
import time
import traceback
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import optuna

Row = dict[str, Any]
#: A run still to be made: its identity, and what makes its other columns.
Job = tuple[Row, Callable[[], list[Row]]]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["tables", "curves", "summary"])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0, help="after which no run starts")
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--tasks", type=int, default=16, help="of FT-PFN's prior")
    parser.add_argument("--policies", default="", help="only these, separated by ';'")
    parser.add_argument("--plans", default="", help="only these numbers of trials, likewise")
    asked = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if asked.what == "summary":
        from benchmarks.regret.summary import show

        print(show([json.loads(line) for f in asked.files for line in f.open()]))
        return
    jobs = table_jobs(asked.seeds) if asked.what == "tables" else curve_jobs(asked)
    policies, plans = ({p for p in o.split(";") if p} for o in (asked.policies, asked.plans))
    wanted = (
        (row, make)
        for row, make in jobs
        if (not policies or row["policy"] in policies) and (not plans or str(row["plan"]) in plans)
    )
    run(wanted, asked.out, asked.minutes)


def run(jobs: Iterator[Job], out: Path, minutes: float) -> None:
    """Appends the rows of all jobs that ``out`` lacks, until the time is used up."""
    lines = out.read_text().splitlines() if out.exists() else []
    done = {_key(json.loads(line)) for line in lines}
    until, broken = time.monotonic() + 60 * minutes, set()
    with out.open("a") as file:
        for identity, make in jobs:
            if _key(identity) in done or identity["policy"] in broken:
                continue
            if time.monotonic() > until:
                print(f"stopped at {identity}")
                break
            began = time.process_time()
            try:
                rows = make()
            except Exception:  # the others go on; its rows are missing in the summary
                traceback.print_exc()
                broken.add(identity["policy"])
                continue
            spent = time.process_time() - began
            for row in rows:
                file.write(json.dumps({**identity, **row, "seconds": round(spent, 3)}) + "\n")
            file.flush()
    if broken:
        raise SystemExit(f"not measured to the end, as they failed: {', '.join(sorted(broken))}")


def _key(row: Row) -> str:
    return json.dumps([row[k] for k in ("kind", "task", "policy", "parallel", "plan", "seed")])


def table_jobs(seeds: int) -> Iterator[Job]:
    from benchmarks.regret.table_runs import COSTLY, POLICIES, SIZES, fits, random_regrets, regret
    from benchmarks.regret.tables import load, names

    def at_random(name: str) -> list[Row]:
        mean = random_regrets(load(name), 4000).mean(axis=0)
        return [{"trials": n, "regret": float(mean[n - 1])} for n in SIZES]

    for name in names():
        identity = {"kind": "table", "task": name, "policy": "random", "parallel": 0}
        yield {**identity, "plan": 200, "seed": 0}, lambda name=name: at_random(name)
    for seed, parallel, plan in product(range(seeds), (8, 1, 64), SIZES):
        for policy, name in product((p for p in POLICIES if p != "random"), names()):
            if not fits(policy, load(name)):
                continue
            # Costly ones: 60 trials at most. 200 trials with 8 in parallel alone.
            if plan > 60 and (policy in COSTLY or parallel != 8):
                continue
            if policy in COSTLY and parallel != 8 and seed >= 2:
                continue
            identity = {"kind": "table", "task": name, "policy": policy, "parallel": parallel}

            def one(n: str = name, p: str = policy, w: int = parallel, t: int = plan,
                    s: int = seed) -> list[Row]:  # fmt: skip
                found = regret(load(n), p, parallel=w, trials=t, seed=s)
                return [{"trials": t, "regret": found}]

            yield {**identity, "plan": plan, "seed": seed}, one


def curve_jobs(asked: argparse.Namespace) -> Iterator[Job]:
    from benchmarks.regret.curves import COSTLY, OURS, RIVALS, Task, regret

    tasks: dict[int, Task] = {}

    def one(policy: str, number: int, plan: int, parallel: int, seed: int) -> list[Row]:
        if number not in tasks:
            tasks[number] = Task(number)
        found, epochs = regret(policy, tasks[number], trials=plan, parallel=parallel, seed=seed)
        return [{"trials": plan, "regret": found, "epochs": epochs}]

    settings = [(60, 8), (16, 8), (60, 1), (60, 64), (20, 8), (200, 8)]
    for seed, (plan, parallel), number in product(range(asked.seeds), settings, range(asked.tasks)):
        for policy in (*OURS, *RIVALS):
            # Costly ones: 60 trials at most, and fewer seeds.
            if policy in COSTLY and (plan > 60 or (seed >= 2 and plan == 60)):
                continue
            if plan > 60 and (seed or number >= 8):
                continue
            given = (policy, number, plan, parallel, seed)
            identity = {"kind": "curve", "task": f"ftpfn/{number}", "policy": policy}
            rest = {"parallel": parallel, "plan": plan, "seed": seed}
            yield {**identity, **rest}, lambda given=given: one(*given)


if __name__ == "__main__":
    main()
