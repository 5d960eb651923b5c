"""Network namespaces for one test run, and the commands run inside them.

Comes in: names and command lines. Goes out: completed commands, or `CommandError` with all they said. Rule:
every name carries the process id of the run that made it, so that a later run can sweep away what a killed
one left behind without touching a run that is alive.
"""

import contextlib
import os
import re
import secrets
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.netns.wait import until

NAMESPACES = Path("/run/netns")
UAPI_SOCKETS = Path("/var/run/wireguard")
_NAMESPACE_OF_RUN = re.compile(r"pywg-t-p(\d+)-[0-9a-f]{4}\w*")
_INTERFACE_OF_RUN = re.compile(r"wt([0-9a-f]+)-[0-9a-f]{4}")


class CommandError(AssertionError):
    """A command of a test ended otherwise than expected; the message holds its output."""


def new_interface_name() -> str:
    """A name for a WireGuard interface, unique on the machine: all namespaces share one socket directory."""
    return f"wt{os.getpid():x}-{secrets.token_hex(2)}"


def run(
    *argv: str,
    check: bool = True,
    timeout: float = 30,
    text: str = "",
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run `argv` with `text` as its input for at most `timeout` seconds.

    Raises CommandError if `check` and it does not exit 0.
    """
    done = subprocess.run(
        argv, input=text, capture_output=True, text=True, timeout=timeout, check=False, env=env
    )
    if check and done.returncode != 0:
        raise CommandError(f"{' '.join(argv)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


@dataclass(frozen=True, slots=True)
class Namespace:
    """One network namespace, by its name under /run/netns."""

    name: str

    @classmethod
    def create(cls, label: str = "") -> "Namespace":
        """Make a namespace with its loopback up.

        Duplicate address detection is off (it costs a second), and when one address of several in a network
        is deleted the others stay.
        """
        namespace = cls(f"pywg-t-p{os.getpid()}-{secrets.token_hex(2)}{label}")
        run("ip", "netns", "add", namespace.name)
        namespace.ip("link", "set", "lo", "up")
        for scope in ("all", "default"):
            namespace.sysctl(f"net/ipv6/conf/{scope}/accept_dad", "0")
            namespace.sysctl(f"net/ipv4/conf/{scope}/promote_secondaries", "1")
        return namespace

    def command(self, *argv: str) -> list[str]:
        """The command line that runs `argv` in here, in the caller's mount namespace."""
        return ["nsenter", f"--net={NAMESPACES / self.name}", "--", *argv]

    def run(
        self,
        *argv: str,
        check: bool = True,
        timeout: float = 30,
        text: str = "",
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run `argv` in here: see `run` of this module."""
        return run(*self.command(*argv), check=check, timeout=timeout, text=text, env=env)

    def popen(self, *argv: str) -> subprocess.Popen[str]:
        """Start `argv` in here, without input, with one pipe for both its outputs."""
        return subprocess.Popen(
            self.command(*argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def ip(self, *arguments: str, check: bool = True) -> str:
        """What ``ip`` with `arguments` prints in here."""
        return run("ip", "-n", self.name, *arguments, check=check).stdout

    def sysctl(self, key: str, value: str) -> None:
        """Set ``/proc/sys/<key>`` as seen from in here."""
        self.run("tee", f"/proc/sys/{key}", text=value)

    def nft(self, rules: str) -> None:
        """Load an nftables ruleset."""
        self.run("nft", "-f", "-", text=rules)

    def counted(self, name: str) -> int:
        """The packets of the named counter of the table ``inet test``."""
        listed = self.run("nft", "list", "counter", "inet", "test", name).stdout
        found = re.search(r"packets (\d+)", listed)
        assert found is not None, listed
        return int(found[1])

    def has_link(self, name: str) -> bool:
        """Whether an interface of that name is in here."""
        return run("ip", "-n", self.name, "link", "show", "dev", name, check=False).returncode == 0

    def pids(self) -> list[int]:
        """The processes whose network namespace this is."""
        return [int(pid) for pid in run("ip", "netns", "pids", self.name).stdout.split()]

    def delete(self) -> None:
        """Kill what still runs in here, then delete the namespace; nothing happens if it is gone already."""
        if not (NAMESPACES / self.name).exists():
            return
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        until(lambda: not self.pids(), f"the processes in {self.name} are dead", seconds=20)
        run("ip", "netns", "delete", self.name)


def _is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _leftovers() -> Iterator[Namespace]:
    if not NAMESPACES.is_dir():
        return
    for entry in NAMESPACES.iterdir():
        match = _NAMESPACE_OF_RUN.fullmatch(entry.name)
        if match and not _is_running(int(match[1])):
            yield Namespace(entry.name)


def _becomes_stale(path: Path) -> bool:
    """Whether nobody answers on a socket; one killed just now lets go of it a little later."""
    try:
        until(lambda: not socket_answers(path), f"{path} is stale", seconds=2)
    except AssertionError:
        return False
    return True


def sweep_leftovers() -> list[str]:
    """Delete namespaces and stale sockets of test runs that are no longer alive; returns their names."""
    swept = []
    for namespace in list(_leftovers()):
        namespace.delete()
        swept.append(namespace.name)
    for path in UAPI_SOCKETS.glob("wt*.sock"):
        match = _INTERFACE_OF_RUN.fullmatch(path.stem)
        if match and not _is_running(int(match[1], 16)) and _becomes_stale(path):
            path.unlink(missing_ok=True)
            swept.append(str(path))
    return swept


def socket_answers(path: Path) -> bool:
    """Whether something accepts connections on the unix socket at `path`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True
