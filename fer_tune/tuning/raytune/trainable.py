"""The Ray actor that trains runs, one after another, an epoch per step."""

from __future__ import annotations

import gc
import logging
import math
import os
import pickle
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import ray
from ray.tune import Trainable

from fer_tune import ray_private
from fer_tune.storage import UrlPath, local_copy
from fer_tune.storage.paths import TemporaryFolderFault
from fer_tune.training.device.gpu_share import use_expandable_segments
from fer_tune.tuning.files.worker_files import with_node_files
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.raytune.checkpoints import Checkpoint, Checkpoints
from fer_tune.tuning.raytune.worker.notices import (
    SIGTERM_WAIT_S,
    DrainWatch,
    act_on_sigterm,
    interruption_announced,
)
from fer_tune.tuning.raytune.worker.result import epoch_columns, summary
from fer_tune.tuning.raytune.worker.runs import Run, RunFactory, trained
from fer_tune.tuning.raytune.worker.writer import CheckpointWriter, RunState
from fer_tune.tuning.settings import WorkerSettings
from fer_tune.tuning.studies.asha import SCORE


class TrialActor(Trainable):
    """A Trainable whose process is reused: the next run needs a new network, not a new process.

    Whether a run ends by itself (completed, overfit, diverged, out of memory) is decided here,
    from the learning curve in its checkpoint; only ASHA decides on the driver.
    """

    def setup(
        self,
        config: dict[str, Any],
        settings: WorkerSettings | None = None,
        make_run: RunFactory | None = None,
    ) -> None:
        assert settings is not None
        os.environ.update(settings.credentials)
        if settings.context.gpu:
            use_expandable_segments()
        self._settings, self._make_run = settings, make_run or trained()
        self._has_node_files = self._is_draining = self._is_reused = False
        self._watch: DrainWatch | None = None
        # The modules live as long as the process. Without this, collecting the garbage of one run
        # takes half a second, as it looks through half a million of their objects.
        gc.freeze()
        self._assign(config)
        if ray.is_initialized() and settings.checkpoint_interval_s > 0:
            act_on_sigterm(self._save_before_the_end)
            self._watch = DrainWatch(self._hurry)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._writer.abandon()  # the run before has ended, or Ray would not reuse its process
        self._assign(new_config)
        if not self._is_reused:
            gc.freeze()  # also the modules that the first run has imported
            self._is_reused = True
        return True

    def _assign(self, config: dict[str, Any]) -> None:
        # The last run is freed before the next is built: two at once may not fit into memory.
        self._run: Run | None = None
        _release_memory()
        self.assignment = Assignment.from_dict(config["run"])
        self._assigned_at = time.time()
        self._checkpoints = Checkpoints(self._settings.results, self.assignment.number)
        self._writer = CheckpointWriter(
            self._checkpoints, interval_s=self._settings.checkpoint_interval_s
        )
        if self._is_draining:
            self._writer.hurry()
        # The report in the newest checkpoint, from another process or session.
        self._saved: dict[str, Any] | None = None
        self._reported = 0  # epoch of the last report of a checkpoint
        self._disk_error: OSError | None = None
        try:
            newest = next(self._checkpoints.newest_first(), None)
            self._saved = None if newest is None else newest.result
        except OSError as error:
            self._disk_error = error

    def __repr__(self) -> str:
        return self.assignment.title

    @property
    def run(self) -> Run:
        """The run in training, built on first use so that its errors count as the trial's."""
        if self._run is None:
            if not self._has_node_files:
                self._settings, self._has_node_files = with_node_files(self._settings), True
            self._run = self._make_run(self._settings, self.assignment)
            self._clock = _Clock()
            try:
                with self._own_disk():
                    self._restore_newest(self._run)
            except OSError as error:
                if _is_out_of_memory(error):
                    raise
                self._disk_error = error
        return self._run

    def _restore_newest(self, run: Run) -> None:
        """Restores the newest readable checkpoint, if any."""
        for checkpoint in self._checkpoints.newest_first():
            if _try_restore(run, checkpoint):
                self._clock = _Clock.of(checkpoint.result)
                if checkpoint.result["epoch"] > self._reported:
                    self._saved = checkpoint.result
                break

    def step(self) -> dict[str, Any]:
        """One epoch; ``done`` with a ``stop_reason`` when the run ends by itself.

        ``checkpointed`` says whether the run can continue from this epoch already. A run that
        continues from a checkpoint first reports that epoch again, as ``restored``: the driver may
        have died before it received the report. Epochs that were reported after it are trained
        and reported again.
        """
        # Ray reads __repr__ once per process; the title follows the run that is in training.
        ray_private.set_process_title(f"ray::{self.assignment.title}")
        self._find_disk_error()
        if self._disk_error is None and self._saved is not None:
            return self._report_saved(self._saved)
        if self._disk_error is None:
            run = self.run
            # A process that was still ending has written a newer one in the meantime.
            if self._saved is not None:
                return self._report_saved(self._saved)
        if self._disk_error is not None:  # at the assignment, in the writer's thread, or now
            nothing = {"epoch": 0, "ran": False, SCORE: math.nan, "stop_reason": None}
            return {**nothing, "done": True, "disk_fault": _as_list(self._disk_error)}
        try:
            return self._run_epoch(run)
        except Exception:
            with suppress(Exception):  # the first error is the one to report
                self._writer.flush()
            raise

    def _report_saved(self, result: dict[str, Any]) -> dict[str, Any]:
        self._saved, self._reported = None, result["epoch"]
        # Whichever node trained it.
        return {**result, "node_id": None, "restored": True, "checkpointed": True}

    def _run_epoch(self, run: Run) -> dict[str, Any]:
        run.prepare()
        if self._clock.started is None:
            self._clock.started = time.time()
            # The clock may have been set back.
            self._clock.setup_seconds = max(0.0, self._clock.started - self._assigned_at)
        began = time.monotonic()
        report = run.run_epoch()
        reason = run.curve.stop_reason()
        result = {
            **epoch_columns(report, run.curve),
            **summary(run.curve, run.best_counts),
            "stop_reason": reason,
        }
        disk_error: OSError | None = None
        if reason is not None and self._is_to_be_scored(run):
            try:
                with self._own_disk():
                    result |= run.score()
            except OSError as error:
                disk_error = error
        self._clock.seconds += time.monotonic() - began
        result |= {
            "done": reason is not None,
            **vars(self._clock),
            "node": socket.gethostname(),
            "node_id": _node_id(),
        }
        try:
            if disk_error is None:
                with self._own_disk():
                    result["checkpointed"] = self._save(run, result)
        except OSError as error:
            disk_error = error
        if disk_error is not None:
            # The trial did not fail; the driver ends the search with this error.
            result["disk_fault"] = _as_list(disk_error)
        return result

    def _is_to_be_scored(self, run: Run) -> bool:
        return self.assignment.cohort == "confirm" and run.curve.best_epoch is not None

    def _save(self, run: Run, result: dict[str, Any]) -> bool:
        """Hands the run's state to the writer; returns whether it is on the disk already.

        Once the run has ended, its report alone is saved, at once: it is not continued.
        """
        ended = result["stop_reason"] is not None
        write = _nothing if ended else run.snapshot()
        state = RunState(epoch=result["epoch"], result=dict(result), write=write)
        return self._writer.offer(state, now=ended or interruption_announced)

    def _find_disk_error(self) -> None:
        """Takes over the error of an earlier write in the writer's thread."""
        try:
            with self._own_disk():
                self._writer.check()
        except OSError as error:
            self._disk_error = error

    @contextmanager
    def _own_disk(self) -> Iterator[None]:
        """Raises OSError where this machine's temporary folder is unusable and there is no other.

        On a cluster the trial fails instead, and is restarted, on another machine if need be.
        """
        try:
            yield
        except TemporaryFolderFault as fault:
            if self._settings.file_server is not None:
                raise
            raise fault.as_os_error() from fault

    def _hurry(self) -> None:
        """Saves the newest state now, and every later one at once."""
        self._is_draining = True
        self._writer.hurry()

    def _save_before_the_end(self) -> None:
        """Saves the newest state, as the process is about to end."""
        with suppress(Exception):  # another process continues from the checkpoint before
            self._writer.flush(SIGTERM_WAIT_S)

    def cleanup(self) -> None:
        if self._watch is not None:
            self._watch.close()
        self._writer.close()
        self._run = None


