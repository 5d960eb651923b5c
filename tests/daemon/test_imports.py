"""What the two processes of a start import: start-up time is theirs, so nothing that is not needed."""

import os
import subprocess
from pathlib import Path

from tests.daemon.conftest import Place
from tests.netns.wait import until

NEVER = frozenset(
    {"pyroute2", "argparse", "unittest", "json", "email", "http", "urllib.request", "xml", "pytest"}
)
NOT_IN_PARENT = NEVER | {
    "asyncio", "cryptography", "nacl", "logging", "ctypes", "ssl", "traceback", "random", "tempfile",
    "pywg.device", "pywg.engine", "pywg.uapi.server", "pywg.uapi.codec", "pywg.daemon.service", "pywg.log",
    "pywg.demo", "pywg.udp",
}  # fmt: skip
NOT_IN_CHILD = NEVER | {"pytun", "pywg.demo", "pywg.simulation"}


def _imported(text: str) -> set[str]:
    """The modules that ``-X importtime`` lists, and their packages."""
    found: set[str] = set()
    for line in text.splitlines():
        if line.startswith("import time:") and line.count("|") == 2:
            name = line.rpartition("|")[2].strip()
            parts = name.split(".")
            found.update(".".join(parts[:length]) for length in range(1, len(parts) + 1))
    return found


def test_parent(place: Place) -> None:
    """LOG_LEVEL is not set: the child writes nothing to the captured stream."""
    done = place.pywg(PYTHONPROFILEIMPORTTIME="1")
    assert done.returncode == 0
    imported = _imported(done.stderr)
    assert {"pywg.daemon.handover", "pytun", "subprocess"} <= imported
    assert imported & NOT_IN_PARENT == set()


def test_child(place: Place, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as file:
        subprocess.run(
            place.command(),
            env=place.environment(PYTHONPROFILEIMPORTTIME="1", LOG_LEVEL="error"),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            timeout=20,
            check=True,
        )
    os.kill(place.daemon_pid(), 15)
    until(place.is_gone, "the daemon is gone", seconds=15)
    # Both processes write here: the child's part begins with its interpreter.
    _, _, child = (
        log.read_text()
        .partition("import time: self [us] | cumulative | imported package\n")[2]
        .partition("import time: self [us] | cumulative | imported package\n")
    )
    imported = _imported(child)
    other = {"python": "native", "native": "python"}[place.engine]
    assert {"asyncio", "cryptography", "pywg.device", f"pywg.engine.{place.engine}"} <= imported
    assert imported & (NOT_IN_CHILD | {f"pywg.engine.{other}"}) == set()
