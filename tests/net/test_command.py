"""Running programs: what they print, and every way in which they can fail, as one line."""

import errno
import sys
import time
from pathlib import Path

import pytest

from pywg.net import command
from pywg.net.system import NetworkError
from tests.netns.wait import until


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
    ("script", "said", "status"),
    [
        ("echo wrong >&2; echo also >&2; exit 3", "it: wrong / also (exit status 3)", 3),
        ("echo told on stdout; exit 1", "it: told on stdout (exit status 1)", 1),
        ("exit 4", "it: it does not say why (exit status 4)", 4),
        ("kill -9 $$", "it: it does not say why (killed by signal 9)", 137),
    ],
)
def test_a_failure_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str, status: int
) -> None:
    program(tmp_path, "it", script)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(NetworkError) as caught:
        command.run("it")
    assert str(caught.value) == said
    assert caught.value.status == status


def test_what_is_not_there_or_no_program_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NetworkError) as caught:
        command.run("no-such-program-at-all", "-x")
    assert str(caught.value) == "no-such-program-at-all -x: no-such-program-at-all is not installed"
    assert caught.value.status == 127
    (tmp_path / "it").write_text("")
    assert failure(str(tmp_path / "it")).endswith(": Permission denied")


def test_a_program_that_hangs_is_stopped(tmp_path: Path) -> None:
    started = time.monotonic()
    assert failure(program(tmp_path, "it", "exec sleep 30"), timeout=0.2).endswith(
        ": not done after 0.2 s, and stopped"
    )
    assert time.monotonic() - started < 15


def test_ctrl_c_at_the_terminal_does_not_reach_it(tmp_path: Path) -> None:
    """A change of the system is not cut in two, nor is undoing one: it is for us to decide who ends."""
    script = program(tmp_path, "it", "echo $$; ps -o pgid= -p $$")
    process, group = command.run(script).stdout.split()
    assert process == group


def test_what_a_program_runs_that_hangs_is_stopped_too(tmp_path: Path) -> None:
    """Else it would go on, writing to a file that nobody sees."""
    script = program(tmp_path, "it", f"sleep 30 & echo $! > {tmp_path}/pid; wait")
    failure(script, timeout=2)  # Which it needs on a busy machine to write that file.
    process = Path(f"/proc/{int((tmp_path / 'pid').read_text())}/stat")
    # What was killed needs a moment to die.
    until(lambda: _state(process) in "ZX", "it is dead", seconds=10)


def _state(stat: Path) -> str:
    """The letter of proc(5); X: it is gone."""
    try:
        return stat.read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


def test_a_program_that_prints_without_end_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it fills the disk, or our memory."""
    monkeypatch.setattr(command, "MOST_PRINTED", 1 << 20)
    started = time.monotonic()
    for stream in ("1", "2"):
        script = program(tmp_path, "it", f"exec yes complaint >&{stream}")
        assert failure(script, timeout=30) == f"{script}: printed more than 1048576 bytes, and was stopped"
    assert time.monotonic() - started < 15


def test_what_a_program_says_at_length_is_cut(tmp_path: Path) -> None:
    said = failure(program(tmp_path, "it", "yes complaint | head -n 9999 >&2; exit 1"))
    assert said.startswith(f"{tmp_path}/it: complaint / complaint / ")
    assert said.endswith(" ... (exit status 1)")
    assert len(said) < 1200


def test_text_need_not_be_utf_8(tmp_path: Path) -> None:
    """As a search domain in a configuration need not be."""
    printed = command.run(program(tmp_path, "it", "od -An -tx1"), text="a\udce9b")
    assert printed.stdout.strip() == "61 e9 62"


@pytest.mark.parametrize("before", ["", ".:", ":", "bin:"])
def test_no_program_is_taken_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    """Whatever PATH has: `su` leaves nft out of it, and who is root may stand in anybody's directory."""
    (tmp_path / "bin").mkdir()
    program(tmp_path, "true", "echo from here")
    program(tmp_path / "bin", "true", "echo from here")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{before}/usr/bin:/bin")
    assert command.find("true") in {"/usr/bin/true", "/bin/true"}
    assert command.run("true").stdout == ""
    monkeypatch.setenv("PATH", "")
    assert command.find("true") is None


def no_place(*_: object) -> None:
    raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")


@pytest.mark.skipif(sys.platform != "linux", reason="NOT TESTED: files in memory")
def test_a_full_disk_is_no_reason_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else `down` would leave firewall and name servers behind."""
    monkeypatch.setattr("pywg.net.command.tempfile.TemporaryFile", no_place)
    assert command.run("cat", text="a line\n").stdout == "a line\n"


def test_without_a_place_for_temporary_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor in memory: ``vm.memfd_noexec``, or an old kernel."""
    monkeypatch.setattr("pywg.net.command.tempfile.TemporaryFile", no_place)
    monkeypatch.setattr("pywg.net.command.os.memfd_create", no_place, raising=False)
    assert failure("true") == "true: No usable temporary directory found in ['/tmp']"


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
