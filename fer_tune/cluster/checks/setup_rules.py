"""What is installed and how Ray is started, with nothing left to Ray's defaults."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from fer_tune.cluster.checks.access_rules import ray_start
from fer_tune.cluster.checks.commands import SETUP, STARTS, Simple, commands, simple_commands
from fer_tune.cluster.checks.ray_schema import defaults
from fer_tune.errors import Fault
from fer_tune.yaml_reader.document import Document, KeyPath

NIGHTLY = re.compile(r"ray-wheels/latest|\bnightly\b|\.dev0\b")
_RAY = re.compile(r"ray\[([\w,\s-]+)\]==\d[\w.]*")
#: The project at one version: a release, a tag or commit of a repository, or a wheel.
_FIXED = re.compile(
    r"fer[-_]tune(\[[\w,]+\])?(==\d|\s*@\s*\S+@(v?\d|[0-9a-f]{40}))|fer[-_]tune\S*\.whl"
    r"|fer[-_]tune(\.git)?@(v?\d|[0-9a-f]{40})|(--branch|-b|checkout)[ =](v?\d[\w.]*|[0-9a-f]{40})"
)
_TYPES = "available_node_types"
_FILE = "ray_bootstrap_config.yaml"
_AUTOSCALING = f"~/{_FILE}"


def check_setup(document: Document) -> Iterator[Fault]:
    yield from _left_to_ray(document)
    yield from _nightly(document)
    if images(document):
        yield from _images(document)
    elif "setup_commands" in document.value:
        yield from _installed(document)
    yield from _head_start(document)
    yield from _worker_start(document)


def _left_to_ray(document: Document) -> Iterator[Fault]:
    filled = defaults(str(document.get("provider", "type")))
    for key in (*SETUP[1:], *STARTS):
        if key not in document.value and filled.get(key):
            yield document.fault(
                (key,),
                "must be set; otherwise Ray's default applies",
                value=str(filled[key][-1]),
                remedy="`fer-tune cluster show` prints files with working commands"
                if key in ("setup_commands", *STARTS)
                else f"Set {key}: [] or your own",
            )


def _nightly(document: Document) -> Iterator[Fault]:
    for place, command in commands(document, *SETUP):
        if NIGHTLY.search(command):
            yield document.fault(
                place,
                "must not install a nightly Ray",
                value=command,
                remedy="Use a release: 'ray[default,tune]==VERSION'",
            )


def images(document: Document) -> list[KeyPath]:
    """Places of the images in which Ray runs; none if it runs on the machines themselves."""
    keys = ("image", "head_image", "worker_image")
    holders: list[KeyPath] = [("docker",)]
    holders += [("available_node_types", n, "docker") for n in document.mapping(_TYPES)]
    return [(*h, key) for h in holders for key in keys if document.mapping(*h).get(key)]


def _images(document: Document) -> Iterator[Fault]:
    for place in images(document):
        image = str(document.get(*place))
        tag = image.rpartition("/")[2].partition(":")[2]
        if "@sha256:" not in image and (not tag or "latest" in tag or "nightly" in tag):
            yield document.fault(place, "must name one version", value=image, remedy="Add a tag")
    if not document.get("docker", "container_name"):
        yield document.fault(
            ("docker", "container_name"), "is missing", remedy="Set its name, for example ray"
        )


def _installed(document: Document) -> Iterator[Fault]:
    commands = [simple for _, simple in simple_commands(document, *SETUP)]
    for rule, remedy in unpinned(commands):
        yield document.fault(("setup_commands",), rule, remedy=remedy)


def unpinned(commands: Sequence[Simple]) -> Iterator[tuple[str, str]]:
    """What setup commands do not install at one version: broken rule and remedy."""
    # Variables that a command sets are put in, as in VERSION=v1; git clone --branch $VERSION.
    lines = [" ".join(simple.words) for simple in commands]
    extras = {
        extra.strip()
        for line in lines
        for found in _RAY.findall(line)
        for extra in found.split(",")
    }
    if not {"default", "tune"} <= extras:
        yield (
            "must install ray[default,tune] at one version",
            "Add 'ray[default,tune]==VERSION' to what pip installs",
        )
    if not any(_FIXED.search(line) for line in lines):
        yield (
            "must install fer-tune at one version",
            "Specify a tag or commit of its repository, or a wheel; otherwise machines "
            "that join later could get another version",
        )


def _head_start(document: Document) -> Iterator[Fault]:
    key = "head_start_ray_commands"
    found = ray_start(document, key)
    if found is None:
        if key in document.value:
            yield document.fault((key,), "must start Ray", remedy="Add `ray start --head ...`")
        return
    place, start = found
    options = start.options()
    if "head" not in options:
        yield document.fault(place, "must start the head", remedy="Add --head")
    written = options.get("autoscaling-config", "")
    if not written.startswith(("~/", "/", "$HOME/")) or PurePosixPath(written).name != _FILE:
        yield document.fault(
            place,
            f"must pass --autoscaling-config={_AUTOSCALING}",
            value=written or None,
            remedy="Without it, no worker is ever started",
        )
    local = document.get("provider", "type") == "local"
    if local and start.environment.get("RAY_enable_autoscaler_v2") != "0":
        yield document.fault(
            place,
            "must set RAY_enable_autoscaler_v2=0 on premises",
            remedy="Ray's second autoscaler starts such a cluster with one worker too few",
        )


def _worker_start(document: Document) -> Iterator[Fault]:
    key = "worker_start_ray_commands"
    found = ray_start(document, key)
    if found is None:
        if key in document.value:
            yield document.fault(
                (key,), "must start Ray", remedy="Add `ray start --address=$RAY_HEAD_IP:6379`"
            )
        return
    place, start = found
    head = ray_start(document, "head_start_ray_commands")
    port = head[1].options().get("port", "6379") if head else "6379"
    address = start.options().get("address", "").replace("${RAY_HEAD_IP}", "$RAY_HEAD_IP")
    if address != f"$RAY_HEAD_IP:{port}":
        yield document.fault(
            place,
            f"must join the head at $RAY_HEAD_IP:{port}",
            value=address or None,
            remedy=f"Pass --address=$RAY_HEAD_IP:{port}",
        )
