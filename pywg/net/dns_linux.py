"""Name servers on Linux: through resolvconf where it is installed, else through systemd-resolved.

In: servers and search domains of an interface. Out: all names are asked of those servers while it is up, as
wg-quick(8) arranges it: `resolvconf -a IF -m 0 -x` (metric 0, exclusive). resolvectl's form of that is the
routing domain ``~.``. Sources: resolvconf(8) of openresolv, of Debian and of systemd; resolvectl(1).
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from pywg.net import command
from pywg.net.command import Run
from pywg.net.system import DnsSettings, Echo, NetworkError

INTERFACE_ORDER: Final = Path("/etc/resolvconf/interface-order")
INTERFACES: Final = Path("/etc/resolvconf/run/interface")
"""Both of Debian's resolvconf."""

_PREFIX: Final = re.compile(r"\s*([A-Za-z0-9-]+)\*\s*")
_NAMESERVER: Final = re.compile(r"nameserver ([a-zA-Z0-9_=+:%.-]+)")


class LinuxDns:
    """A Dns."""

    def __init__(
        self,
        echo: Echo,
        has_link: Callable[[str], bool],
        run: Run = command.run,
        interface_order: Path = INTERFACE_ORDER,
        interfaces: Path = INTERFACES,
    ) -> None:
        self._echo = echo
        self._has_link = has_link
        self._run = run
        self._interface_order = interface_order
        self._interfaces = interfaces

    def set(self, name: str, settings: DnsSettings) -> None:
        """See Dns."""
        if not settings.servers:
            return
        if command.find("resolvconf"):
            lines = [f"nameserver {server}" for server in settings.servers]
            if settings.search:
                lines.append(f"search {' '.join(settings.search)}")
            words = ["resolvconf", "-a", self._record(name), "-m", "0", "-x"]
            self._change(words, text="\n".join([*lines, ""]))
        elif command.find("resolvectl"):
            self._change(["resolvectl", "dns", name, *settings.servers])
            self._change(["resolvectl", "domain", name, "~.", *settings.search])
        else:
            raise NetworkError(
                f"DNS servers for {name} need resolvconf or resolvectl, and neither is installed (Debian: "
                "apt install openresolv, or systemd-resolved); or leave DNS out of the configuration",
                command.NOT_FOUND,
            )

    def unset(self, name: str) -> None:
        """See Dns."""
        if command.find("resolvconf"):
            self._change(["resolvconf", "-d", self._record(name), "-f"])
        elif command.find("resolvectl") and self._has_link(name):
            # What systemd-resolved knows of an interface it forgets when that goes.
            self._change(["resolvectl", "revert", name])

    def servers(self, name: str) -> list[str]:
        """See Dns."""
        if command.find("resolvconf"):
            record = self._record(name)
            listed = command.asked("resolvconf", "-l", record, run=self._run) or self._read(record)
            servers = [found[1] for line in listed.splitlines() if (found := _NAMESERVER.fullmatch(line))]
            if servers:
                return servers
        if command.find("resolvectl"):
            # It answers: Link 7 (wg0): 10.0.0.53 fd00::53
            return command.asked("resolvectl", "dns", name, run=self._run).partition("): ")[2].split()
        return []

    def _record(self, name: str) -> str:
        """What resolvconf is to call the interface.

        Debian's resolvconf heeds no metric but the order in a file: a name that begins as its first pattern
        does comes before all others. openresolv has no such file; systemd's is a link to resolvectl.
        """
        program = command.find("resolvconf")
        if program is None or Path(program).is_symlink():
            return name
        try:
            lines = self._interface_order.read_text(errors="replace").splitlines()
        except OSError:
            return name
        prefixes = [found[1] for line in lines if (found := _PREFIX.fullmatch(line))]
        return f"{prefixes[0]}.{name}" if prefixes else name

    def _read(self, record: str) -> str:
        try:
            return (self._interfaces / record).read_text(errors="replace")
        except OSError:
            return ""

    def _change(self, words: Sequence[str], text: str = "") -> None:
        self._echo(" ".join(words))
        for line in self._run(*words, text=text).stderr.splitlines():
            self._echo(f"{words[0]}: {line}")
