"""A namespace of networks *and* mounts, in which a whole wg-quick can live: nothing of it shows outside.

Comes in: configuration files and command lines. Goes out: exit status, what was said, and all that `up` may
change, as text. Rule: two rooms differ in nothing a command could see, so that what they show can be compared
as it is: the same links, addresses, routes, name servers, programs and files.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.netns.daemon import PROJECT
from tests.netns.namespace import CommandError, Namespace
from tests.netns.wait import until

CONFIGURATIONS: Final = Path("/etc/wireguard")
SOCKETS: Final = Path("/run/wireguard")
HERE: Final = "192.0.2.1"
GATEWAY: Final = "192.0.2.2"
NOTES: Final = Path("/run/pywg")
_HIDDEN: Final = (CONFIGURATIONS, SOCKETS, NOTES)
"""Each room has its own, empty at first."""

_FAKE_RESOLVCONF: Final = """\
#!/bin/sh
case $1 in
-a) echo "resolvconf $*" >> {log}; tee {records}/$2 >> {log} ;;
-d) echo "resolvconf $*" >> {log}; rm -f {records}/$2 ;;
-l) cat {records}/$2 ;;
esac
"""

_LOOK: Final = {
    "links": "ip -o -d link show",
    "addresses": "ip -o address show",
    "routes": "ip -4 route show table all",
    "routes of IPv6": "ip -6 route show table all",
    "rules": "ip -4 rule show",
    "rules of IPv6": "ip -6 rule show",
    "firewall": "nft list ruleset",
    "sockets": "ls /run/wireguard",
    "resolv.conf": "cat /etc/resolv.conf",
}
_NUMBER: Final = re.compile(r"^\d+: ", re.MULTILINE)
"""Of a link: grows with each that is made."""


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def echoed(self) -> list[str]:
        """The `[#]` lines, without their marks."""
        return [line.removeprefix("[#] ") for line in self.stderr.splitlines() if line.startswith("[#] ")]


@dataclass(slots=True)
class Room:
    """See above. `directory`: on the machine, for files and programs that the room is to see."""

    namespace: Namespace
    directory: Path
    holder: subprocess.Popen[bytes]
    environment: dict[str, str] = field(default_factory=dict)
    tidy: dict[str, str] = field(default_factory=dict)
    """What it showed when it was new."""

    def command(self, *argv: str) -> list[str]:
        """The command line that becomes `argv` in here, in the same process."""
        inside = ("env", f"--chdir={self.directory}")  # Another mount namespace begins at its root.
        return ["nsenter", f"--target={self.holder.pid}", "--net", "--mount", "--", *inside, *argv]

    def run(self, *argv: str, text: str = "", **more: str) -> Done:
        """Run a command in here; `more`: environment variables."""
        done = subprocess.run(
            self.command(*argv),
            input=text,
            capture_output=True,
            text=True,
            timeout=40,
            check=False,
            env=self.environment | more,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def ip(self, *arguments: str) -> None:
        """``ip`` with `arguments`."""
        self.namespace.ip(*arguments)

    def pywg(self, *arguments: str, **more: str) -> Done:
        """Our command line."""
        return self.run(sys.executable, "-P", "-m", "pywg", *arguments, **more)

    def wg_quick(self, *arguments: str, **more: str) -> Done:
        """Debian's, with our daemon as its userspace implementation."""
        return self.run("wg-quick", *arguments, WG_QUICK_USERSPACE_IMPLEMENTATION="our-daemon", **more)

    def write(self, path: str, text: str, mode: int = 0o600) -> None:
        """Write a file as the room sees it; relative to its directory."""
        command = 'umask 077; cat > "$1" && chmod "$2" "$1"'
        done = self.run("sh", "-c", command, "sh", path, f"{mode:o}", text=text)
        assert done.status == 0, done.stderr

    def read(self, path: str) -> str:
        """A file as the room sees it."""
        return self.run("cat", path).stdout

    def look(self) -> dict[str, str]:
        """All that `up` may change, by what it is."""
        script = "".join(f"echo '=== {what}'; {command} 2>&1\n" for what, command in _LOOK.items())
        sections = self.run("sh", "-c", script).stdout.split("=== ")[1:]
        told = {what: _NUMBER.sub("", text) for what, _, text in (part.partition("\n") for part in sections)}
        told["processes"] = "\n".join(sorted(_command_line(pid) for pid in self.namespace.pids()))
        told["name servers"] = " ".join(
            sorted(path.name for path in (self.directory / "resolvconf").iterdir())
        )
        return told

    def until_tidy(self) -> None:
        """Everything is as at first, soon: a daemon whose link is gone needs a moment to end."""
        until(lambda: self.look() == self.tidy, f"all is as before in {self.namespace.name}", seconds=15)

    @contextmanager
    def nothing_left(self) -> Iterator[None]:
        """What is done in here must not show afterwards."""
        before = self.look()
        ours = self._what_only_we_do()
        yield
        # A daemon that has let go of its name ends a moment later.
        with suppress(AssertionError):
            until(lambda: self.look() == before, "all is as before", seconds=10)
        assert self.look() == before
        assert self._what_only_we_do() == ours
        assert not list(self.directory.glob("*.tmp"))

    def _what_only_we_do(self) -> str:
        """`src_valid_mark`, which wg-quick leaves set, and our note of it: compared with ourselves alone."""
        return self.run("sh", "-c", f"cat /proc/sys/net/ipv4/conf/all/src_valid_mark; ls -A {NOTES}").stdout

    @property
    def resolvconf_log(self) -> str:
        """How resolvconf was called, and what it was given."""
        log = self.directory / "resolvconf.log"
        return log.read_text() if log.exists() else ""

    @classmethod
    def create(cls, directory: Path) -> "Room":
        """A new one. Its links: eth0 with a default route, and eth1 with a smaller MTU, both to nowhere."""
        directory.mkdir()
        namespace = Namespace.create()
        holder = subprocess.Popen(
            [*namespace.command(), "unshare", "--mount", "--propagation=private", "sleep", "infinity"],
            stdin=subprocess.DEVNULL,
        )
        room = cls(namespace, directory, holder, _environment(directory))
        try:
            until(room._has_own_mounts, "the room has its own mounts", seconds=20)
            room._furnish()
        except BaseException:
            room.close()
            raise
        room.tidy = room.look()
        return room

    def _has_own_mounts(self) -> bool:
        def mounts(who: object) -> str:
            return str(Path(f"/proc/{who}/ns/mnt").readlink())

        return mounts(self.holder.pid) != mounts("self")

    def _furnish(self) -> None:
        for place in _HIDDEN:
            place.mkdir(mode=0o700, exist_ok=True)
            self._check("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(place))
        resolv_conf = self.directory / "resolv.conf"
        resolv_conf.write_text("nameserver 127.0.0.1\n")
        self._check("mount", "--bind", str(resolv_conf), "/etc/resolv.conf")
        self._install_programs()
        for name, number, mtu in (("eth0", 1, 1500), ("eth1", 2, 1400)):
            mac = f"02:00:00:00:00:{number:02x}"
            far = f"far{number}"
            self.ip("link", "add", name, "address", mac, "mtu", str(mtu), "type", "veth", "peer", "name", far)
            self.ip("link", "set", far, "address", f"02:00:00:00:01:{number:02x}")
            for each in (name, far):
                self.namespace.sysctl(f"net/ipv6/conf/{each}/router_solicitations", "0")
                self.ip("link", "set", each, "up")
        self.ip("address", "add", f"{HERE}/24", "dev", "eth0")
        self.ip("address", "add", "2001:db8::1/64", "dev", "eth0")
        self.ip("address", "add", "203.0.113.1/24", "dev", "eth1")
        self.ip("route", "add", "default", "via", GATEWAY)
        self.ip("-6", "route", "add", "default", "via", "2001:db8::2")
        self.ip("route", "add", "198.51.100.0/24", "via", GATEWAY, "mtu", "1390")
        # The kernel adds and changes routes of its own for a while.
        until(self._is_settled, "links and routes are settled", seconds=20)

    def _is_settled(self) -> bool:
        seen = self.look()
        return "tentative" not in seen["addresses"] and "fe80" in seen["addresses"] and seen == self.look()

    def _install_programs(self) -> None:
        programs = self.directory / "bin"
        records = self.directory / "resolvconf"
        programs.mkdir()
        records.mkdir()
        scripts = {
            "resolvconf": _FAKE_RESOLVCONF.format(log=self.directory / "resolvconf.log", records=records),
            "our-daemon": f'#!/bin/sh\nexec {sys.executable} -P -m pywg "$@"\n',
        }
        for name, text in scripts.items():
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        installed = shutil.which("resolvconf")  # wg-quick looks beside itself first.
        if installed is not None:
            self._check("mount", "--bind", str(programs / "resolvconf"), installed)

    def _check(self, *argv: str) -> None:
        done = self.run(*argv)
        if done.status:
            raise CommandError(f"{' '.join(argv)}: {done.stderr}")

    def close(self) -> None:
        """The end of the room and of what still runs in it."""
        self.namespace.delete()
        self.holder.wait(5)


def _environment(directory: Path) -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("WG_", "PYWG_", "LOG_"))
    }
    return kept | {
        "PATH": f"{directory / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(PROJECT),
    }


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""  # It has just ended.
