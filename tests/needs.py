"""What a test needs of the machine. In CI a missing thing is a failure, elsewhere a skip that says so."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

from pywg.engine.choose import EngineUnavailableError, describe_choice

CARGO = Path(__file__).resolve().parents[1] / "tools" / "cargo"

ENGINES = ("python", "native")
"""What every suite that goes through an engine runs on."""


def need_engine(name: str) -> None:
    """The calling test runs on this engine."""
    try:
        chosen, _ = describe_choice(name)
    except EngineUnavailableError as error:
        _lacking(f"NOT TESTED ON THE {name.upper()} ENGINE: {error}")
    assert chosen == name


def need(*programs: str) -> None:
    """The calling test cannot do without these programs."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        _lacking(
            f"NOT TESTED: not installed: {', '.join(missing)} (on Debian: `make test` as root installs them)"
        )


def need_cargo() -> None:
    """The calling test builds Rust with tools/cargo, which knows what that takes."""
    asked = subprocess.run([CARGO, "--version"], capture_output=True, text=True, check=False)
    if "NOT DONE" in asked.stderr:
        _lacking(f"NOT TESTED: {' '.join(asked.stderr.replace('***', '').split())}")


def need_file(path: str) -> None:
    """The calling test cannot do without this file of the system."""
    if not Path(path).exists():
        _lacking(f"NOT TESTED: there is no {path}")


def need_root() -> None:
    """The calling test makes interfaces, namespaces or files that belong to root."""
    if os.geteuid() != 0:
        _lacking("NOT TESTED: must be root (run the tests with sudo)")


def _lacking(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
