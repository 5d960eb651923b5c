"""pywg/cli/main.py: which command is meant, what it costs, and what the user reads when none is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pywg import __version__
from pywg.cli.main import main
from pywg.interface_name import RESERVED
from tests.needs import ENGINES, need_engine

PROJECT = Path(__file__).resolve().parents[2]


def pywg(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "pywg", *words],
        env={**os.environ, "PYTHONPATH": str(PROJECT), **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


@pytest.mark.parametrize("word", ["-h", "--help", "help"])
def test_help_goes_to_standard_output(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([word]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("usage: pywg [-f|--foreground] INTERFACE")
    assert err == ""


def test_nothing_asked_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--frobnicate", "wg0"], "unknown option '--frobnicate'"),
        (["-f"], "expected one interface name, got 0"),
        (["wg0", "wg1"], "expected one interface name, got 2"),
        (["x" * 16], "is 16 characters long; at most 15 are possible"),
        (["../wg0"], "is no interface name"),
        ([""], "is no interface name"),
        (["-f", "show"], "'show' is the name of a command"),
        (["--foreground", "up"], "'up' is the name of a command"),
        (["-fwg0"], "unknown option '-fwg0'"),
    ],
)
def test_wrong_words_are_one_line_and_status_1(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("pywg: ")
    assert err.count("\n") == 1
    assert message in err


@pytest.mark.parametrize("word", sorted(RESERVED - {"help", "version", "demo"}))
def test_reserved_words_never_become_an_interface(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def open_nothing(*_: object) -> int:
        raise AssertionError(f"'{word}' was taken for an interface")

    monkeypatch.setattr("pywg.cli.daemon.main", open_nothing)
    assert main([word]) == 1


def test_version_names_the_engine_and_why() -> None:
    done = pywg("--version")
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first == f"pywg {__version__}"
    assert second.startswith(("engine: python (", "engine: native ("))


@pytest.mark.parametrize("engine", ENGINES)
def test_version_of_an_engine_that_was_asked_for(engine: str) -> None:
    need_engine(engine)
    done = pywg("--version", PYWG_ENGINE=engine)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1].startswith(f"engine: {engine} (it was asked for")


def test_version_of_an_impossible_engine_is_one_line() -> None:
    done = pywg("--version", PYWG_ENGINE="steam")
    assert done.returncode == 1
    assert done.stderr.startswith("pywg: ")
    assert "steam" in done.stderr
    assert done.stderr.count("\n") == 1


def test_version_takes_no_argument(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version", "wg0"]) == 1
    assert "takes no argument" in capsys.readouterr().err


def test_interrupt_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_words: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("pywg.cli.version.main", interrupted)
    assert main(["--version"]) == 130
    assert capsys.readouterr().err == ""
