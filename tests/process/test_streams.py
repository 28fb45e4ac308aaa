"""Commands whose reader, terminal, disk or encoding lets them down: real processes."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: A command that prints more than a pipe holds, through everything that the real ones print with.
TALKS = """
import sys, typer
from rich.console import Console
from fer_tune.process import entered, keep_going
with entered():
    if "goes on" in sys.argv:
        keep_going("the search")
    for number in range(1200):
        Console().print(f"line {number} of a command that prints a lot")
        typer.echo("by typer")
        print("plainly")
    print("reached the end", file=sys.stderr)
    sys.exit(int(sys.argv[-1]))
"""
WRITES = """
import sys
from fer_tune.process import entered
with entered():
    print(sys.argv[1].encode("utf-8", "surrogateescape").decode("unicode_escape"))
"""
#: A progress display on a terminal; what comes after the line from stdin finds it closed.
LIVES = """
import sys
from rich.console import Console
from rich.live import Live
from fer_tune.process import entered, keep_going
with entered():
    if sys.argv[1]:
        keep_going(sys.argv[1])
    console = Console(force_terminal=True)
    with Live("working", console=console, auto_refresh=False):
        sys.stdin.readline()
        console.print("nobody sees this")
        print("nor this", file=sys.stderr)
    print("reached the end", file=sys.stderr)
"""
#: Its output waits in the buffer until the command ends, or is flushed by it.
WAITS = """
import signal, sys
from fer_tune.process import entered
signal.signal(signal.SIGUSR1, lambda *_: print("by a signal handler", flush=True))
with entered():
    print("ready", file=sys.stderr)
    print("short", flush=sys.argv[1] == "flush")
"""


def python(
    code: str, *words: str, shell: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Runs ``code``; ``shell`` is what stands after it in bash, where the exit code is its own."""
    bash = ["bash", "-c", f'"$@" {shell}; exit ${{PIPESTATUS[0]}}', "bash"]
    return subprocess.run(
        [*bash, sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, **environment},
        timeout=120,
    )


def test_a_lost_reader_ends_a_short_command_silently() -> None:
    done = python(TALKS, "0", shell="| head -1")
    assert (done.returncode, done.stderr) == (141, "")
    assert done.stdout == "line 0 of a command that prints a lot\n"


def test_a_lost_reader_is_noticed_in_the_last_words_too() -> None:
    done = python(
        "import time\nfrom fer_tune.process import entered\n"
        "with entered():\n    time.sleep(1)\n    print('short')",
        shell="| true",
    )
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("code", ["0", "130"])
def test_a_search_continues_without_a_reader_and_keeps_its_exit_code(code: str) -> None:
    done = python(TALKS, "goes on", code, shell="| head -1")
    assert done.returncode == int(code)
    assert done.stderr.splitlines() == [
        "fer-tune: standard output was closed by its reader; the search continues",
        "reached the end",
    ]


def test_a_full_disk_is_one_message_and_ends_no_search() -> None:
    done = python(TALKS, "0", shell="> /dev/full")
    assert (done.returncode, done.stderr) == (
        2,
        "fer-tune: standard output cannot be written: No space left on device. "
        "Free up space, or redirect it\n",
    )
    done = python(TALKS, "goes on", "0", shell="> /dev/full")
    assert done.returncode == 0
    assert done.stderr.splitlines()[1:] == ["reached the end"]
    assert "; the search continues" in done.stderr


@pytest.mark.parametrize(
    ("what", "code", "error"),
    [
        (
            "the search",
            0,
            "fer-tune: standard output was closed by its reader; the search continues\n"
            "reached the end\n",
        ),
        ("", 141, ""),
    ],
)
def test_a_terminal_closed_under_a_progress_display(what: str, code: int, error: str) -> None:
    """Rich then has ``sys.stderr`` print to the very stream that is failing."""
    master, terminal = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", LIVES, what],
        stdin=subprocess.PIPE,
        stdout=terminal,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "TERM": "xterm"},
    ) as process:
        os.close(terminal)
        os.read(master, 1)  # the display is there
        os.close(master)
        _, said = process.communicate("\n", timeout=60)
    assert (said, process.returncode) == (error, code)


def test_an_input_output_error_of_a_file_is_no_lost_reader() -> None:
    """Nothing is mapped at address 0: writing there is EIO, as on a failing disk."""
    done = python(
        "import os\nfrom fer_tune.process import entered\n"
        "os.dup2(os.open('/proc/self/mem', os.O_WRONLY), 1)\n"
        "with entered():\n    print('text')"
    )
    assert (done.returncode, done.stderr) == (
        2,
        "fer-tune: standard output cannot be written: Input/output error. "
        "Free up space, or redirect it\n",
    )


