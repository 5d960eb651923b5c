"""The four words on the command line: what reaches the user, with which exit status."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pywg.cli import quick
from pywg.config.model import ConfigError
from pywg.daemon.errors import StartError
from pywg.daemon.signals import END_SIGNALS
from pywg.net.system import NetworkError
from pywg.quick.errors import QuickError
from pywg.uapi.client import UapiError

SECRET = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="  # noqa: S105 (published in wg-quick(8))

Say = pytest.CaptureFixture[str]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A file, and a process that is root, or seems to be; and heeds signals afterwards."""
    monkeypatch.setattr("os.geteuid", lambda: 0)
    path = tmp_path / "wg0.conf"
    path.touch(mode=0o600)
    path.write_text(f"[Interface]\nPrivateKey = {SECRET} # ours\nDNS = 1.1.1.1\n")
    handlers = {number: signal.getsignal(number) for number in END_SIGNALS}
    yield str(path)
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("word", [quick.up, quick.down, quick.save, quick.strip])
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "expected one interface or file, got none"),
        (["one", "two"], "expected one interface or file, got 2"),
        (["--kernal", "wg0"], "unknown option '--kernal'; "),
        (["-f", "wg0"], "unknown option '-f'; "),
    ],
)
def test_wrong_use(word: Callable[[list[str]], int], words: list[str], sentence: str, capsys: Say) -> None:
    assert word(words) == 1
    seen = capsys.readouterr()
    assert seen.out == ""
    first, usage = seen.err.split("\n", 1)
    assert first.startswith(f"pywg: {sentence}")
    assert usage.startswith(f"usage: pywg {word.__name__} ")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (QuickError("what happened", 7), 7),
        (NetworkError("what happened"), 2),
        (NetworkError("what happened", 5), 5),
        (ConfigError("what", None, "happened"), 1),
        (StartError("what happened"), 1),
        (UapiError("what happened"), 1),
    ],
)
def test_errors(
    error: Exception, status: int, file: str, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(quick, "_open_system", fail)
    assert quick.down([file]) == status
    assert capsys.readouterr().err == f"pywg: {error}\n"


def test_a_fault_of_ours_is_told_without_its_values(
    file: str, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    def fail(*_: object) -> None:
        raise ValueError(SECRET)

    monkeypatch.setattr(quick, "_open_system", fail)
    assert quick.up([file]) == 1
    said = capsys.readouterr().err
    assert said.startswith("pywg: unforeseen: ValueError in cli/quick.py")
    assert SECRET not in said


def test_strip_needs_no_root(file: str, monkeypatch: pytest.MonkeyPatch, capsys: Say) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert quick.strip([file]) == 0
    assert capsys.readouterr().out == f"[Interface]\nPrivateKey = {SECRET} # ours\n\n"
    assert quick.up([file]) == 1
    assert capsys.readouterr().err == f"pywg: run as root: sudo pywg up {file}\n"
