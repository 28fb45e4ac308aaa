"""Our rules for a RayService: the Serve config in it, and the token of the service."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from fer_tune.errors import Fault
from fer_tune.storage import is_url, without_secrets
from fer_tune.wording import Broken
from fer_tune.yaml_reader.bounded import Limits, plain
from fer_tune.yaml_reader.document import Document, KeyPath

CONFIG: KeyPath = ("spec", "serveConfigV2")
#: What builds the service, and its settings: the fields of its ``ServiceSettings``.
IMPORT_PATH = "fer_tune.serving.service.application:build"
SETTINGS = (
    *("model", "replicas", "cpus", "gpus", "batch", "batch_wait", "waiting"),
    *("faces", "threshold", "max_body", "max_pixels", "gateways"),
)
TOKEN = "FER_TUNE_TOKEN"
_LIMITS = Limits(size=2**20, values=10_000, depth=20)


def check_service(document: Document, pods: Sequence[KeyPath]) -> Iterator[Fault]:
    """Errors of a RayService.

    Args:
        pods: places of the specifications of its pods.
    """
    try:
        applications = _applications(document)
    except Broken as broken:
        yield document.fault(CONFIG, broken.rule, remedy=broken.remedy)
        return
    ours = [one for one in applications if one.get("import_path") == IMPORT_PATH]
    if not ours:
        yield document.fault(
            CONFIG,
            "has no application of fer-tune",
            value=", ".join(str(one.get("import_path")) for one in applications) or None,
            remedy=f"Set import_path: {IMPORT_PATH}",
        )
    for one in ours:
        yield from _settings(document, one.get("args"))
    if ours:
        for place in pods:
            yield from _token(document, place)


def service_rows(document: Document) -> list[tuple[str, str]]:
    """What a RayService without errors serves, for a summary."""
    found = []
    for one in _applications(document):
        if one.get("import_path") == IMPORT_PATH:
            args = one["args"]
            found.append(("model", str(without_secrets(str(args["model"])))))
            found.append(("replicas", f"{args.get('replicas', 1)}, each {_each(args)}"))
    return found


def _each(args: dict[str, Any]) -> str:
    gpus = args.get("gpus", 0)
    return f"{args.get('cpus', 1)} CPUs" + (f", {gpus} GPUs" if gpus else "")


def _applications(document: Document) -> list[dict[str, Any]]:
    """The applications of the Serve config.

    Raises:
        Broken: there is none, or it is not YAML.
    """
    text = document.get(*CONFIG)
    remedy = "It is the text of a config file of Ray Serve; rayservice.yaml shows one"
    if not isinstance(text, str):
        raise Broken("must be the text of a Serve config", remedy)
    try:
        config = plain(text, _LIMITS)
    except Broken as broken:
        raise Broken(f"must hold valid YAML: {broken.rule}", remedy) from None
    found = config.get("applications") if isinstance(config, dict) else None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise Broken("must have a list of applications", remedy)
    return found


def _settings(document: Document, args: Any) -> Iterator[Fault]:
    given = args if isinstance(args, dict) else {}
    model = given.get("model")
    if not isinstance(model, str) or not (is_url(model) or model.startswith("/")):
        yield document.fault(
            CONFIG,
            "must name the model in args, as every pod sees it",
            value=model,
            remedy="Use model: with s3://, gs:// or a path on a mounted volume",
        )
    elif without_secrets(model) != model:
        yield document.fault(
            CONFIG,
            "must not contain credentials",
            remedy="Give the pods a service account that may read the model",
        )
    for name in given:
        if name not in SETTINGS:
            yield document.fault(
                CONFIG,
                "has an unknown setting in args",
                value=name,
                remedy=f"Known: {', '.join(SETTINGS)}",
            )


def _token(document: Document, place: KeyPath) -> Iterator[Fault]:
    """The token must be in the environment of the container that runs Ray, and from a secret."""
    here: KeyPath = (*place, "containers", 0, "env")
    for index, one in enumerate(document.list(*here)):
        if isinstance(one, dict) and one.get("name") == TOKEN:
            if "value" in one:
                yield document.fault(
                    (*here, index, "value"),
                    "must not contain the token itself",
                    remedy="Use valueFrom: {secretKeyRef: …}",
                )
            return
    yield document.fault(
        here,
        f"must set {TOKEN} from a secret: Serve's proxies listen on all addresses",
        remedy="rayservice.yaml shows how",
    )