def _release_memory() -> None:
    """Frees memory of the last run, if one was trained here."""
    if "torch" in sys.modules:
        from fer_tune.training.device.compute import release_memory

        release_memory()


@dataclass
class _Clock:
    """Times of a run, over all processes that trained it."""

    started: float | None = None  # seconds since the Unix epoch
    setup_seconds: float = 0.0
    seconds: float = 0.0

    @classmethod
    def of(cls, result: dict[str, Any]) -> _Clock:
        return cls(**{field.name: result[field.name] for field in fields(cls)})


def _try_restore(run: Run, checkpoint: Checkpoint) -> bool:
    """Restores a run from ``checkpoint``; False if it is unreadable: an older one may work.

    Raises:
        OSError: the store at the URL is unavailable.
        RuntimeError, MemoryError, OSError: memory ran out. The trial fails and is restarted from
            this checkpoint, as the checkpoint itself is sound.
    """
    try:
        with local_copy(checkpoint.folder) as folder:
            run.restore(folder)
    except (OSError, EOFError, KeyError, RuntimeError, ValueError, pickle.PickleError) as error:
        at_url = isinstance(checkpoint.folder, UrlPath)
        if at_url and isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
            raise  # an unavailable store is no reason to start over
        if _is_out_of_memory(error):
            raise
        # Truncated by a power cut. Without a checkpoint the run starts over, with the same result.
        logging.getLogger(__name__).warning("%s cannot be read: %s", checkpoint.folder, error)
        return False
    return True


def _is_out_of_memory(error: Exception) -> bool:
    """Whether memory ran out; replayed runs have no torch and need none."""
    if "torch" not in sys.modules:
        return False
    from fer_tune.features.out_of_memory import is_out_of_memory

    return is_out_of_memory(error)


def _as_list(disk_error: OSError) -> list[Any]:
    """A disk error in the form in which the driver raises it again."""
    return [disk_error.errno, disk_error.strerror, str(disk_error.filename)]


def _node_id() -> str | None:
    """Ray's id of this node; without a running Ray, asking would start one."""
    return ray.get_runtime_context().get_node_id() if ray.is_initialized() else None


def _nothing(folder: Path) -> None:
    """Writes no state."""
