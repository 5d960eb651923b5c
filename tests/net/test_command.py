"""Running programs: what they print, and every way in which they can fail, as one line."""

import sys
import time
from pathlib import Path

import pytest

from pywg.net import command
from pywg.net.system import NetworkError


def program(directory: Path, name: str, script: str) -> str:
    """A shell script; returns its path."""
    path = directory / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    return str(path)


def failure(*words: str, timeout: float = 10) -> str:
    """What the user reads."""
    with pytest.raises(NetworkError) as caught:
        command.run(*words, timeout=timeout)
    return str(caught.value)


def test_input_goes_in_and_output_comes_out(tmp_path: Path) -> None:
    script = program(tmp_path, "it", 'cat; echo "$#:$2" >&2; echo "$LC_ALL"')
    printed = command.run(script, "one", "two words; $(no shell)", text="line 1\nline 2\n")
    assert printed == command.Printed("line 1\nline 2\nC\n", "2:two words; $(no shell)\n")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo wrong >&2; echo also >&2; exit 3", "it: wrong / also (exit status 3)"),
        ("echo told on stdout; exit 1", "it: told on stdout (exit status 1)"),
        ("exit 4", "it: it does not say why (exit status 4)"),
        ("kill -9 $$", "it: it does not say why (killed by signal 9)"),
    ],
)
def test_a_failure_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str
) -> None:
    program(tmp_path, "it", script)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert failure("it") == said


def test_what_is_not_there_or_no_program_is_an_error(tmp_path: Path) -> None:
    assert failure("no-such-program-at-all", "-x") == (
        "no-such-program-at-all -x: no-such-program-at-all is not installed"
    )
    (tmp_path / "it").write_text("")
    assert failure(str(tmp_path / "it")).endswith(": Permission denied")


def test_a_program_that_hangs_is_stopped(tmp_path: Path) -> None:
    started = time.monotonic()
    assert failure(program(tmp_path, "it", "exec sleep 30"), timeout=0.2).endswith(
        ": not done after 0.2 s, and stopped"
    )
    assert time.monotonic() - started < 5


def test_what_a_program_leaves_behind_is_not_waited_for(tmp_path: Path) -> None:
    """resolvconf restarts name servers, which may keep its standard streams."""
    script = program(tmp_path, "it", "sleep 8 & echo $! ; exit 0")
    started = time.monotonic()
    left_behind = int(command.run(script).stdout)
    assert time.monotonic() - started < 4
    command.run("kill", str(left_behind))


def test_a_question_that_fails_is_answered_with_nothing(tmp_path: Path) -> None:
    assert command.asked(program(tmp_path, "it", "echo half; exit 1")) == ""
    assert command.asked(program(tmp_path, "it", "echo whole")) == "whole\n"


@pytest.mark.skipif(sys.platform != "linux", reason="NOT TESTED: where Linux has its programs")
def test_programs_of_root_are_found_without_their_place_in_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after ``su`` without ``-``."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert command.find("sysctl") in {"/usr/sbin/sysctl", "/sbin/sysctl"}
    assert command.find("no-such-program-at-all") is None
    assert command.run("sysctl", "-n", "kernel.ostype").stdout == "Linux\n"
