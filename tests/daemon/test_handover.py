"""pywg/daemon/handover.py: what the second process gets, and how each of its ends is told. No root.

The second process here is a shell script in place of the interpreter.
"""

import json
import os
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pywg.daemon.errors import StartError
from pywg.daemon.handover import Inherited, inherited, start_again

CHILD = Path(__file__).with_name("told_child.py")
Script = Callable[[str], Path]


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Script:
    """Make a shell script stand in for the interpreter; returns the directory it writes to."""

    def make(text: str) -> Path:
        path = tmp_path / "python"
        path.write_text(f"#!/bin/bash\nout={tmp_path}\necho $$ > $out/pid\n{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setattr("sys.executable", str(path))
        return tmp_path

    return make


@pytest.fixture
def pair() -> Iterator[tuple[int, int]]:
    """Two descriptors to hand over."""
    one, other = socket.socketpair()
    with one, other:
        yield one.fileno(), other.fileno()


def _alive(directory: Path) -> bool:
    pid = int((directory / "pid").read_text())
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_returns_when_the_child_says_so_and_leaves_it_running(script: Script, pair: tuple[int, int]) -> None:
    out = script("printf '\\006' >&$PYWG_READY_FD; exec sleep 20 3>&-")
    start_again("wg0", *pair, keep_output=False, seconds=20)
    assert _alive(out)
    os.kill(int((out / "pid").read_text()), 9)


def test_what_the_child_gets(script: Script, pair: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    stray, other = os.pipe()
    os.set_inheritable(stray, True)
    os.set_inheritable(other, True)
    monkeypatch.setenv("LOG_LEVEL", "silent")
    out = script(f'exec {sys.executable} -I {CHILD} "$out" "$@"')
    start_again("wg0", *pair, keep_output=False, seconds=20)
    os.close(stray)
    os.close(other)
    child = json.loads((out / "child").read_text())
    assert child["arguments"] == ["-P", "-m", "pywg", "-f", "wg0"]
    environment = child["environment"]
    assert environment["WG_TUN_FD"] == str(pair[0])
    assert environment["WG_UAPI_FD"] == str(pair[1])
    assert environment["WG_PROCESS_FOREGROUND"] == "1"
    assert environment["LOG_LEVEL"] == "silent"
    assert child["directory"] == "/"
    assert child["session"] == child["pid"]
    ready = environment["PYWG_READY_FD"]
    assert set(child["descriptors"]) == {"0", "1", "2", str(pair[0]), str(pair[1]), ready}
    assert [child["descriptors"][stream] for stream in "012"] == ["/dev/null"] * 3


def test_output_is_kept_when_asked_for(
    script: Script, pair: tuple[int, int], capfd: pytest.CaptureFixture[str]
) -> None:
    text = "echo said; echo complained >&2; printf '\\006' >&$PYWG_READY_FD"
    script(text)
    start_again("wg0", *pair, keep_output=True, seconds=20)
    assert capfd.readouterr() == ("said\n", "complained\n")
    script(text)
    start_again("wg0", *pair, keep_output=False, seconds=20)
    assert capfd.readouterr() == ("", "")


def test_the_childs_reason_is_told(script: Script, pair: tuple[int, int]) -> None:
    out = script("printf 'no room, ' >&$PYWG_READY_FD; sleep 0.1; printf 'make it' >&$PYWG_READY_FD; exit 1")
    with pytest.raises(StartError, match=r"^no room, make it$"):
        start_again("wg0", *pair, keep_output=False, seconds=20)
    assert not _alive(out)


@pytest.mark.parametrize(
    ("how", "said"), [("exit 3", "ended with status 3"), ("kill -9 $$", "was ended by signal 9")]
)
def test_a_silent_end_is_told(script: Script, pair: tuple[int, int], how: str, said: str) -> None:
    script(how)
    with pytest.raises(StartError, match=f"the background process {said}.*pywg -f"):
        start_again("wg0", *pair, keep_output=False, seconds=20)


def test_a_child_that_hangs_is_killed(script: Script, pair: tuple[int, int]) -> None:
    out = script("exec sleep 30")
    begun = time.monotonic()
    with pytest.raises(StartError, match="was not ready in time"):
        start_again("wg0", *pair, keep_output=False, seconds=2)  # Until it has written down its id.
    assert time.monotonic() - begun < 15
    assert not _alive(out)


def test_an_interpreter_that_is_gone(pair: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nonexistent/python")
    with pytest.raises(StartError, match="cannot start /nonexistent/python again: No such file"):
        start_again("wg0", *pair, keep_output=False, seconds=20)


def test_inherited_reads_numbers_and_shuts_them(pair: tuple[int, int]) -> None:
    for descriptor in pair:
        os.set_inheritable(descriptor, True)
    given = inherited({"WG_TUN_FD": str(pair[0]), "WG_UAPI_FD": str(pair[1])})
    assert given == Inherited(tun=pair[0], uapi=pair[1], ready=None, foreground=False)
    assert not os.get_inheritable(pair[0])
    assert not os.get_inheritable(pair[1])


@pytest.mark.parametrize(("value", "foreground"), [("1", True), ("0", False), ("", False), ("yes", False)])
def test_foreground_is_exactly_1(value: str, foreground: bool) -> None:
    given = inherited({"WG_PROCESS_FOREGROUND": value})
    assert given == Inherited(tun=None, uapi=None, ready=None, foreground=foreground)


@pytest.mark.parametrize("variable", ["WG_TUN_FD", "WG_UAPI_FD", "PYWG_READY_FD"])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("three", "is no descriptor; expected a decimal number"),
        ("-1", "is no descriptor"),
        ("٣", "is no descriptor"),
        ("987654", "is not an open descriptor"),
        ("9" * 30, "is not an open descriptor"),
    ],
)
def test_what_is_no_descriptor(variable: str, text: str, message: str) -> None:
    with pytest.raises(StartError, match=f"{variable}=.*{message}"):
        inherited({variable: text})
