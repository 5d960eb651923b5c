"""Somebody else on this machine: the user nobody, and an interpreter that this user may run."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.needs import need, need_root

NOBODY: Final = 65534
_ROOT: Final = Path(__file__).resolve().parents[1]


def as_nobody() -> list[str]:
    """Words before a command that nobody is to run, with no right and almost no environment left."""
    plain = ["env", "-i", f"PATH={os.environ['PATH']}", "PYTHONDONTWRITEBYTECODE=1"]
    return [
        *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps=-all"),
        *plain,
    ]


@pytest.fixture(scope="session")
def nobodys_python() -> Iterator[str]:
    """An interpreter of our version that finds pywg; ours may lie in a private home directory."""
    need_root()  # to become somebody else
    need("setpriv")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    base = shutil.which(version, path="/usr/bin:/usr/local/bin")
    if base is None:
        pytest.skip(f"NOT TESTED: no {version} that user {NOBODY} may run")
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o755)
        subprocess.run([base, "-m", "venv", "--without-pip", home], check=True)
        packages = next(Path(home).glob("lib/python*/site-packages"))
        (packages / "all.pth").write_text(f"{_ROOT}\n{sysconfig.get_path('purelib')}\n")
        python = f"{home}/bin/python"
        # Through a shell: setpriv itself still has the right to look into any directory.
        words = [*as_nobody(), "sh", "-c", '"$0" -c "import pywg.cli.demo, tests.demo"', python]
        if subprocess.run(words, cwd="/", check=False).returncode:
            pytest.skip(f"NOT TESTED: user {NOBODY} may not read {_ROOT}")
        yield python
