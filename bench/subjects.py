"""What is measured: the implementations, how they are started, what they call themselves.

In: nothing. Out: one `Subject` per implementation that is installed.
"""

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field

from pywg.demo import children, daemon
from pywg.demo.lab import End
from pywg.uapi.client import UapiClient


class WrongEngineError(Exception):
    """The daemon runs on another engine than was asked for: its figures would be worth nothing."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One implementation."""

    name: str
    command: tuple[str, ...]
    """Takes an interface name, returns when it is ready."""
    version: str
    environment: Mapping[str, str] = field(default_factory=dict)
    engine: str | None = None
    """Engine the daemon must say it uses; None: any, or not told."""

    def start(self, end: End) -> None:
        """Start it and make sure it is what it should be. Raises DemoError or WrongEngineError."""
        daemon.start(end, self.command, self.environment)
        if self.engine is None:
            return
        status = UapiClient(end.device).status()
        if status is None or status.engine != self.engine:
            found = "an unknown engine" if status is None else f"{status.engine} ({status.engine_reason})"
            raise WrongEngineError(f"{self.name} runs on {found}; expected {self.engine}")


def pywg(engine: str) -> Subject:
    """The pywg of this checkout on this engine."""
    return Subject(
        name="pywg" if engine == "auto" else f"pywg-{engine}",
        command=daemon.PYWG,
        version=_version(*daemon.PYWG, "--version"),
        environment={"PYWG_ENGINE": engine},
        engine=None if engine == "auto" else engine,
    )


def wireguard_go() -> Subject | None:
    """Debian's, or None if it is not installed."""
    program = shutil.which("wireguard-go")
    if program is None:
        return None
    return Subject(name="wireguard-go", command=(program,), version=_version(program, "--version"))


def _version(*words: str) -> str:
    done = subprocess.run(
        words, env=children.own_environment(), capture_output=True, text=True, check=False, timeout=30
    )
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    # wireguard-go follows its version with a notice about itself.
    kept = lines if words[:-1] == daemon.PYWG else lines[:1]
    return "; ".join(kept) or "unknown"
