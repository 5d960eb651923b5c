"""Beside the package: the manual page, completion and units, where their programs look for them."""

from pathlib import Path

import pytest

from pywg.manual import SHARE
from tests.needs import need
from tests.packaging.conftest import Environment, Pip, run, surroundings

pytestmark = pytest.mark.timeout(600)

PLACES = {
    "pywg.8": "share/man/man8",
    "pywg.bash": "share/bash-completion/completions",
    "_pywg": "share/zsh/site-functions",
    "pywg.fish": "share/fish/vendor_completions.d",
    "pywg@.service": "lib/systemd/system",
    "pywg-daemon@.service": "lib/systemd/system",
}


def test_everything_in_share_has_its_place() -> None:
    assert {path.name for path in SHARE.iterdir()} == set(PLACES)


def test_an_installation_has_what_is_in_share(pip: Pip, tree: Path, environment: Environment) -> None:
    need("man")
    done = pip.install(tree, environment, PYWG_BUILD_NATIVE="no")
    assert done.returncode == 0, done.stdout + done.stderr
    prefix = environment.directory
    for name, place in PLACES.items():
        assert (prefix / place / name).read_text() == (SHARE / name).read_text(), name
    found = run(["man", "-M", prefix / "share" / "man", "-w", "8", "pywg"], surroundings())
    assert found.stdout.strip() == str(prefix / "share" / "man" / "man8" / "pywg.8")
    pywg = prefix / "bin" / "pywg"
    assert run([pywg, "completion", "zsh"], surroundings()).stdout == (SHARE / "_pywg").read_text()
    assert f"ExecStart={pywg} up %i\n" in run([pywg, "unit"], surroundings()).stdout
    assert run([pywg, "--help"], surroundings()).stdout.startswith("usage: pywg ")
