"""Which engine moves the packets, and why.

Comes in: what the user wants (`PYWG_ENGINE` or ``--engine``), and what this installation has. Goes out: an
engine with the reason for it, told by ``get_status``, by the log and by ``pywg --version``.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Final

from pywg.clock import Clock
from pywg.engine.contract import Engine, Reactor
from pywg.protocol.constants import Limits
from pywg.tun.port import TunPort

PREFERENCES: Final = ("auto", "python", "native")

CONTRACT: Final = 1
"""Grows with every change of what `pywg.engine.native` calls in `pywg._native`, which has the same number.

They differ where the extension was built from other sources than the Python files beside it."""

NOTE: Final = Path(__file__).parents[1] / "_native_absent.txt"
"""Where setup.py says why it built no native engine."""


class EngineUnavailableError(Exception):
    """The engine that was asked for cannot be had. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine, ready to be started, and why it was chosen."""

    engine: Engine
    why: str


@dataclass(frozen=True, slots=True)
class _Obstacle:
    """Why the native engine cannot run, and what the user can do about it."""

    what: str
    remedy: str


def describe_choice(preference: str, *, has_descriptor: bool = True) -> tuple[str, str]:
    """Name of the engine `preference` leads to, and why. Raises EngineUnavailableError.

    `has_descriptor`: the TUN is something the kernel knows, not the simulator's.
    """
    if preference not in PREFERENCES:
        raise EngineUnavailableError(
            f"there is no engine '{preference}'; set PYWG_ENGINE to one of {', '.join(PREFERENCES)}"
        )
    if preference == "python":
        return "python", "it was asked for"
    obstacle = _obstacle(has_descriptor=has_descriptor)
    if obstacle is None:
        return "native", "it was asked for" if preference == "native" else "the fastest this installation has"
    if preference == "native":
        raise EngineUnavailableError(
            f"{obstacle.what}; {obstacle.remedy}, or set PYWG_ENGINE to auto or python"
        )
    return "python", obstacle.what


def native_cipher() -> str | None:
    """What the native engine seals with, name and version. None: there is no native engine."""
    module = _load()
    return None if isinstance(module, _Obstacle) else str(module.CIPHER)


def create_engine(
    preference: str, *, limits: Limits, clock: Clock, mtu: int, tun: TunPort, reactor: Reactor
) -> Choice:
    """Make the engine `preference` (one of PREFERENCES) leads to. It takes over `tun`.

    Raises EngineUnavailableError, and OSError if no descriptor is left.
    """
    name, why = describe_choice(preference, has_descriptor=tun.fileno() >= 0)
    # Imported where they are used: who only starts the daemon needs neither, the daemon one of them.
    if name == "native":
        from pywg.engine.native import NativeEngine  # noqa: PLC0415 (see above)

        return Choice(NativeEngine(limits=limits, clock=clock, mtu=mtu, tun=tun, reactor=reactor), why)
    from pywg.engine.python import PythonEngine  # noqa: PLC0415 (see above)

    return Choice(PythonEngine(limits=limits, clock=clock, mtu=mtu, tun=tun, reactor=reactor), why)


def _obstacle(*, has_descriptor: bool) -> _Obstacle | None:
    if not has_descriptor:
        return _Obstacle("the native engine needs a TUN with a descriptor", "open one")
    module = _load()
    return module if isinstance(module, _Obstacle) else None


def _load() -> ModuleType | _Obstacle:
    """The extension, if it is one for the Python files here."""
    if sys.platform != "linux":
        return _Obstacle("the native engine is for Linux only", "use it there")
    again = "install pywg again with PYWG_BUILD_NATIVE=yes and a Rust toolchain (https://rustup.rs) on PATH"
    try:
        import pywg._native as native  # noqa: PLC0415 (not where the Python engine is asked for)
    except ModuleNotFoundError:
        return _Obstacle(f"no native engine: {_note()}", again)
    except ImportError as error:
        return _Obstacle(f"the native engine cannot be loaded: {_one_line(str(error))}", again)
    theirs = getattr(native, "CONTRACT", None)
    if theirs != CONTRACT:
        return _Obstacle(
            f"the native engine was built from other sources (contract {theirs}, expected {CONTRACT})", again
        )
    return native


def _note() -> str:
    """What setup.py left, if it ran."""
    try:
        return _one_line(NOTE.read_text())
    except OSError:
        return "none was built here"


def _one_line(text: str) -> str:
    return " ".join(text.split())
