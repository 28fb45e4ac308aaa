"""What the clouds' common GPU machines have and roughly cost.

Prices are those of one region in the United States, in USD per hour, rounded: they move, on spot by
the hour. They serve to distinguish a cluster of 4 USD from one of 40.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

#: GPU to (memory in GiB, whether it supports bfloat16).
GPUS = {
    "T4": (16, False),
    "V100": (16, False),
    "L4": (24, True),
    "A10G": (24, True),
    "A10": (24, True),
    "L40S": (48, True),
    "A100": (40, True),
    "A100-80GB": (80, True),
    "H100": (80, True),
    "H100-NVL": (94, True),
}


@dataclass(frozen=True, kw_only=True)
class Machine:
    """One machine type.

    Attributes:
        gpu: key of ``GPUS``, empty for none.
        gpus: how many of them.
        cpus: virtual ones.
        price, spot: USD per hour on demand and on spot; None where not known.
    """

    name: str
    gpu: str = ""
    gpus: int = 0
    cpus: int | None = None
    price: float | None = None
    spot: float | None = None

    @property
    def gpu_memory(self) -> int | None:
        """GiB of one GPU."""
        return GPUS[self.gpu][0] if self.gpu else None

    @property
    def bfloat16(self) -> bool:
        return bool(self.gpu) and GPUS[self.gpu][1]

    def cost(self, *, spot: bool) -> float | None:
        return self.spot if spot else self.price


def _machines(rows: str) -> dict[str, Machine]:
    table = {}
    for row in rows.strip().splitlines():
        name, gpu, gpus, cpus, price, spot = row.split()
        table[name] = Machine(
            name=name,
            gpu="" if gpu == "-" else gpu,
            gpus=int(gpus),
            cpus=int(cpus),
            price=float(price),
            spot=float(spot),
        )
    return table


#: name, GPU, how many, CPUs, USD per hour on demand, on spot
KNOWN = _machines(
    """
    m7i.large                 -         0   2   0.10  0.04
    m7i.xlarge                -         0   4   0.20  0.08
    m5.large                  -         0   2   0.10  0.04
    m5.xlarge                 -         0   4   0.19  0.08
    g4dn.xlarge               T4        1   4   0.53  0.20
    g4dn.2xlarge              T4        1   8   0.75  0.30
    g4dn.12xlarge             T4        4   48  3.91  1.50
    g5.xlarge                 A10G      1   4   1.01  0.50
    g5.2xlarge                A10G      1   8   1.21  0.55
    g5.4xlarge                A10G      1   16  1.62  0.70
    g5.12xlarge               A10G      4   48  5.67  2.50
    g6.xlarge                 L4        1   4   0.80  0.40
    g6.2xlarge                L4        1   8   0.98  0.45
    g6.4xlarge                L4        1   16  1.32  0.55
    g6.12xlarge               L4        4   48  4.60  2.00
    g6e.xlarge                L40S      1   4   1.86  0.90
    g6e.2xlarge               L40S      1   8   2.24  1.10
    g6e.12xlarge              L40S      4   48  10.49 5.00
    p3.2xlarge                V100      1   8   3.06  1.00
    p4d.24xlarge              A100      8   96  21.96 9.00
    e2-standard-2             -         0   2   0.07  0.03
    e2-standard-4             -         0   4   0.13  0.05
    n2-standard-2             -         0   2   0.10  0.03
    g2-standard-4             L4        1   4   0.71  0.30
    g2-standard-8             L4        1   8   0.85  0.35
    g2-standard-16            L4        1   16  1.15  0.50
    g2-standard-24            L4        2   24  2.00  0.85
    a2-highgpu-1g             A100      1   12  3.67  1.50
    a2-highgpu-2g             A100      2   24  7.35  3.00
    a2-ultragpu-1g            A100-80GB 1   12  5.07  2.20
    a3-highgpu-1g             H100      1   26  11.06 4.00
    Standard_D2s_v5           -         0   2   0.10  0.03
    Standard_D4s_v5           -         0   4   0.19  0.05
    Standard_NC4as_T4_v3      T4        1   4   0.53  0.15
    Standard_NC8as_T4_v3      T4        1   8   0.75  0.22
    Standard_NC64as_T4_v3     T4        4   64  4.35  1.30
    Standard_NV36ads_A10_v5   A10       1   36  3.20  0.80
    Standard_NC24ads_A100_v4  A100-80GB 1   24  3.67  1.20
    Standard_NC48ads_A100_v4  A100-80GB 2   48  7.35  2.40
    Standard_NC40ads_H100_v5  H100-NVL  1   40  6.98  2.50
    """
)

#: Google attaches these to machines of the N1 series.
_ATTACHED = {"nvidia-tesla-t4": "T4", "nvidia-tesla-v100": "V100", "nvidia-l4": "L4"}


def machine_of(provider: str, node: dict[str, Any]) -> Machine | None:
    """The machine of a node type's ``node_config``; None for one that is not known here."""
    if provider == "aws":
        name = node.get("InstanceType")
    elif provider == "gcp":
        name = str(node.get("machineType") or "").rpartition("/")[2]
    else:
        arm = node.get("azure_arm_parameters")
        name = arm.get("vmSize") if isinstance(arm, dict) else None
    attached = node.get("guestAccelerators")
    if provider == "gcp" and isinstance(attached, list) and attached:
        return _with_attached(str(name), attached[0])
    return KNOWN.get(str(name))


def _with_attached(name: str, accelerator: Any) -> Machine | None:
    if not isinstance(accelerator, dict):
        return None
    gpu = _ATTACHED.get(str(accelerator.get("acceleratorType")).rpartition("/")[2])
    count = accelerator.get("acceleratorCount")
    if gpu is None or not isinstance(count, int):
        return None
    cpus = re.search(r"-(\d+)$", name)
    return Machine(name=name, gpu=gpu, gpus=count, cpus=int(cpus[1]) if cpus else None)


def is_spot(provider: str, node: dict[str, Any]) -> bool:
    """Whether the cloud may interrupt such a machine."""
    if provider == "aws":
        market = node.get("InstanceMarketOptions")
        return isinstance(market, dict) and market.get("MarketType") == "spot"
    if provider == "gcp":
        scheduling = node.get("scheduling")
        parts = scheduling if isinstance(scheduling, list) else [scheduling]
        return any(
            isinstance(one, dict)
            and (one.get("preemptible") is True or one.get("provisioningModel") == "SPOT")
            for one in parts
        )
    arm = node.get("azure_arm_parameters")
    return isinstance(arm, dict) and arm.get("priority") in ("Spot", "Low")
