"""Which engine a daemon runs: what PYWG_ENGINE asks for, what the installation has, and who is told of it.

Comes in: a whole installation, and copies of it whose extension is missing, broken or built from other
sources. Goes out: get_status, the first line of the log, and the one line of a daemon that cannot start.
"""

import shutil
from pathlib import Path

import pytest

from pywg.engine.choose import CONTRACT, native_cipher
from pywg.uapi.client import UapiClient
from tests.daemon.conftest import PROJECT, Place
from tests.needs import need_engine

WRONG = CONTRACT + 41
BUILT_FROM_OTHERS = f"the native engine was built from other sources (contract {WRONG}, expected {CONTRACT})"
REASONS = {
    "other contract": BUILT_FROM_OTHERS,
    "none": "no native engine: none was built here",
    "no library": "the native engine cannot be loaded: ",
}
REMEDY = "install pywg again with PYWG_BUILD_NATIVE=yes"


def assert_told(place: Place, log: Path, engine: str, reason: str) -> None:
    """The reason begins so, and is the same for who asks and who reads."""
    status = UapiClient(place.interface).status()
    assert status is not None
    assert status.engine == engine
    assert status.engine_reason.startswith(reason)
    assert status.details.get("cipher") == (native_cipher() if engine == "native" else None)
    first = log.read_text().partition("\n")[0]
    assert first.endswith(f" {place.interface}: engine: {engine} ({status.engine_reason})")


def test_an_engine_that_was_asked_for_is_told(place: Place, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with place.foreground(log, LOG_LEVEL="verbose"):
        assert_told(place, log, place.engine, "it was asked for")


@pytest.mark.parametrize("place", ["native"], indirect=True)
@pytest.mark.parametrize("preference", ["auto", ""])
def test_auto_takes_the_native_engine(place: Place, tmp_path: Path, preference: str) -> None:
    log = tmp_path / "log"
    with place.foreground(log, LOG_LEVEL="verbose", PYWG_ENGINE=preference):
        assert_told(place, log, "native", "the fastest this installation has")


@pytest.fixture(params=REASONS)
def broken(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    """Where there is a pywg without a native engine that could be used, and why it cannot."""
    need_engine("native")
    package = tmp_path / "installation" / "pywg"
    shutil.copytree(PROJECT / "pywg", package, ignore=shutil.ignore_patterns("__pycache__", "_native*"))
    if request.param == "other contract":
        (package / "_native.py").write_text(f"CONTRACT = {WRONG}\nCIPHER = 'rot13'\n")
    elif request.param == "no library":
        (package / "_native.abi3.so").write_bytes(b"\x7fELF" + bytes(100))
    return package.parent, REASONS[request.param]


@pytest.mark.parametrize("place", ["python"], indirect=True)
def test_auto_falls_back_and_says_why(place: Place, broken: tuple[Path, str], tmp_path: Path) -> None:
    path, reason = broken
    log = tmp_path / "log"
    with place.foreground(log, LOG_LEVEL="verbose", PYWG_ENGINE="auto", PYTHONPATH=str(path)):
        assert_told(place, log, "python", reason)


@pytest.mark.parametrize("place", ["python"], indirect=True)
@pytest.mark.parametrize("words", [(), ("-f",)], ids=["background", "foreground"])
def test_native_is_refused_in_one_line(
    place: Place, broken: tuple[Path, str], words: tuple[str, ...]
) -> None:
    path, reason = broken
    done = place.pywg(*words, place.interface, PYWG_ENGINE="native", PYTHONPATH=str(path))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"pywg: {reason}")
    assert f"; {REMEDY}" in done.stderr
    assert done.stderr.endswith("or set PYWG_ENGINE to auto or python\n")
    assert done.stderr.count("\n") == 1
    place.assert_gone()
