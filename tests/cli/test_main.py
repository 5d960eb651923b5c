"""pywg/cli/main.py: which command is meant, what it costs, and what the user reads when none is."""

import errno
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from pywg import __version__
from pywg.cli import main as dispatch
from pywg.cli.main import COMMANDS, main
from pywg.interface_name import RESERVED
from tests.cli.lines import PRIVATE
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


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    """What would have been called; everything succeeds."""
    calls: list[tuple[str, list[str]]] = []

    def record(target: str, words: list[str]) -> int:
        calls.append((target, words))
        return 0

    monkeypatch.setattr(dispatch, "_call", record)
    return calls


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The words that daemons would have been started with; they succeed."""
    started: list[list[str]] = []

    def start(words: list[str]) -> int:
        started.append(words)
        return 0

    monkeypatch.setattr("pywg.cli.daemon.main", start)
    return started


@pytest.mark.parametrize("target", COMMANDS.values(), ids=COMMANDS)
def test_each_command_has_its_function(target: str) -> None:
    module, function = target.split(":")
    assert callable(getattr(import_module(module), function))


@pytest.mark.parametrize(
    ("words", "target", "rest"),
    [
        (["show", "wg0"], COMMANDS["show"], ["wg0"]),
        (["show", "wg0", "--help"], COMMANDS["help"], ["show"]),
        (["set", "-h"], COMMANDS["help"], ["set"]),
        (["-h"], COMMANDS["help"], []),
        (["--help", "set"], COMMANDS["help"], ["set"]),
        (["help", "--help"], COMMANDS["help"], ["help"]),
        (["wg0", "--help"], COMMANDS["help"], ["daemon"]),
        (["-f", "-h"], COMMANDS["help"], ["daemon"]),
        (["-v"], COMMANDS["version"], []),
        (["--version"], COMMANDS["version"], []),
        (["wg0"], "pywg.cli.daemon:main", ["wg0"]),
        (["-f", "wg0"], "pywg.cli.daemon:main", ["-f", "wg0"]),
        (["wg0", "--foreground"], "pywg.cli.daemon:main", ["wg0", "--foreground"]),
        (["-x", "wg0"], "pywg.cli.daemon:main", ["-x", "wg0"]),
        (["shwo", "wg0"], "pywg.cli.unknown:unknown_command", ["shwo", "wg0"]),
        (["wg0", "--json"], "pywg.cli.unknown:unknown_command", ["wg0", "--json"]),
        ([], "pywg.cli.manual:nothing_asked", []),
    ],
)
def test_dispatch(
    words: list[str], target: str, rest: list[str], called: list[tuple[str, list[str]]]
) -> None:
    assert main(words) == 0
    assert called == [(target, rest)]


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
        (["-f", "wg0", "wg1"], "expected one interface name, got 2"),
        (["x" * 16], "is 16 characters long; at most 15 are possible"),
        (["../wg0"], "is no interface name"),
        ([""], "is no interface name"),
        (["-fwg0"], "unknown option '-fwg0'"),
        (["shwo", "wg0"], "unknown command 'shwo'; did you mean 'pywg show'?"),
        (["SHOW", "wg0"], "unknown command 'SHOW'; did you mean 'pywg show'?"),
        (["wg0", "up"], "unknown command 'wg0'; did you mean 'pywg up wg0'?"),
        (["wg0", "wg1"], "unknown command 'wg0'; 'pywg help' lists them"),
        (["wg0", "--json"], "unknown command 'wg0'"),
        (["help", "shwo"], "there is no help on 'shwo'"),
        (["bench"], "the word is reserved"),
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


@pytest.mark.parametrize(
    "text",
    [
        *(f"{command} KEY" for command in ("show", "showconf", "set", "up", "down", "strip", "save")),
        *("KEY", "-f KEY", "KEY wg0", "wg0 KEY", "help KEY", "completion KEY", "unit KEY", "-KEY"),
        *("setconf wg0 KEY", "setconf KEY /dev/null", "setconf wg0 ./KEY", "addconf wg0 PrivateKey=KEY"),
        *(
            "show KEY dump",
            "show absent0 KEY",
            "set absent0 KEY",
            "set absent0 peer x KEY",
            "genkey KEY",
            "doctor KEY",
        ),
    ],
)
def test_a_key_among_the_words_is_not_repeated(text: str, capfd: pytest.CaptureFixture[str]) -> None:
    """It was hardly meant for a terminal that others see, nor for a log."""
    assert main(text.replace("KEY", PRIVATE).split()) in {1, 2}
    out, err = capfd.readouterr()
    assert err != ""
    assert PRIVATE[:30] not in out + err
    assert PRIVATE[14:] not in out + err


@pytest.mark.parametrize("word", sorted(RESERVED))
def test_reserved_words_never_become_an_interface(word: str, called: list[tuple[str, list[str]]]) -> None:
    assert main([word]) == 0
    assert called == [(COMMANDS[word], []) if word in COMMANDS else ("pywg.cli.unknown:reserved", [word])]


def test_every_command_is_reserved() -> None:
    assert set(COMMANDS) <= RESERVED


class TestWordAlone:
    """It is an interface's name, whatever it resembles; that is told afterwards, if it may help."""

    def test_that_was_not_meant(self, daemon: list[list[str]], capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["shwo"]) == 0
        assert daemon == [["shwo"]]
        assert capsys.readouterr().err == (
            "pywg: note: 'shwo' is an interface now; if you meant 'pywg show', remove it: "
            "'ip link delete shwo'\n"
        )

    @pytest.mark.parametrize("words", [["wg0"], ["nyc"], ["show0"], ["-f", "shwo"], ["shwo", "-f"]])
    def test_that_was_meant(
        self, words: list[str], daemon: list[list[str]], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(words) == 0
        assert daemon == [words]
        assert capsys.readouterr().err == ""

    def test_that_failed(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        monkeypatch.setattr("pywg.cli.daemon.main", lambda _words: 130)
        assert main(["shwo"]) == 130
        assert "did you mean 'pywg show'?" in capsys.readouterr().err
        assert main(["wg0"]) == 130
        assert capsys.readouterr().err == ""


def test_starting_a_daemon_imports_neither_the_manual_nor_what_suggests() -> None:
    """Start-up time is paid twice."""
    # A wrong option is noticed after everything has been imported that the first of the two starts needs.
    code = "import sys; from pywg.cli.main import main; main(['-f', '-x']); print(*sys.modules, sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    imported = set(done.stdout.split())
    assert "unknown option" in done.stderr
    assert "pywg.cli.daemon" in imported
    assert (
        not {"argparse", "difflib", "asyncio", "pywg.cli.manual", "pywg.cli.unknown", "pywg.manual"}
        & imported
    )


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
    assert capsys.readouterr().err.startswith("pywg: version takes no argument, got 'wg0'\nusage: ")


@pytest.mark.parametrize(
    ("script", "status", "told"),
    [
        ("pywg --version > /dev/full", 1, "pywg: cannot write the result: No space left on device\n"),
        ("pywg --version >&-", 1, "pywg: cannot write the result: standard output is closed\n"),
        # Who would read has ended already.
        ("exec 3> >(:); wait $!; pywg --version >&3", 141, ""),
    ],
)
def test_version_that_cannot_be_told(script: str, status: int, told: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f'pywg() {{ {sys.executable} -P -m pywg "$@"; }}\n{script}'],
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (status, "", told)


def test_interrupt_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_words: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("pywg.cli.version.main", interrupted)
    assert main(["--version"]) == 130
    assert capsys.readouterr().err == ""


KEY = "cGFzdGVkIHdoZXJlIG5vIGtleSBpcyBleHBlY3RlZCE="


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (ValueError(KEY), "ValueError"),
        (MemoryError(), "MemoryError"),
        (RecursionError(KEY), "RecursionError"),
        (UnicodeDecodeError("utf-8", KEY.encode(), 0, 1, KEY), "UnicodeDecodeError"),
        (OSError(errno.EMFILE, KEY), "OSError EMFILE"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_nobody_has_foreseen_is_one_line_and_tells_no_value(
    error: Exception, what: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(_words: list[str]) -> int:
        raise error

    monkeypatch.setattr("pywg.cli.version.main", fails)
    assert main(["--version"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"pywg: unforeseen: {what} in ")
    assert err.endswith("; please report this\n")
    assert err.count("\n") == 1
    assert KEY not in err


def test_a_module_that_cannot_be_imported_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half an installation, for example."""
    monkeypatch.setitem(sys.modules, "pywg.cli.version", None)
    assert main(["--version"]) == 1
    assert capsys.readouterr().err.startswith("pywg: unforeseen: ModuleNotFoundError in cli/main.py:")


def test_who_reads_no_more_is_not_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever wrote to it, and by whatever way."""

    def fails(_words: list[str]) -> int:
        raise BrokenPipeError

    monkeypatch.setattr("pywg.cli.version.main", fails)
    monkeypatch.setattr("pywg.cli.output._give_up", lambda _stream: None)
    assert main(["--version"]) == 141
    assert capsys.readouterr() == ("", "")
