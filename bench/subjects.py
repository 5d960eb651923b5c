"""What is measured: the implementations, how they are started, what they call themselves.

In: what is installed. Out: one subject each. `openvpn`, `kernel` and `floor` have further ones. A subject
connects the two ends of a laboratory and says which workloads make sense with it.
"""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from bench.configuration import Keys, changes
from bench.errors import WrongEngineError
from pywg.demo import children, daemon, processes
from pywg.demo.lab import End, Lab
from pywg.uapi.client import UapiClient
from pywg.uapi.model import DeviceChange

PATH_WORKLOADS: Final = frozenset(
    {"tcp", "latency", "udp64", "udp1300", "tcp4", "reverse", "latency-busy", "ethr"}
)
WIREGUARD_WORKLOADS: Final = PATH_WORKLOADS | {"handshakes"}
DAEMON_WORKLOADS: Final = WIREGUARD_WORKLOADS | {"memory", "startup", "up"}

# A parent's wishes about its own daemon are none about ours.
_UNSET: Final = ("WG_PROCESS_FOREGROUND", "WG_TUN_FD", "WG_UAPI_FD", "LOG_LEVEL", "PYWG_ENGINE")


class Subject(Protocol):
    """One implementation, or the path without any."""

    @property
    def name(self) -> str:
        """What the tables call it."""

    @property
    def version(self) -> str:
        """One line."""

    @property
    def workloads(self) -> frozenset[str]:
        """What can be measured with it."""

    def set_up(self, lab: Lab) -> str:
        """Connect the two ends; returns the address of the second as the first reaches it."""


class WireGuard(Subject, Protocol):
    """A subject that speaks WireGuard."""

    def configure(self, end: End, change: DeviceChange) -> None:
        """Change one end."""


@dataclass(frozen=True, slots=True)
class BarePath:
    """The veth pair alone."""

    name: str = "bare"
    version: str = "veth pair, MTU 1500"
    workloads: frozenset[str] = PATH_WORKLOADS

    def set_up(self, lab: Lab) -> str:
        """It is connected already."""
        return str(lab.ends[1].wire.ip)


@dataclass(frozen=True, slots=True)
class Daemon:
    """A userspace WireGuard that is configured through its socket."""

    name: str
    command: tuple[str, ...]
    """Takes an interface name, returns when it is ready."""
    version: str
    keys: Keys
    environment: Mapping[str, str] = field(default_factory=dict)
    engine: str | None = None
    """Engine the daemon must say it uses; None: any, or not told."""
    workloads: frozenset[str] = DAEMON_WORKLOADS
    library: Path | None = None
    """File the daemon must have loaded; None: not looked at."""

    def start(self, end: End) -> None:
        """Start it and check it. Raises DemoError or WrongEngineError."""
        daemon.start(end, self.command, self.environment)
        self.check(end)

    def check(self, end: End) -> None:
        """Make sure that what runs there is what it should be. Raises WrongEngineError."""
        if self.library is not None and not _has_loaded(end, self.library):
            raise WrongEngineError(f"{self.name} did not load {self.library}")
        if self.engine is None:
            return
        status = UapiClient(end.device).status()
        if status is None or status.engine != self.engine:
            found = "an unknown engine" if status is None else f"{status.engine} ({status.engine_reason})"
            raise WrongEngineError(f"{self.name} runs on {found}; expected {self.engine}")

    def configure(self, end: End, change: DeviceChange) -> None:
        """Raises UapiError."""
        UapiClient(end.device).set(change)

    def set_up(self, lab: Lab) -> str:
        """Start one in each end; tunnel MTU 1420."""
        for end, change in zip(lab.ends, changes(self.keys, lab.ends), strict=True):
            self.start(end)
            self.configure(end, change)
            lab.bring_up_tunnel(end)
        return str(lab.ends[1].inner.ip)


def _has_loaded(end: End, library: Path) -> bool:
    running = processes.within(end.path)
    return any(str(library) in Path(f"/proc/{process.pid}/maps").read_text() for process in running)


def clear_environment() -> None:
    """Forget variables that would reach the daemons."""
    for name in _UNSET:
        os.environ.pop(name, None)


def pywg(engine: str, keys: Keys) -> Daemon | str:
    """The pywg of this checkout on this engine, or why it cannot be had."""
    environment = {"PYWG_ENGINE": engine}
    done = _run(*daemon.PYWG, "--version", environment=environment)
    if done.returncode:
        return done.stderr.strip() or "pywg --version failed"
    return Daemon(
        name=f"pywg-{engine}",
        command=daemon.PYWG,
        version="; ".join(line.strip() for line in done.stdout.splitlines() if line.strip()),
        keys=keys,
        environment=environment,
        engine=engine,
    )


def other(name: str, program: str, keys: Keys) -> Daemon:
    """Any daemon that is started as wireguard-go is."""
    return Daemon(name=name, command=(program,), version=_version(program), keys=keys)


def _version(program: str) -> str:
    # wireguard-go follows its version with a notice about itself.
    done = _run(program, "--version")
    lines = done.stdout.splitlines() or done.stderr.splitlines() or [""]
    module = _run("go", "version", "-m", program).stdout
    built = [line.split() for line in module.splitlines()]
    told = [words[2] for words in built if words[:1] == ["mod"] and len(words) > 2]
    compiler = module.partition("\n")[0].rpartition(": ")[2]
    return "; ".join(part for part in (lines[0].strip() or "unknown", *told, compiler) if part)


def _run(*words: str, environment: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    """Never raises: what does not run has status 127 and says nothing."""
    try:
        return subprocess.run(
            words,
            env=children.own_environment() | dict(environment or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(words, 127, "", str(error))
