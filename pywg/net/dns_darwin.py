"""Name servers on macOS: those of every network service, through networksetup(8).

In: servers and search domains. Out: all services have them, and what they had before is noted until the
interface goes. Rule kept: what was there is written down before it is changed. Not followed while the tunnel
is up: a service that appears later keeps what it has (wg-quick has a process that watches). Written from the
manual and from wg-quick's darwin.bash; never run on a Mac.
"""

import json
from typing import Final

from pywg.net import command
from pywg.net.command import Run
from pywg.net.notes import Notes
from pywg.net.system import DnsSettings, Echo, NetworkError

NONE: Final = "Empty"
"""What networksetup takes for "no servers"; it prints a sentence instead."""

_KINDS: Final = ("dnsservers", "searchdomains")


class DarwinDns:
    """A Dns."""

    def __init__(self, echo: Echo, notes: Notes, run: Run = command.run) -> None:
        self._echo = echo
        self._notes = notes
        self._run = run

    def set(self, name: str, settings: DnsSettings) -> None:
        """See Dns."""
        if not settings.servers:
            return
        services = self._services()
        # If there is a note, it was never put back, and what is set now is our own.
        if self._notes.read(_note(name)) is None:
            before = {service: {kind: self._get(service, kind) for kind in _KINDS} for service in services}
            self._write(name, before)
        for service in services:
            self._set(service, "dnsservers", settings.servers)
            self._set(service, "searchdomains", settings.search)

    def unset(self, name: str) -> None:
        """See Dns."""
        try:
            before = json.loads(self._notes.read(_note(name)) or "")
        except ValueError:
            return
        present = self._services()
        for service, values in before.items():
            if service in present:
                for kind in _KINDS:
                    self._set(service, kind, tuple(values[kind]))
        self._notes.remove(_note(name))

    def servers(self, name: str) -> list[str]:
        """See Dns."""
        if self._notes.read(_note(name)) is None:
            return []
        services = self._services()
        return self._get(services[0], "dnsservers") if services else []

    def _services(self) -> list[str]:
        """Under a line of explanation; a disabled one has a star."""
        listed = self._run("networksetup", "-listallnetworkservices").stdout.splitlines()[1:]
        return [line.removeprefix("*") for line in listed if line]

    def _get(self, service: str, kind: str) -> list[str]:
        lines = command.asked("networksetup", f"-get{kind}", service, run=self._run).splitlines()
        return [] if any(" " in line for line in lines) else lines

    def _set(self, service: str, kind: str, values: tuple[str, ...]) -> None:
        words = ["networksetup", f"-set{kind}", service, *(values or (NONE,))]
        self._echo(" ".join(words))
        printed = self._run(*words)
        for line in (printed.stdout + printed.stderr).splitlines():
            if (
                "Error" in line
            ):  # It exits 0 all the same. A service that takes no servers is no reason to end.
                self._echo(f"networksetup: {line}")

    def _write(self, name: str, before: dict[str, dict[str, list[str]]]) -> None:
        try:
            self._notes.write(_note(name), json.dumps(before))
        except OSError as error:
            raise NetworkError(f"cannot write down the present name servers: {error.strerror}") from None


def _note(name: str) -> str:
    return f"dns-{name}.json"
