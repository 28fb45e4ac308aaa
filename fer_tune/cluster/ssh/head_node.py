"""The head of a cluster that `ray up` created: its address and login."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fer_tune import ray_private
from fer_tune.errors import EnvironmentFault
from fer_tune.escaping import shell_word
from fer_tune.wording import Broken
from fer_tune.yaml_reader.bounded import CLUSTER_FILE, plain, read_text

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
        EnvironmentFault: not a cluster file, no such cluster, or the cloud denies the request.
    """
    config = _read(file)
    auth = config["auth"]
    key = auth.get("ssh_private_key")
    if key is None and config["provider"].get("type") != "local":
        # `ray up` made it and keeps it; each cloud's launcher names it differently.
        made = _asking(file, lambda: ray_private.bootstrap_config(config)["auth"])
        key = made.get("ssh_private_key")
    elif key is not None and not Path(key).expanduser().is_file():
        raise EnvironmentFault(
            "the private key was not found", where=f"{file}: auth.ssh_private_key", value=key
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
        raise EnvironmentFault("must be a mapping", where=f"{file}: {key}", value=value)
    return value or {}


def _read(file: Path) -> dict[str, Any]:
    try:
        config = plain(read_text(file, CLUSTER_FILE, ""), CLUSTER_FILE)
    except Broken as broken:
        raise EnvironmentFault(str(broken), where=str(file), remedy=broken.remedy) from None
    if isinstance(config, dict) and "apiVersion" in config:
        raise EnvironmentFault(
            "a Kubernetes manifest has no head to log in to",
            where=str(file),
            remedy="Forward the port of the head's service (kubectl port-forward) and use "
            "--address http://127.0.0.1:8265",
        )
    auth = config.get("auth") if isinstance(config, dict) else None
    provider = config.get("provider") if isinstance(config, dict) else None
    if not isinstance(auth, dict) or not auth.get("ssh_user") or not isinstance(provider, dict):
        raise EnvironmentFault(
            "not a cluster file of `ray up`: auth.ssh_user or provider is missing",
            where=str(file),
            remedy="`fer-tune cluster show on-prem` prints one",
        )
    assert isinstance(config, dict)
    for key in ("ssh_user", "ssh_private_key"):
        text = auth.get(key)
        if text is not None and (not isinstance(text, str) or text.startswith("-")):
            # ssh would treat it as an option
            raise EnvironmentFault(
                "must be text that does not begin with `-`", where=f"{file}: auth.{key}", value=text
            )
    docker = _mapping(file, "docker", config.get("docker"))
    if image := docker.get("head_image") or docker.get("image"):
        raise EnvironmentFault(
            "Ray runs in a container there, and --cluster connects to its host",
            where=f"{file}: docker",
            value=image,
            remedy=f"Run `ray dashboard {shell_word(file)}` in another terminal and use --address "
            "http://127.0.0.1:8265; --data and --results are then paths in the container",
        )
    return config


def _host(file: Path, config: Mapping[str, Any]) -> str:
    provider = config["provider"]
    if provider.get("type") == "local" and provider.get("head_ip"):
        return str(provider["head_ip"])  # Ray would find it only on the machine of `ray up`

    def ask() -> str:
        from ray.autoscaler.sdk import get_head_node_ip

        return str(get_head_node_ip(str(file)))

    return str(_asking(file, ask))


def _asking(file: Path, question: Any) -> Any:
    """Calls Ray's launcher, without its output on the terminal."""
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
    except Exception as error:  # every cloud's library has its own errors
        said = (str(error) or type(error).__name__).strip().splitlines()[0]
        raise EnvironmentFault(
            f"the head of this cluster was not found: {said}",
            where=str(file),
            remedy="Is it up? `ray up` starts it; `ray get-head-ip FILE` must find it",
        ) from None


def _dashboard_port(config: Mapping[str, Any]) -> int:
    for command in config.get("head_start_ray_commands") or []:
        if found := re.search(r"--dashboard-port[= ](\d+)", str(command)):
            return int(found[1])
    return DASHBOARD_PORT
