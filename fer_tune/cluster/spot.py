"""Spot machines: hears that this one will be taken away, and tells Ray in time.

    python -m fer_tune.cluster.spot aws|gcp|azure

Runs on every spot worker (the shipped cluster files start it) and asks the cloud's metadata
service every few seconds. At a notice it drains the node: Ray starts nothing more there, trials
that are running save the epoch they are in if it ends in time, and go on elsewhere. None of Ray's
own parts listens for these notices. What each cloud says is in its documentation: "Spot Instance
interruption notices" (EC2), "Preemption process" (Compute Engine), "Scheduled Events" (Azure).
"""

from __future__ import annotations

import argparse
import http.client
import json
import logging
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ASK_EVERY_S = 5.0
_ANSWER_S = 2.0
#: Seconds for Ray to take a drain in; of the shortest notice, 30 s, they leave another try.
_DRAIN_S = 20.0
_LINK_LOCAL = "http://169.254.169.254"
_LOGGER = logging.getLogger("fer_tune.spot")


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """A cloud's metadata service.

    Attributes:
        base: its address.
        seconds: that the cloud leaves between notice and end.
        token: whether requests need a session's token first (EC2, version 2).
    """

    base: str
    path: str
    seconds: int
    told: Callable[[str], bool]
    headers: dict[str, str] = field(default_factory=dict)
    token: bool = False

    def notice(self) -> bool:
        """Whether this machine is to be taken away. Not while the service does not answer."""
        headers = dict(self.headers)
        if self.token:
            lifetime = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
            token = self._ask("/latest/api/token", lifetime, method="PUT")
            if token is None:
                return False
            headers["X-aws-ec2-metadata-token"] = token
        answer = self._ask(self.path, headers)
        return answer is not None and self.told(answer)

    def _ask(self, path: str, headers: dict[str, str], method: str = "GET") -> str | None:
        """The answer; None where there is nothing to be told, or nobody to tell it."""
        request = urllib.request.Request(self.base + path, headers=headers, method=method)
        # The service is on this machine's own link, whatever proxies the environment names.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=_ANSWER_S) as answer:
                return str(answer.read(65536), "utf-8", "replace")
        except urllib.error.HTTPError as error:
            if error.code != 404:  # EC2's word for no notice
                _LOGGER.warning("%s%s answers %s", self.base, path, error.code)
        except (OSError, http.client.HTTPException) as error:
            _LOGGER.warning("%s%s does not answer: %s", self.base, path, error)
        return None


def _preempts(answer: str) -> bool:
    """Whether Azure's scheduled events name a preemption."""
    try:
        events = json.loads(answer).get("Events") or []
        return any(event.get("EventType") == "Preempt" for event in events)
    except (ValueError, AttributeError, TypeError):  # no such list, of no such things
        return False


def metadata(cloud: str, base: str | None = None) -> Metadata:
    """The metadata service of ``aws``, ``gcp`` or ``azure``; ``base`` is another address for it."""
    if cloud == "aws":
        path = "/latest/meta-data/spot/instance-action"
        base = base or _LINK_LOCAL
        return Metadata(
            base=base, path=path, seconds=120, told=lambda answer: "action" in answer, token=True
        )
    if cloud == "gcp":
        return Metadata(
            base=base or "http://metadata.google.internal",
            path="/computeMetadata/v1/instance/preempted",
            seconds=30,
            told=lambda answer: answer.strip() == "TRUE",
            headers={"Metadata-Flavor": "Google"},
        )
    return Metadata(
        base=base or _LINK_LOCAL,
        path="/metadata/scheduledevents?api-version=2020-07-01",
        seconds=30,
        told=_preempts,
        headers={"Metadata": "true"},
    )


def drain(seconds: int) -> None:
    """Has Ray start nothing more on this node, which will be gone in ``seconds``.

    Raises:
        RuntimeError: Ray refused, does not run here, or does not answer.
    """
    ray = Path(sys.executable).with_name("ray")
    command = [str(ray), "drain-node", "--reason", "DRAIN_NODE_REASON_PREEMPTION"]
    command += ["--reason-message", "the cloud takes this spot machine back"]
    command += ["--deadline-remaining-seconds", str(seconds)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_DRAIN_S)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"`ray drain-node` did not end within {_DRAIN_S:g} s") from None
    if done.returncode != 0:
        raise RuntimeError(f"`ray drain-node` failed: {(done.stderr or done.stdout).strip()}")


def watch(service: Metadata, *, every_s: float = ASK_EVERY_S) -> None:
    """Waits for a notice, then drains this node; tries again while Ray refuses."""
    while not service.notice():
        time.sleep(every_s)
    _LOGGER.warning("notice: this machine ends in %s s", service.seconds)
    end = time.monotonic() + service.seconds
    while (left := int(end - time.monotonic())) > 0:
        try:
            drain(left)
        except RuntimeError as error:
            _LOGGER.error("%s", error)
            time.sleep(every_s)
        else:
            _LOGGER.warning("drained")
            return


def main(arguments: list[str] | None = None) -> None:
    options = argparse.ArgumentParser(prog="python -m fer_tune.cluster.spot")
    options.add_argument("cloud", choices=("aws", "gcp", "azure"))
    options.add_argument("--metadata", help="another address of the metadata service")
    options.add_argument("--every", type=float, default=ASK_EVERY_S, help="seconds")
    chosen = options.parse_args(arguments)
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)
    watch(metadata(chosen.cloud, chosen.metadata), every_s=chosen.every)


if __name__ == "__main__":
    main()
