"""TensorBoard's event files, written by the thread that calls.

tensorboardX's own writer starts two threads and opens a pipe per file, flushes to the disk with
every value, and is kept until the process ends: more than the rest of a report, and of a trial.

A file is a sequence of records: length (uint64), masked CRC-32C of the length (uint32), an
``Event`` as a protocol buffer, masked CRC-32C of that; little-endian. A torn last record is ignored
by TensorBoard.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from pathlib import Path
from types import TracebackType

from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.summary_pb2 import Summary
from tensorboardX.record_writer import masked_crc32c

from fer_tune.storage.links import folder_below, open_file

_VERSION = "brain.Event:2"


class EventFile:
    """A new event file in ``folder``, which is made if it is missing.

    Args:
        root: folder above it, below which no link is followed.

    Raises:
        OSError: here and when writing.
    """

    def __init__(self, root: Path, folder: Path) -> None:
        now = time.time()
        # TensorBoard reads the files of a folder in the order of their names.
        name = f"events.out.tfevents.{int(now)}.{socket.gethostname()}.{time.monotonic_ns()}"
        created = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with folder_below(root, folder, make=True) as place:
            self._descriptor = open_file(Path(name), created, within=place)
        self._write(Event(wall_time=now, file_version=_VERSION))

    def __enter__(self) -> EventFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def add_scalars(self, values: dict[str, float], step: int) -> None:
        """Adds the values of one step by their tags."""
        found = [Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
        self.add_summary(Summary(value=found), step)

    def add_summary(self, summary: Summary, step: int = 0) -> None:
        self._write(Event(wall_time=time.time(), summary=summary, step=step))

    def close(self) -> None:
        os.close(self._descriptor)

    def _write(self, event: Event) -> None:
        data = event.SerializeToString()
        length = struct.pack("<Q", len(data))
        record = length + _checksum(length) + data + _checksum(data)
        while record:
            record = record[os.write(self._descriptor, record) :]


def _checksum(data: bytes) -> bytes:
    return struct.pack("<I", masked_crc32c(data))
