"""Whether runs kept to their share of a GPU, and what a process takes beside its tensors."""

from __future__ import annotations

import subprocess
import sys

import pandas as pd
import torch

from fer_tune.training.device.gpu_share import CONTEXT_BYTES, GpuShare

#: Convolution, matrix product and backward pass in bfloat16, as in training; prints the bytes that
#: the allocator holds, and keeps the process until its input ends.
_CHILD = """
import sys, torch
x = torch.randn(32, 3, 64, 64, device="cuda")
net = torch.nn.Sequential(
    torch.nn.Conv2d(3, 64, 3), torch.nn.BatchNorm2d(64), torch.nn.Flatten(), torch.nn.LazyLinear(8)
).cuda()
with torch.autocast("cuda", dtype=torch.bfloat16):
    net(x).sum().backward()
torch.cuda.synchronize()
print(torch.cuda.memory_reserved(), flush=True)
sys.stdin.read()
"""


class NotShown(Exception):
    """A step ran but did not pass; the message says what was observed instead."""


def context_bytes() -> int:
    """Bytes that another process takes on the current GPU beside what its allocator holds.

    Exact only while no other process changes what it holds.
    """
    before, _ = torch.cuda.mem_get_info()
    with subprocess.Popen(
        [sys.executable, "-c", _CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None and child.stdout is not None
        reserved = int(child.stdout.readline() or 0)
        after, _ = torch.cuda.mem_get_info()
        child.stdin.close()
    return before - after - reserved


def kept_to_share(trials: pd.DataFrame, share: GpuShare, context: int) -> str:
    """What the runs and their contexts took of their share.

    Raises:
        NotShown: a run held more than its share, or a context takes more than is left for it.
    """
    held = float(trials["peak_reserved_mib"].max())
    taken = f"runs held up to {held:.0f} MiB beside a context of {context / 2**20:.0f} MiB"
    if not held * 2**20 <= share.limit:
        raise NotShown(f"{taken}, but the limit of a share is {share.limit / 2**20:.0f} MiB")
    if context > CONTEXT_BYTES:
        raise NotShown(f"{taken}, for which {CONTEXT_BYTES / 2**20:.0f} MiB are left")
    return taken
