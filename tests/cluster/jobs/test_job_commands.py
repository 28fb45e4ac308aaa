"""`submit`, `status`, `logs` and `stop` as a user meets them, against a small server."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from job_command_line import ID, fer_tune, started
from job_server import Script, serving


def test_submit_sends_the_tree_and_follows(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("notes")
    with serving(Script(log=["one\n", "two\n"])) as server:
        # The server knows one job; the one submitted gets its id.
        server.details = lambda: {  # type: ignore[method-assign]
            **Script.details(server),
            "submission_id": server.submitted[-1]["submission_id"] if server.submitted else ID,
        }
        code, out, err = fer_tune(
            tmp_path,
            *("submit", "quickstart", "--address", server.address),
            *("--data", "/srv/faces", "--results", "/srv/r", "--set", "budget.trials=4"),
        )
    assert (code, out) == (0, "one\ntwo\n"), err
    (sent,) = server.submitted
    assert sent["submission_id"].startswith("quickstart-20")
    assert sent["entrypoint"] == (
        "exec python -m fer_tune search submitted_space/quickstart.yaml --results /srv/r "
        "--data /srv/faces --set budget.trials=4 --address auto"
    )
    assert int(sent["runtime_env"]["env_vars"]["RAY_JOB_STOP_WAIT_TIME_S"]) >= 600
    assert sent["metadata"]["results"] == "/srv/r" and sent["metadata"]["space"] == "quickstart"
    ((name, content),) = server.packages.items()
    assert sent["runtime_env"]["working_dir"] == f"gcs://{name}"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert {"notes.txt", "submitted_space/quickstart.yaml"} == set(archive.namelist())
    link = f"{server.address}/#/jobs/{sent['submission_id']}"
    assert err.index("2 files of") < err.index(link) < err.index("has ended: succeeded")


def test_no_credential_is_sent_or_printed(tmp_path: Path) -> None:
    """Planted wherever a working tree and its user have some, and looked for in everything."""
    planted = "Hush0123456789abcdefghijklmnopqrstuvwxyz"
    secrets = {
        name: planted
        for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "HF_TOKEN", "RAY_AUTH_TOKEN")
    }
    for name in (".env", "kaggle.json", ".aws/credentials", "notes.txt", "code.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"HF_TOKEN={planted}\n")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    with serving(Script(token=planted, log=["one\n"])) as server:
        words = ("submit", "quickstart", "--data", "/d", "-d", "--address", server.address)
        code, out, err = fer_tune(tmp_path, *words, **secrets)
        assert code == 0, err
        (content,) = server.packages.values()
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            inside = b"".join(archive.read(name) for name in archive.namelist())
        everything = out + err + json.dumps(server.submitted) + inside.decode()
        assert planted not in everything and "secrets (5): " in err
        for more in (
            ("--results", f"s3://key:{planted}@b/r"),
            ("--set", f"purpose=s3://key:{planted}@b/r"),
        ):
            code, out, err = fer_tune(tmp_path, *words, *more, **secrets)
            assert code == 2 and "credentials" in err and planted not in out + err
    assert len(server.submitted) == 1


def test_the_same_tree_is_sent_once(tmp_path: Path) -> None:
    with serving(Script()) as server:
        words = ("submit", "quickstart", "--data", "/d", "-d", "--address", server.address)
        assert fer_tune(tmp_path, *words)[0] == 0
        held = dict(server.packages)
        server.packages = dict.fromkeys(held, b"not sent again")
        code, out, err = fer_tune(tmp_path, *words)
    assert code == 0 and out == ""
    assert list(server.packages.values()) == [b"not sent again"]
    assert "fer-tune logs quickstart-20" in err and f"--address {server.address}" in err


def test_every_error_of_a_space_is_reported_and_nothing_sent(tmp_path: Path) -> None:
    with serving(Script()) as server:
        code, _, err = fer_tune(
            tmp_path,
            *("submit", "quickstart", "--data", "/d", "--address", server.address),
            *("--set", "budget.trails=4", "--set", "budget.max_epochs=0"),
        )
    assert code == 2 and "2 errors" in err
    assert server.packages == {} and server.submitted == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["submit", "quickstart"], "missing option --data. Pass"),
        (["submit"], "either SPACE"),
        (["submit", "quickstart", "--resume", "/r", "--data", "/d"], "either SPACE"),
        (["submit", "--resume", "/r", "--set", "a=b"], "Remove --results and --set"),
        (["submit", "quickstart", "--data", "/d"], "missing option --cluster or --address. Use"),
        (["submit", "quickstart", "--data", "/d", "--results", "results/x"], "an absolute path"),
        (["submit", "--resume", "results/x"], "an absolute path"),
        (["submit", "quickstart", "--data", "ftp://h/d"], "ftp:// is not a supported store"),
        (["submit", "quickstart", "--data", "s3://k:s@b/d"], "this URL contains credentials"),
        (["status"], "missing option --cluster or --address. Use"),
        (["logs", "x", "--address", "auto"], "must be the address of a Ray dashboard"),
    ],
)
def test_what_is_missing_is_said(words: list[str], said: str, tmp_path: Path) -> None:
    code, out, err = fer_tune(tmp_path, *words)
    assert (code, out) == (2, "") and said in err and err.startswith("fer-tune: ")


def test_pictures_at_a_url_are_the_heads_to_fetch(tmp_path: Path) -> None:
    with serving(Script()) as server:
        code, _, err = fer_tune(
            tmp_path,
            *("submit", "quickstart", "-d", "--address", server.address, "--results", "/srv/r"),
            *("--data", "s3://bucket/faces?region=eu-west-1"),
        )
    assert code == 0 and "the head will fetch the dataset" in err, err
    (sent,) = server.submitted
    assert "--data 's3://bucket/faces?region=eu-west-1' --address auto" in sent["entrypoint"]
    assert sent["metadata"]["data"] == "s3://bucket/faces?region=eu-west-1"


def test_going_on_is_a_job_too(tmp_path: Path) -> None:
    with serving(Script()) as server:
        code, _, err = fer_tune(
            tmp_path, "submit", "--resume", "/srv/r/one", "-d", "--address", server.address
        )
    assert code == 0, err
    (sent,) = server.submitted
    assert sent["entrypoint"] == "exec python -m fer_tune resume /srv/r/one --address auto"
    assert sent["submission_id"].startswith("one-20")
    assert sent["metadata"]["results"] == "/srv/r/one"


def test_ctrl_c_detaches_and_the_job_runs_on(tmp_path: Path) -> None:
    with serving(Script(log=["one\n"], runs_on=True)) as server:
        process = started(tmp_path, "logs", ID, "--follow", "--address", server.address)
        assert process.stdout is not None
        assert process.stdout.readline() == "one\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130 and server.state == "RUNNING"
    assert f"{ID} is still running" in err and "Traceback" not in err
    assert f"fer-tune logs {ID} --follow --address {server.address}" in err
    assert f"fer-tune stop {ID} --address {server.address}" in err


def test_the_package_does_not_stay_here_while_a_job_is_followed(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    with serving(Script(log=["one\n"], runs_on=True)) as server:
        server.details = lambda: {  # type: ignore[method-assign]
            **Script.details(server),
            "submission_id": server.submitted[-1]["submission_id"] if server.submitted else ID,
        }
        words = ("submit", "quickstart", "--data", "/d", "--address", server.address)
        process = started(tmp_path, *words, TMPDIR=str(tmp_path / "tmp"))
        assert process.stdout is not None
        assert process.stdout.readline() == "one\n"
        left = [path.name for path in (tmp_path / "tmp").rglob("*") if path.is_file()]
        assert left == [".lock"]
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert not list((tmp_path / "tmp").iterdir())


def test_the_exit_code_follows_the_job(tmp_path: Path) -> None:
    with serving(Script(log=["one\n"], exit_code=3)) as server:
        code, out, err = fer_tune(tmp_path, "logs", "one", "-f", "--address", server.address)
    assert (code, out) == (3, "one\n") and "has ended: failed" in err
    assert f"fer-tune submit --resume /srv/results/one --address {server.address}" in err


def test_status(tmp_path: Path) -> None:
    with serving(Script(state="STOPPED")) as server:
        where = {"RAY_API_SERVER_ADDRESS": server.address}
        code, out, _ = fer_tune(tmp_path, "status", **where)
        rows = [line.split() for line in out.splitlines()]
        assert code == 0 and len(rows) == 4
        assert rows[:2] == [["job", "state", "started", "duration"], ["results"]]
        assert (rows[2][:2], rows[2][-1]) == ([ID, "stopped"], "0:01:02")
        assert rows[3] == ["/srv/results/one"]
        (listed,) = json.loads(fer_tune(tmp_path, "status", "--json", **where)[1])
        assert listed["id"] == ID and listed["ended"] == 1062.0
        assert "0:01:02" in fer_tune(tmp_path, "status", "one", **where)[1]


def test_status_since(tmp_path: Path) -> None:
    with serving(Script(state="STOPPED")) as server:  # started at 1000 s
        words = ("status", "--address", server.address, "--json", "--since")
        listed = [json.loads(fer_tune(tmp_path, *words, s)[1]) for s in ("1969-12-01", "7d")]
    assert [[job["id"] for job in jobs] for jobs in listed] == [[ID], []]


def test_stop_says_how_to_go_on(tmp_path: Path) -> None:
    with serving(Script()) as server:
        code, out, _ = fer_tune(tmp_path, "stop", ID, "--address", server.address)
        assert code == 0 and server.state == "STOPPED"
        assert f"fer-tune submit --resume /srv/results/one --address {server.address}" in out
        began = time.monotonic()
        code, out, _ = fer_tune(tmp_path, "stop", ID, "--address", server.address)
        assert code == 0 and "has already ended: stopped" in out
        assert time.monotonic() - began < 30


class Failed(Script):
    """A job that Ray could not start."""

    def details(self) -> dict[str, Any]:
        message = "Runtime env setup failed:\n  no space\x1b[2J\nstate  succeeded"
        return {**super().details(), "status": "FAILED", "message": message}


@pytest.mark.parametrize("words", [("status", ID), ("logs", ID, "--follow")])
def test_rays_message_keeps_its_lines(words: tuple[str, ...], tmp_path: Path) -> None:
    with serving(Failed()) as server:
        _, out, err = fer_tune(tmp_path, *words, "--address", server.address)
    rows = (out + err).splitlines()
    at = rows.index("  message      Runtime env setup failed:")
    assert rows[at + 1 : at + 3] == [
        f"{'':15}  no space\\x1b[2J",
        f"{'':15}state  succeeded",
    ]


def test_a_followed_log_may_break_off_anywhere(tmp_path: Path) -> None:
    log = ["\x1b[3", "1mred\x1b", "[0m\r", "\n50 %\r", "60 %\r", "end\x1b["]
    with serving(Script(log=log)) as server:
        code, out, err = fer_tune(tmp_path, "logs", ID, "--follow", "--address", server.address)
    assert (code, out) == (0, "red\n50 %\n60 %\nend\\x1b["), err


class Silent(Script):
    """Takes a job and is gone before it says so."""

    async def _submit(self, request: web.Request) -> web.Response:
        answer = await super()._submit(request)
        assert request.transport is not None
        request.transport.abort()
        return answer


def test_a_job_that_may_have_been_taken(tmp_path: Path) -> None:
    with serving(Silent()) as server:
        words = ("submit", "quickstart", "--data", "/d", "-d", "--address", server.address)
        code, _, err = fer_tune(tmp_path, *words)
    (sent,) = server.submitted
    assert code == 2
    assert f"fer-tune status {sent['submission_id']} --address {server.address}" in err


class Stopping(Script):
    """Away for a moment, behind its gateway, when it has been asked to stop."""

    async def _stop(self, request: web.Request) -> web.Response:
        self.refuse = (503, 1)
        return await super()._stop(request)


def test_stop_waits_across_a_lost_connection(tmp_path: Path) -> None:
    with serving(Stopping()) as server:
        code, out, err = fer_tune(tmp_path, "stop", ID, "--address", server.address)
    assert code == 0 and "has ended: stopped" in out, err
    assert "connection lost" in err and "reconnected" in err


def test_long_names_are_not_cut_off(tmp_path: Path) -> None:
    long = {"results": f"s3://bucket/{'results/' * 20}one"}
    with serving(Script(more=long)) as server:
        _, out, _ = fer_tune(tmp_path, "status", "--address", server.address, COLUMNS="80")
    assert long["results"] in out.splitlines()[3]
