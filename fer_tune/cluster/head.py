"""The head of a cluster that `ray up` made: where it is and how one gets in."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from fer_tune.errors import EnvironmentFault

#: Where Ray's dashboard listens, unless the file says otherwise.
DASHBOARD_PORT = 8265


@dataclass(frozen=True, kw_only=True)
class Head:
    """The head node, as a cluster file describes it.

    Attributes:
        file: the cluster file.
        host: its address.
        user: that logs in.
        key: private key; None leaves it to ssh's own configuration and agent.
        proxy: command that ssh connects through, or None.
        port: of the dashboard, on the head's loopback.
        results: ``metadata.fer_tune.results``, below which results folders go, or None.
        mounts: ``file_mounts``: path on every machine to path here.
    """

    file: Path
    host: str
    user: str
    key: Path | None = None
    proxy: str | None = None
    port: int = DASHBOARD_PORT
    results: str | None = None
    mounts: Mapping[str, str] = field(default_factory=dict)

    @property
    def login(self) -> str:
        """``USER@HOST``."""
        return f"{self.user}@{self.host}"


def head_of(file: Path) -> Head:
    """The head of the cluster that ``file`` describes, which must be up.

    Raises:
        EnvironmentFault: no cluster file, no such cluster, or the cloud does not let one ask.
    """
    config = _read(file)
    auth = config["auth"]
    key = auth.get("ssh_private_key")
    if key is None and config["provider"].get("type") != "local":
        key = _asking(file, lambda: _made_key(config))
    elif key is not None and not Path(key).expanduser().is_file():
        raise EnvironmentFault(
            "the private key is not there", where=f"{file}: auth.ssh_private_key", value=key
        )
    metadata = _mapping(file, "metadata", config.get("metadata"))
    results = _mapping(file, "metadata.fer_tune", metadata.get("fer_tune")).get("results")
    if results is not None and not isinstance(results, str):
        raise EnvironmentFault(
            "must be a path or URL", where=f"{file}: metadata.fer_tune.results", value=results
        )
    return Head(
        file=file,
        host=_host(file, config),
        user=auth["ssh_user"],
        key=Path(key).expanduser() if key else None,
        proxy=auth.get("ssh_proxy_command"),
        port=_dashboard_port(config),
        results=results,
        mounts=_mapping(file, "file_mounts", config.get("file_mounts")),
    )


def _mapping(file: Path, key: str, value: object) -> dict[str, Any]:
    if value is not None and not isinstance(value, dict):
        raise EnvironmentFault("must hold keys and values", where=f"{file}: {key}", value=value)
    return value or {}


def _read(file: Path) -> dict[str, Any]:
    try:
        config = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise EnvironmentFault(f"cannot be read: {reason}", where=str(file)) from None
    if isinstance(config, dict) and "apiVersion" in config:
        raise EnvironmentFault(
            "a Kubernetes manifest has no head to log in to",
            where=str(file),
            remedy="Forward the port of the head's service (kubectl port-forward) and give "
            "--address http://127.0.0.1:8265",
        )
    auth = config.get("auth") if isinstance(config, dict) else None
    provider = config.get("provider") if isinstance(config, dict) else None
    if not isinstance(auth, dict) or not auth.get("ssh_user") or not isinstance(provider, dict):
        raise EnvironmentFault(
            "is no cluster file of `ray up`: it lacks auth.ssh_user or provider",
            where=str(file),
            remedy="`fer-tune cluster show on-prem` prints one",
        )
    assert isinstance(config, dict)
    docker = _mapping(file, "docker", config.get("docker"))
    if image := docker.get("head_image") or docker.get("image"):
        raise EnvironmentFault(
            "Ray runs in a container there, and --cluster goes to the machine round it",
            where=f"{file}: docker",
            value=image,
            remedy=f"Run `ray dashboard {file}` in another terminal and give --address "
            "http://127.0.0.1:8265; --data and --results are then paths in the container",
        )
    return config


def _host(file: Path, config: Mapping[str, Any]) -> str:
    provider = config["provider"]
    if provider.get("type") == "local" and provider.get("head_ip"):
        return str(provider["head_ip"])  # Ray would answer on the machine of `ray up` alone

    def ask() -> str:
        from ray.autoscaler.sdk import get_head_node_ip

        return str(get_head_node_ip(str(file)))

    return str(_asking(file, ask))


def _made_key(config: dict[str, Any]) -> str | None:
    """The key that `ray up` made and keeps, which the clouds' launchers name each in their way."""
    from ray.autoscaler._private.commands import _bootstrap_config

    key: str | None = _bootstrap_config(config)["auth"].get("ssh_private_key")
    return key


def _asking(file: Path, question: Any) -> Any:
    """What Ray's launcher answers; its own talk is kept off the terminal."""
    talk = io.StringIO()
    try:
        with contextlib.redirect_stdout(talk), contextlib.redirect_stderr(talk):
            return question()
    except ImportError as error:
        raise EnvironmentFault(
            f"the launcher of this cloud is not installed: {error}",
            where=str(file),
            remedy="Install fer-tune with the extra aws, gcp or azure",
        ) from None
    except Exception as error:  # every cloud's library has errors of its own
        said = (str(error) or type(error).__name__).strip().splitlines()[0]
        raise EnvironmentFault(
            f"the head of this cluster was not found: {said}",
            where=str(file),
            remedy="Is it up? `ray up` brings it up; `ray get-head-ip FILE` must find it",
        ) from None


def _dashboard_port(config: Mapping[str, Any]) -> int:
    for command in config.get("head_start_ray_commands") or []:
        if found := re.search(r"--dashboard-port[= ](\d+)", str(command)):
            return int(found[1])
    return DASHBOARD_PORT
