"""Which engine moves the packets, and why.

Comes in: what the user wants (`PYWG_ENGINE` or ``--engine``). Goes out: an engine with the reason for it,
told by ``get_status``, by the log and by ``pywg --version``.
"""

from dataclasses import dataclass
from typing import Final

from pywg.clock import Clock
from pywg.engine.contract import Engine, Reactor
from pywg.protocol.constants import Limits
from pywg.tun.port import TunPort

PREFERENCES: Final = ("auto", "python", "native")


class EngineUnavailableError(Exception):
    """The engine that was asked for cannot be had. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine, ready to be started, and why it was chosen."""

    engine: Engine
    why: str


def describe_choice(preference: str) -> tuple[str, str]:
    """Name of the engine `preference` leads to, and why. Raises EngineUnavailableError."""
    if preference not in PREFERENCES:
        raise EngineUnavailableError(
            f"there is no engine '{preference}'; set PYWG_ENGINE to one of {', '.join(PREFERENCES)}"
        )
    if preference == "native":
        raise EngineUnavailableError("this build has no native engine; set PYWG_ENGINE to auto or python")
    return "python", "it was asked for" if preference == "python" else "this build has no native engine"


def create_engine(
    preference: str, *, limits: Limits, clock: Clock, mtu: int, tun: TunPort, reactor: Reactor
) -> Choice:
    """Make the engine `preference` (one of PREFERENCES) leads to. It takes over `tun`.

    Raises EngineUnavailableError, and OSError if no descriptor is left.
    """
    _, why = describe_choice(preference)
    # Imported where it is used: the process that only starts the daemon never needs it.
    from pywg.engine.python import PythonEngine  # noqa: PLC0415 (see above)

    return Choice(PythonEngine(limits=limits, clock=clock, mtu=mtu, tun=tun, reactor=reactor), why)
