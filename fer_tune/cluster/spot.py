"""Spot machines: watches for the interruption notice of the cloud, and drains the node in time.

    python -m fer_tune.cluster.spot aws|gcp|azure

Runs on every spot worker (the shipped cluster files start it) and polls the cloud's metadata
service every few seconds. At a notice it drains the node: Ray starts nothing more there; running
trials save the last epoch that they have ended, and every further one, and continue elsewhere. Ray
itself does not watch for these notices. See the documentation of the clouds: "Spot Instance
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

POLL_INTERVAL_S = 5.0
_ANSWER_S = 2.0
#: Seconds for Ray to accept a drain; the shortest notice, 30 s, then leaves time for a retry.
_DRAIN_S = 20.0
_LINK_LOCAL = "http://169.254.169.254"
_LOGGER = logging.getLogger("fer_tune.spot")


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """A cloud's metadata service.

    Attributes:
        base: its address.
        seconds: between notice and interruption.
        token: whether requests need a session's token first (EC2, version 2).
    """

    base: str
    path: str
    seconds: int
    is_notice: Callable[[str], bool]
    headers: dict[str, str] = field(default_factory=dict)
    token: bool = False

    def notice(self) -> bool:
        """Whether there is an interruption notice; False while the service is unavailable."""
        headers = dict(self.headers)
        if self.token:
            lifetime = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
            token = self._ask("/latest/api/token", lifetime, method="PUT")
            if token is None:
                return False
            headers["X-aws-ec2-metadata-token"] = token
        answer = self._ask(self.path, headers)
        return answer is not None and self.is_notice(answer)

    def _ask(self, path: str, headers: dict[str, str], method: str = "GET") -> str | None:
        """The response; None if there is no notice, or the service is unavailable."""
        request = urllib.request.Request(self.base + path, headers=headers, method=method)
        # The service is on this machine's own link, whatever proxies the environment names.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=_ANSWER_S) as answer:
                return str(answer.read(65536), "utf-8", "replace")
        except urllib.error.HTTPError as error:
            if error.code != 404:  # EC2 responds with 404 if there is no notice
                _LOGGER.warning("%s%s responds with %s", self.base, path, error.code)
        except (OSError, http.client.HTTPException) as error:
            _LOGGER.warning("%s%s is unavailable: %s", self.base, path, error)
        return None


def _preempts(answer: str) -> bool:
    """Whether Azure's scheduled events name a preemption."""
    try:
        events = json.loads(answer).get("Events") or []
        return any(event.get("EventType") == "Preempt" for event in events)
    except (ValueError, AttributeError, TypeError):  # not a list of events
        return False


def metadata(cloud: str, base: str | None = None) -> Metadata:
    """The metadata service of ``aws``, ``gcp`` or ``azure``; ``base`` overrides its address."""
    if cloud == "aws":
        path = "/latest/meta-data/spot/instance-action"
        base = base or _LINK_LOCAL
        return Metadata(
            base=base,
            path=path,
            seconds=120,
            is_notice=lambda answer: "action" in answer,
            token=True,
        )
    if cloud == "gcp":
        return Metadata(
            base=base or "http://metadata.google.internal",
            path="/computeMetadata/v1/instance/preempted",
            seconds=30,
            is_notice=lambda answer: answer.strip() == "TRUE",
            headers={"Metadata-Flavor": "Google"},
        )
    return Metadata(
        base=base or _LINK_LOCAL,
        path="/metadata/scheduledevents?api-version=2020-07-01",
        seconds=30,
        is_notice=_preempts,
        headers={"Metadata": "true"},
    )


def drain(seconds: int) -> None:
    """Drains this node, which will be interrupted in ``seconds``: Ray starts nothing more on it.

    Raises:
        RuntimeError: Ray rejected it, does not run here, or did not respond.
    """
    ray = Path(sys.executable).with_name("ray")
    command = [str(ray), "drain-node", "--reason", "DRAIN_NODE_REASON_PREEMPTION"]
    command += ["--reason-message", "the cloud will interrupt this spot machine"]
    command += ["--deadline-remaining-seconds", str(seconds)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_DRAIN_S)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"`ray drain-node` did not end within {_DRAIN_S:g} s") from None
    if done.returncode != 0:
        raise RuntimeError(f"`ray drain-node` failed: {(done.stderr or done.stdout).strip()}")


def watch(service: Metadata, *, interval_s: float = POLL_INTERVAL_S) -> None:
    """Waits for a notice, then drains this node; retries while Ray rejects it."""
    while not service.notice():
        time.sleep(interval_s)
    _LOGGER.warning("notice: this machine will be interrupted in %s s", service.seconds)
    end = time.monotonic() + service.seconds
    while (left := int(end - time.monotonic())) > 0:
        try:
            drain(left)
        except RuntimeError as error:
            _LOGGER.error("%s", error)
            time.sleep(interval_s)
        else:
            _LOGGER.warning("drained")
            return


def main(arguments: list[str] | None = None) -> None:
    options = argparse.ArgumentParser(prog="python -m fer_tune.cluster.spot")
    options.add_argument("cloud", choices=("aws", "gcp", "azure"))
    options.add_argument("--metadata", help="another address of the metadata service")
    options.add_argument("--every", type=float, default=POLL_INTERVAL_S, help="seconds")
    chosen = options.parse_args(arguments)
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)
    watch(metadata(chosen.cloud, chosen.metadata), interval_s=chosen.every)


if __name__ == "__main__":
    main()
