"""Results where every machine reaches them, and the feature bank where only one does."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fer_tune.cluster.checks.access_rules import ray_start
from fer_tune.cluster.checks.commands import SETUP, node_setup, simple_commands
from fer_tune.errors import Fault
from fer_tune.yaml_reader.document import Document, KeyPath

RESULTS: KeyPath = ("metadata", "fer_tune", "results")
#: Programs that mount a folder, or fail where it is not mounted.
_MOUNTS = re.compile(
    r"(^|/)(mount(\.\w+|point|-s3)?|findmnt|gcsfuse|blobfuse2?|s3fs|goofys|rclone|sshfs)$"
)
#: What a machine must carry to use the object store of its cloud.
_IDENTITY = {("aws", "s3://"): "IamInstanceProfile", ("gcp", "gs://"): "serviceAccounts"}


def check_storage(document: Document) -> Iterator[Fault]:
    results = document.get(*RESULTS)
    if not isinstance(results, str) or not results:
        yield document.fault(
            RESULTS,
            "must specify where results are written",
            value=results,
            remedy="Use s3://BUCKET/..., gs://BUCKET/... or a folder that all machines mount",
        )
    elif "://" in results:
        yield from _object_store(document, results)
    elif _several(document) and not (results.startswith("/") and _mounted(document, results)):
        yield document.fault(
            RESULTS,
            "must be reachable from every machine",
            value=results,
            remedy="Use s3://, gs:// or a folder below one that setup_commands mount, or check "
            "with `mountpoint -q FOLDER`",
        )
    yield from _bank(document)


def _several(document: Document) -> bool:
    """Whether there can be more machines than the head."""
    alone = document.get("provider", "type") == "local" and document.get("max_workers") == 0
    return not alone


def at_url(document: Document, place: KeyPath, results: str) -> Iterator[Fault]:
    """Errors of results at a URL."""
    scheme = results.partition("://")[0] + "://"
    bucket = results.removeprefix(scheme).partition("/")[0]
    if scheme not in ("s3://", "gs://"):
        yield document.fault(
            place,
            "must be s3://, gs:// or a mounted folder",
            value=results,
            remedy="Other kinds of store can be mounted",
        )
    elif not bucket:
        yield document.fault(
            place, "must name a bucket", value=results, remedy=f"For example {scheme}BUCKET/results"
        )
    elif "@" in bucket:
        yield document.fault(
            place,
            "must not contain credentials",
            remedy="Give the machines an identity that may use the bucket",
        )


def _object_store(document: Document, results: str) -> Iterator[Fault]:
    yield from at_url(document, RESULTS, results)
    scheme = results.partition("://")[0] + "://"
    identity = _IDENTITY.get((str(document.get("provider", "type")), scheme))
    head = document.get("head_node_type")
    for name in document.mapping("available_node_types") if identity else ():
        place: KeyPath = ("available_node_types", name, "node_config")
        # Ray gives the head an identity of its own where the file names none, workers nothing.
        if name != head and identity not in document.mapping(*place):
            yield document.fault(
                (*place, str(identity)),
                f"is missing: workers could not write to {scheme}",
                remedy="Ray gives an identity only to the head; name one that may use the bucket",
            )


def _mounted(document: Document, folder: str) -> str:
    """The mounted folder that ``folder`` is or lies below; empty for none."""
    keys = [key for key in SETUP if key != "head_setup_commands"]
    lines = [simple.words for _, simple in simple_commands(document, *keys)]
    for place in node_setup(document):
        lines += [tuple(str(command).split()) for command in document.list(*place)]
    for line in lines:
        if any(_MOUNTS.search(word) for word in line):
            for word in line:
                if _holds(word.rstrip("/"), folder):
                    return word.rstrip("/")
    return ""


def _holds(word: str, folder: str) -> bool:
    return word.startswith("/") and (folder == word or folder.startswith(word + "/"))


def _bank(document: Document) -> Iterator[Fault]:
    found = ray_start(document, "head_start_ray_commands")
    bank = found[1].environment.get("FER_TUNE_BANK", "") if found else ""
    shared = _mounted(document, str(document.get(*RESULTS)))
    if found and shared and _holds(shared, bank):
        yield document.fault(
            found[0],
            "must set FER_TUNE_BANK to a folder on the machine's own disk",
            value=bank,
            remedy="A bank in a shared folder is slower than computing; use a local disk",
        )