@pytest.mark.parametrize("when", ["at the end", "flush"])
@pytest.mark.parametrize("read", [True, False])
def test_a_full_pipe_that_does_not_block_is_waited_for(when: str, read: bool) -> None:
    process, reader, filled = _full_pipe(when)
    with process:
        assert process.stderr and process.stderr.readline() == b"ready\n"
        time.sleep(0.3)
        assert process.poll() is None, "it waits for its reader"
        text = _everything(reader) if read else b""
        os.close(reader)
        error = process.stderr.read()
    assert (error, process.returncode) == (b"", 0 if read else 141)
    assert text == (filled + b"short\n" if read else b"")


def test_a_long_output_arrives_whole_in_a_pipe_that_does_not_block() -> None:
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writer, False)
    with subprocess.Popen(
        [sys.executable, "-c", TALKS, "0"], stdout=writer, stderr=subprocess.PIPE, cwd=ROOT
    ) as process:
        os.close(writer)
        text = os.read(reader, 10)
        time.sleep(0.5)  # it fills
        text += _everything(reader)
        os.close(reader)
        assert process.stderr and process.stderr.read() == b"reached the end\n"
    assert process.returncode == 0
    assert text.count(b"\n") == 3600 and text.endswith(b"plainly\n")


def test_a_signal_handler_may_print_while_output_waits() -> None:
    process, reader, filled = _full_pipe("flush")
    with process:
        assert process.stderr and process.stderr.readline() == b"ready\n"
        time.sleep(0.3)
        process.send_signal(signal.SIGUSR1)
        time.sleep(0.3)
        text = _everything(reader)
        os.close(reader)
        assert process.stderr.read() == b""
    assert process.returncode == 0
    assert sorted(text.removeprefix(filled).splitlines()) == [b"by a signal handler", b"short"]


def _full_pipe(when: str) -> tuple[subprocess.Popen[bytes], int, bytes]:
    """``WAITS`` with a full pipe as its output; the pipe's reading end, and what fills it."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    filled = b"." * os.write(writer, b"." * 2**20)
    process = subprocess.Popen(
        [sys.executable, "-c", WAITS, when], stdout=writer, stderr=subprocess.PIPE, cwd=ROOT
    )
    os.close(writer)
    return process, reader, filled


def _everything(reader: int) -> bytes:
    with open(reader, "rb", closefd=False) as file:
        return file.read()


@pytest.mark.parametrize(
    "shell", ["2> /dev/full", "2>&-", ">&- 2>&- <&-", "2>&1 | cat > /dev/null"]
)
def test_standard_error_never_changes_the_exit_code(shell: str) -> None:
    assert python(TALKS, "3", shell=shell).returncode == 3


def test_a_closed_stream_is_no_other_files(tmp_path: Path) -> None:
    """The next file to be opened would get the number of standard output, and its text."""
    code = (
        "import os, sys\nfrom fer_tune.process import entered\nwith entered():\n"
        "    with open(sys.argv[1], 'w') as file:\n        file.write('mine')\n"
        "        print('not mine'); os.write(1, b'nor this')"
    )
    done = python(code, str(tmp_path / "file"), shell=">&- 2>&- <&-")
    assert done.returncode == 0
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("encoding", "written"),
    [
        ("ascii", r"0.1 \u2013 0.2 \u00d7 \ud83d\ude00 \udcff"),
        ("latin-1", "0.1 \\u2013 0.2 \xd7 \\ud83d\\ude00 \\udcff"),
        ("utf-8", "0.1 \u2013 0.2 \xd7 \U0001f600 \\udcff"),
    ],
)
def test_what_an_encoding_lacks_is_written_as_json_does(
    encoding: str, written: str, tmp_path: Path
) -> None:
    text = r"0.1 \u2013 0.2 \xd7 \U0001f600 \udcff"
    file = tmp_path / "out"
    done = python(WRITES, text, shell=f"> {file}", PYTHONIOENCODING=encoding, LC_ALL="C")
    assert (done.returncode, done.stderr) == (0, "")
    assert file.read_text(encoding=encoding) == written + "\n"


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_streams_are_flushed_as_python_does(unbuffered: str) -> None:
    """Standard error line by line, and everything at once where that is asked for."""
    code = (
        "import sys\nfrom fer_tune.process import entered\nwith entered():\n"
        "    print('error', file=sys.stderr)\n    print('output', end='')\n"
        "    sys.stdin.readline()"
    )
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env=environment,
    ) as process:
        assert process.stdin and process.stdout and process.stderr
        assert process.stderr.readline() == b"error\n"
        if unbuffered:
            assert process.stdout.read(6) == b"output"
        process.stdin.write(b"\n")


def test_nobodys_streams_are_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    from fer_tune.process import entered

    before = sys.stdout
    with entered():
        assert sys.stdout is before
        print("captured")
    assert capsys.readouterr().out == "captured\n"
