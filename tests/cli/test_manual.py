"""pywg/manual: it says everything that is true of the commands, and pywg/share is what it says now."""

import ast
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from pywg.cli.main import COMMANDS, HELP, main
from pywg.cli.manual import usage
from pywg.cli.options import UsageError
from pywg.config.model import PEER_SETTINGS, QUICK_SETTINGS, WG_INTERFACE_SETTINGS
from pywg.engine.choose import PREFERENCES
from pywg.manual import SHARE
from pywg.manual.generate import share_files
from pywg.manual.model import Argument, Command, Option
from pywg.manual.page import CONFIGURATION, ENVIRONMENT, MANUAL, commands
from pywg.manual.text import WIDTH, help_on, overview
from pywg.show.fields import FIELDS
from tests.needs import need

PACKAGE = Path(__file__).resolve().parents[2] / "pywg"
EVERY = [
    pytest.param(command, id=command.word or "daemon") for command in (MANUAL.daemon, *commands().values())
]
TOPICS = ["daemon", *(section.word for section in MANUAL.sections)]

NOT_FOR_THE_USER = {"PATH", "PYTHONPATH", "TERM", "LC_ALL"}
"""Variables of the system's, which mean to pywg what they mean to every program."""


def options_of(command: Command) -> list[Option]:
    return [*command.options, *command.settings, *command.peer_settings]


def option_names(command: Command) -> set[str]:
    return {name for option in options_of(command) for name in option.names}


def arguments_of(command: Command) -> list[Argument]:
    values = [option.value for option in options_of(command) if option.value]
    return [*command.arguments, *values]


def test_commands_are_those_that_there_are() -> None:
    assert list(commands()) == list(COMMANDS)


@pytest.mark.parametrize("command", EVERY)
class TestCommand:
    def test_everything_in_its_forms_is_explained(self, command: Command) -> None:
        forms = " ".join(command.forms)
        named = {argument.name for argument in arguments_of(command)}
        explained = {name for one in named for name in re.findall(r"[A-Z]+", one)}
        assert set(re.findall(r"\b[A-Z]+\b", forms)) == explained
        assert set(re.findall(r"(?<!\w)--?[a-z]+", forms)) - {"--version"} == {
            name for name in option_names(command) if name.startswith("-")
        }

    def test_settings_are_in_its_form(self, command: Command) -> None:
        for option in (*command.settings, *command.peer_settings):
            shown = f"{option.names[0]} {option.value.name}" if option.value else option.names[0]
            # allowed-ips says more of its value in the form than in the list.
            assert shown in command.forms[0].replace("[+|-]IP/CIDR[", "IP/CIDR["), shown

    def test_its_modules_options_are_explained(self, command: Command) -> None:
        """Words with dashes in the command line's own module."""
        target = COMMANDS.get(command.word, "pywg.cli.daemon:main")
        module = target.partition(":")[0]
        others = {word for word, other in COMMANDS.items() if other.partition(":")[0] == module}
        explained = {name for word in others for name in option_names(commands()[word])}
        known = set(
            _strings(PACKAGE / f"{module.removeprefix('pywg.').replace('.', '/')}.py", r"--[a-z][a-z-]+")
        )
        assert known - HELP <= explained | option_names(command) | {"--version"}

    def test_texts_are_phrases(self, command: Command) -> None:
        """No full stop in lists, one at the end of prose, no mark left open."""
        phrases = [command.summary, *(one.meaning for one in arguments_of(command))]
        phrases += [one.meaning for one in options_of(command)]
        assert [phrase for phrase in phrases if phrase.endswith(".")] == []
        assert command.description.strip().endswith(".")
        assert [text for text in (*phrases, command.description, command.status) if text.count("`") % 2] == []


def test_engines_of_the_demo_are_those_that_there_are() -> None:
    (option,) = (option for option in commands()["demo"].options if option.names == ("--engine",))
    assert option.value is not None
    assert {word.text for word in option.value.words} == set(PREFERENCES)


