"""pywg unit: units that systemd takes, and that run the pywg that printed them."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pywg.cli.main import main
from pywg.cli.unit import UNITS, command_path, with_command
from pywg.manual import SHARE


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pywg in a virtual environment, as which we were called."""
    path = tmp_path / "venv" / "bin" / "pywg"
    path.parent.mkdir(parents=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(path), "unit"])
    return path


def executed(unit: str) -> list[str]:
    return re.findall(r"^Exec\w+=(.*)$", unit, re.MULTILINE)


@pytest.mark.parametrize(("word", "file"), UNITS.items())
def test_unit_runs_the_pywg_that_was_called(
    word: str, file: str, command: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["unit", word]) == 0
    printed, errors = capsys.readouterr()
    assert errors == ""
    as_it_lies = (SHARE / file).read_text()
    assert [line.replace(str(command), "pywg") for line in executed(printed)] == executed(as_it_lies)
    assert all(re.match(rf"({command} |/bin/sh -c '[^p]*{command} )", line) for line in executed(printed))
    assert "\n".join(line for line in printed.splitlines() if not line.startswith("Exec")) == "\n".join(
        line for line in as_it_lies.splitlines() if not line.startswith("Exec")
    )


def test_up_is_the_default(command: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["unit"]) == 0
    assert f"ExecStart={command} up %i\n" in capsys.readouterr().out


@pytest.mark.parametrize("directory", ["/usr/local/bin", "/usr/bin"])
def test_where_systemd_looks_the_name_will_do(directory: str) -> None:
    unit = (SHARE / "pywg@.service").read_text()
    assert with_command(unit, Path(directory, "pywg")) == unit


def test_called_as_a_module_the_command_on_the_path_is_meant(
    command: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(command.parent))
    assert command_path("/somewhere/pywg/__main__.py") == command
    monkeypatch.setenv("PATH", "/nonexistent")
    assert command_path("/somewhere/pywg/__main__.py") is None


def test_link_to_the_command_is_kept(command: Path, tmp_path: Path) -> None:
    """Its target may move with the next version (pipx)."""
    link = tmp_path / "pywg"
    link.symlink_to(command)
    assert command_path(str(link)) == link


def test_path_that_a_unit_cannot_have_is_refused(
    tmp_path: Path, command: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = tmp_path / "my venv"
    odd.mkdir()
    shutil.copy(command, odd / "pywg")
    monkeypatch.setattr(sys, "argv", [str(odd / "pywg")])
    assert main(["unit"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "/usr/local/bin" in err


@pytest.mark.parametrize("words", [["down"], ["up", "daemon"]])
def test_other_units_there_are_none(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["unit", *words]) == 1
    assert "usage: pywg unit [UNIT]\n" in capsys.readouterr().err


@pytest.mark.parametrize("file", UNITS.values())
def test_unit_is_well_formed(file: str) -> None:
    """Sections in the order people expect, and in each nothing but comments and assignments."""
    lines = [line for line in (SHARE / file).read_text().splitlines() if line and not line.startswith("#")]
    assert [line for line in lines if line.startswith("[")] == ["[Unit]", "[Service]", "[Install]"]
    assert [line for line in lines if not re.fullmatch(r"\[\w+\]|[A-Z]\w+=\S.*", line)] == []


@pytest.mark.parametrize(("word", "file"), UNITS.items())
def test_systemd_takes_the_unit(
    word: str, file: str, command: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Read, not run. Where there is no systemd its own judgement is not asked for: it is a heavy package."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd on this machine")
    assert main(["unit", word]) == 0
    unit = tmp_path / file.replace("@", "@wg0")
    unit.write_text(capsys.readouterr().out)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    told = [line for line in done.stderr.splitlines() if unit.name in line]
    assert (done.returncode, told) == (0, [])


@pytest.mark.parametrize("file", UNITS.values())
def test_a_wrong_file_never_empties_the_interface(file: str, tmp_path: Path) -> None:
    """What systemd hands to the shell: the interface is told something only if the file could be read."""
    unit = (SHARE / file).read_text()
    (reload,) = re.findall(r"^ExecReload=/bin/sh -c '(.*)'$", unit, re.MULTILINE)
    script = reload.replace("$$", "$").replace("%%", "%").replace("%i", "wg0")
    pywg = tmp_path / "pywg"
    for status, expected in ((1, ""), (0, "[Interface]\n")):
        pywg.write_text(
            f'#!/bin/sh\nif [ "$1" = strip ]; then echo "[Interface]"; exit {status}; fi\ncat "$3"\n'
        )
        pywg.chmod(0o755)
        done = subprocess.run(
            ["/bin/sh", "-c", script],
            env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (status, expected, "")


def test_a_start_that_fails_is_not_repeated_for_ever() -> None:
    """systemd gives up after so many starts within an interval: they must fit in, on a slow machine too."""
    settings = dict(re.findall(r"^(\w+)=(\w+)$", (SHARE / "pywg-daemon@.service").read_text(), re.MULTILINE))
    seconds = int(settings.get("StartLimitIntervalSec", "10")) / int(settings.get("StartLimitBurst", "5"))
    assert seconds - int(settings["RestartSec"]) >= 20
