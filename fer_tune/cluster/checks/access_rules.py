"""Who can reach the cluster: authentication, addresses, the clouds' firewalls, secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fer_tune.cluster.checks.commands import STARTS, Simple, commands, parse, simple_commands
from fer_tune.errors import Fault
from fer_tune.yaml_reader.document import Document, KeyPath

_WORLD = re.compile(r"(?<![\d.])0\.0\.0\.0(?![\d.])|(?<![\w:])::(?:/0)?(?![\w:])")
_REASON = "Use an address such as 127.0.0.1, or state the reason on that line: # open: REASON"
#: Where a machine's firewall rules come from, by provider.
_OWN_FIREWALL = {
    "aws": ("SecurityGroupIds", "NetworkInterfaces", "LaunchTemplate"),
    "gcp": ("networkInterfaces", "sourceInstanceTemplate"),
}
#: Where the token goes: the file, or the folder that holds it.
_TOKEN = re.compile(r"(^|/)\.ray(/auth_token|/?)$")


def check_access(document: Document) -> Iterator[Fault]:
    yield from _login(document)
    yield from _authentication(document)
    yield from _token(document)
    yield from open_to_the_world(document)
    yield from _firewall(document)


def _login(document: Document) -> Iterator[Fault]:
    if not document.get("auth", "ssh_user"):
        yield document.fault(
            ("auth", "ssh_user"), "is missing", remedy="Set the login user, such as ubuntu"
        )
    provider, auth = document.get("provider", "type"), document.mapping("auth")
    keys = [key for key in ("ssh_private_key", "ssh_public_key") if key in auth]
    if provider == "azure" and len(keys) == 1:
        yield document.fault(
            ("auth", keys[0]),
            "must name both keys or none: Ray creates its own pair",
            value=auth[keys[0]],
            remedy="Add ssh_private_key and ssh_public_key, or neither",
        )
    own_key = provider == "aws" and "ssh_private_key" in keys
    for name in document.mapping("available_node_types") if own_key else ():
        place: KeyPath = ("available_node_types", name, "node_config")
        if not {"KeyName", "UserData"} & set(document.mapping(*place)):
            yield document.fault(
                (*place, "KeyName"),
                "is missing: the machine would not know auth.ssh_private_key",
                remedy="Set the EC2 key pair, or remove auth.ssh_private_key: Ray then creates one",
            )


def _authentication(document: Document) -> Iterator[Fault]:
    for place, command in commands(document, *STARTS):
        try:
            starts = [simple for simple in parse(command) if simple.starts_ray()]
        except ValueError:
            continue  # reported by check_commands
        for start in starts:
            if start.environment.get("RAY_AUTH_MODE") != "token":
                yield document.fault(
                    place,
                    "must set RAY_AUTH_MODE=token",
                    value=start.environment.get("RAY_AUTH_MODE"),
                    remedy="Without it, anybody who can reach a port can run code: write "
                    "RAY_AUTH_MODE=token before `ray start`",
                )


def _token(document: Document) -> Iterator[Fault]:
    starts = [s for _, s in simple_commands(document, *STARTS) if s.starts_ray()]
    carried = [target for target in document.mapping("file_mounts") if _TOKEN.search(str(target))]
    elsewhere = starts and all("RAY_AUTH_TOKEN_PATH" in s.environment for s in starts)
    if not carried and not elsewhere:
        yield document.fault(
            ("file_mounts",),
            "must copy the token to every machine",
            remedy='Add "~/.ray/auth_token": "~/.ray/auth_token"; '
            "`ray get-auth-token --generate` creates one",
        )
    for place, value in document.scalars():
        if isinstance(value, str) and re.search(r"\bRAY_AUTH_TOKEN=[^$\s]", value):
            yield document.fault(
                place,
                "must not contain the token itself",
                remedy="Copy it with file_mounts to ~/.ray/auth_token",
            )


def open_to_the_world(document: Document) -> Iterator[Fault]:
    """Every text that names all addresses and gives no reason."""
    for place, value in document.scalars():
        open_words = (
            [w for w in value.split() if _WORLD.search(w)] if isinstance(value, str) else []
        )
        if open_words and not document.reason(place):
            yield document.fault(
                place,
                "must not be open to the world without a reason",
                value=" ".join(open_words),
                remedy=_REASON,
            )


def _firewall(document: Document) -> Iterator[Fault]:
    provider = str(document.get("provider", "type"))
    for name in document.mapping("available_node_types"):
        place: KeyPath = ("available_node_types", name, "node_config")
        own = _OWN_FIREWALL.get(provider)
        if own and not set(own) & set(document.mapping(*place)) and not document.reason(place):
            words = {
                "aws": "must name its own security groups: those of Ray open port 22 to the world",
                "gcp": "must name its own network: the default one opens port 22 to the world",
            }
            yield document.fault(
                place,
                words[provider],
                remedy=f"Add {own[0]}; docs/cluster/{provider}.md shows how to create one",
            )
        yield from _default_network(document, (*place, "networkInterfaces"))
    place = ("provider", "use_internal_ips")
    if provider == "azure" and document.get(*place) is not True and not document.reason(place):
        yield document.fault(
            place,
            "must be true unless a reason is given: Ray opens port 22 of public addresses to the "
            "world",
            value=document.get(*place),
            remedy="Set it, or add # open: REASON on its line",
        )


def _default_network(document: Document, place: KeyPath) -> Iterator[Fault]:
    """Google's interfaces that are on the default network, which every project has."""
    for index in range(len(document.list(*place))):
        for key in ("network", "subnetwork"):
            here: KeyPath = (*place, index, key)
            name = str(document.get(*here)).rpartition("/")[2]
            if name == "default" and not document.reason(here):
                yield document.fault(
                    here,
                    "must be its own network: the default one opens port 22 to the world",
                    value=document.get(*here),
                    remedy="docs/cluster/gcp.md shows how to create one",
                )


def check_commands(document: Document, *keys: str) -> Iterator[Fault]:
    """Commands that no shell would accept."""
    for place, command in commands(document, *keys):
        try:
            parse(command)
        except ValueError as error:
            yield document.fault(
                place, "must be a complete shell command", value=command, remedy=f"{error}"
            )


def ray_start(document: Document, key: str) -> tuple[KeyPath, Simple] | None:
    """The first `ray start` under ``key``."""
    found = ((p, s) for p, s in simple_commands(document, key) if s.starts_ray())
    return next(found, None)