@pytest.mark.parametrize("word", ["show", "up", "down", "save", "strip", "doctor", "monitor", "demo"])
def test_every_option_is_taken_and_no_other(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the command itself lets `take` know."""
    known: set[str] = set()

    def take(_: object, *, flags: Iterable[str] = (), valued: Iterable[str] = ()) -> NoReturn:
        known.update(flags, valued)
        raise UsageError("enough is known")

    monkeypatch.setattr(f"{COMMANDS[word].partition(':')[0]}.take", take)
    assert main([word]) == (2 if word == "doctor" else 1)
    assert known == option_names(commands()[word])


def test_fields_of_show_are_those_that_there_are() -> None:
    field = commands()["show"].arguments[1]
    assert sorted(word.text for word in field.words) == sorted(FIELDS)


def test_settings_of_a_configuration_are_those_that_there_are() -> None:
    """That they are understood is tested in tests/config/test_parse.py."""
    explained = {
        its.title: sorted(name.strip("* ") for entry in its.entries for name in entry.name.split(","))
        for its in CONFIGURATION.lists
    }
    assert explained == {
        "[Interface]": sorted(WG_INTERFACE_SETTINGS),
        "[Interface], for up and down only": sorted(QUICK_SETTINGS),
        "[Peer]": sorted(PEER_SETTINGS),
    }


def test_environment_variables_are_those_that_are_read() -> None:
    explained = {entry.name for its in ENVIRONMENT.lists for entry in its.entries}
    assert set(_variables_read()) - NOT_FOR_THE_USER == explained


def _variables_read() -> Iterator[str]:
    """Names that are looked up in an environment, by a string or by a constant that is called VARIABLE."""
    lookup = re.compile(
        r'environ(?:ment)?(?:\.(?:get|pop)\(|\[)"([A-Z_]+)"'  # environ["X"], environment.get("X")
        r'|"([A-Z_]+)" (?:not )?in (?:os\.)?environ'  # "X" in os.environ
        r'|^[A-Z_]*VARIABLE: Final = "([A-Z_]+)"',  # X_VARIABLE: Final = "X"
        re.MULTILINE,
    )
    for path in PACKAGE.rglob("*.py"):
        for groups in lookup.findall(path.read_text()):
            yield from filter(None, groups)


def _strings(path: Path, pattern: str) -> Iterator[str]:
    """The string constants of a module that are all `pattern`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and re.fullmatch(pattern, node.value)
        ):
            yield node.value


@pytest.mark.parametrize("word", [*COMMANDS, *TOPICS])
def test_help(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", word]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.endswith("\n")
    assert not out.endswith("\n\n")
    assert "`" not in out
    assert max(map(len, out.splitlines())) <= WIDTH
    if word in COMMANDS:
        assert main([word, "--help"]) == 0
        assert capsys.readouterr().out == out


def test_overview_names_all_commands_and_topics(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert out == overview()
    assert [word for word in COMMANDS if not re.search(rf"^  {word} +\S", out, re.MULTILINE)] == []
    assert [topic for topic in TOPICS if topic not in out] == []
    assert max(map(len, out.splitlines())) <= WIDTH


def test_help_offers_the_topics_that_there_are() -> None:
    (argument,) = commands()["help"].arguments
    assert [word.text for word in argument.words] == TOPICS


def test_help_on_nothing_known() -> None:
    assert help_on("nothing") is None


def test_usage_is_a_line_for_each_form() -> None:
    assert usage("show") == (
        "usage: pywg show [--json] [INTERFACE | all | interfaces]\n       pywg show {INTERFACE | all} FIELD\n"
    )
    assert usage("genkey") == "usage: pywg genkey\n"
    assert usage("") == (
        "usage: pywg [-f|--foreground] INTERFACE\n"
        "       pywg COMMAND [ARGUMENT...]\n"
        "       pywg help [COMMAND]\n"
    )


def test_help_on_two_words_at_once_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "show", "set"]) == 1
    assert capsys.readouterr() == (
        "",
        "pywg: expected at most one command or topic, got 2 words\nusage: pywg help [COMMAND]\n",
    )


@pytest.mark.parametrize("name", share_files())
def test_committed_file_is_what_the_manual_says(name: str) -> None:
    assert (SHARE / name).read_text() == share_files()[name], (
        f"pywg/share/{name} is not what pywg/manual says now; write it anew: "
        ".venv/bin/python -m pywg.manual.generate"
    )


def test_groff_and_man_take_the_page_without_a_warning() -> None:
    need("man", "groff")
    shown = subprocess.run(
        ["man", "--warnings", "-l", SHARE / "pywg.8"],
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANWIDTH": "80"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (shown.returncode, shown.stderr) == (0, "")
    checked = subprocess.run(
        ["groff", "-man", "-ww", "-z", SHARE / "pywg.8"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (checked.returncode, checked.stderr) == (0, "")
    # What is typed must not be shown with typographic hyphens or quotes.
    assert re.search(r"[‐−‘’“”]", shown.stdout) is None  # noqa: RUF001 (these very characters)
    assert "pywg syncconf wg0 <(pywg strip wg0)" in shown.stdout
    assert "pip install 'pywg-tunnel[monitor]'" in " ".join(shown.stdout.split())
    sections = [line for line in shown.stdout.splitlines() if line and line[0] != " "]
    assert sections[1:-1] == [
        "NAME",
        "SYNOPSIS",
        "DESCRIPTION",
        "THE DAEMON",
        "COMMANDS OF WG",
        "COMMANDS OF WG-QUICK",
        "COMMANDS OF PYWG'S OWN",
        "CONFIGURATION FILES",
        "ENVIRONMENT",
        "FILES",
        "EXIT STATUS",
        "SEE ALSO",
    ]
