"""The walk-throughs of the README, typed as they stand there, on a machine that has no wireguard-tools.

Comes in: the README's shell blocks. Goes out: what the user sees, and what is left afterwards: nothing. They
run in mount, network and process namespaces of their own, so whatever a failure leaves dies with them.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.needs import need, need_root

PROJECT = Path(__file__).resolve().parents[1]
WALK_THROUGHS = "## A tunnel between two machines\n"
WITHOUT = ("wg", "wg-quick", "wireguard-go")
"""What a user of pywg does without: hidden here, for this machine has them to test against."""
SECONDS = 90

PREPARE = """
set -eu
for place in /run/netns /var/run/wireguard /etc/wireguard; do
    mkdir -p $place
    mount -t tmpfs none $place
done
for program in {hidden}; do mount --bind /dev/null $program; done
for program in {names}; do ! "$program" --version 2>/dev/null; done
ip link set lo up
mkdir .venv
ln -s {bin} .venv/bin
"""
LEFT = """
echo "=== left"
ls -A | grep -vx .venv || :
ls -A /run/netns /var/run/wireguard /etc/wireguard
ip -brief link | grep -v '^lo ' || :
ps -e -o pid=,args= | grep -v -E ' (bash|ps|grep)' || :
"""


@dataclass(frozen=True)
class Walked:
    """What a shell did with the README."""

    status: int
    said: str
    left: list[str]


def blocks() -> list[str]:
    """The shell blocks of the walk-throughs, in order."""
    text = (PROJECT / "README.md").read_text()
    section = text[text.index(WALK_THROUGHS) + len(WALK_THROUGHS) :]
    section = section[: re.search(r"^## ", section, re.MULTILINE).start()]  # type: ignore[union-attr] # there are more sections
    return re.findall(r"^```sh\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Walked:
    need_root()
    need("ip", "ping", "curl", "iptables", "sysctl", "unshare", "ps")
    directory = tmp_path_factory.mktemp("readme")
    hidden = [path for name in WITHOUT for path in (f"/usr/bin/{name}",) if Path(path).exists()]
    script = PREPARE.format(hidden=" ".join(hidden), names=" ".join(WITHOUT), bin=Path(sys.executable).parent)
    script += "".join(blocks()) + LEFT
    done = subprocess.run(
        [
            "unshare",
            "--mount",
            "--net",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "bash",
            "-c",
            script,
        ],
        cwd=directory,
        env={name: value for name, value in os.environ.items() if not name.startswith(("WG_", "PYWG_"))},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    print(done.stdout)
    said, _, left = done.stdout.partition("=== left\n")
    return Walked(done.returncode, said, left.splitlines())


def test_there_are_two_walk_throughs() -> None:
    first, second = blocks()
    assert "10.0.0.2:9090" in first
    assert "192.168.1.123:9090" in second


def test_they_run_without_wireguard_tools(walked: Walked) -> None:
    assert walked.status == 0, walked.said
    assert walked.said.count("hello, wireguard\n") == 2
    assert walked.said.count("3 packets transmitted, 3 received, 0% packet loss") == 2
    assert "64 bytes from 192.168.1.123" in walked.said
    assert "latest handshake" in walked.said


def test_they_leave_nothing(walked: Walked) -> None:
    """No files, namespaces, sockets, links, and no processes but what makes this list."""
    places = ("/run/netns:", "/var/run/wireguard:", "/etc/wireguard:", "")
    assert [line for line in walked.left if line not in places] == []
