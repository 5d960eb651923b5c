"""What `up`, `down` and `save` work with: the system, the interface's control, and the user."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pywg.config.model import HostPort
from pywg.control import Control
from pywg.endpoint import Endpoint
from pywg.net.system import Say, System
from pywg.quick.interruption import Interruption
from pywg.uapi.path import DIRECTORY

Tell = Callable[[str], None]
"""Takes one line for the user, such as what could not be done."""


@dataclass(frozen=True, slots=True)
class Host:
    """A test brings its own."""

    system: System
    open_control: Callable[[str], Control]
    """Raises NoSuchInterfaceError and other UapiErrors."""
    resolve: Callable[[HostPort], Endpoint]
    """May take long. Raises ConfigError, which names the line."""
    say: Say
    """Echoes what is done, without its ``[#] ``."""
    tell: Tell
    interruption: Interruption
    sockets: Path = DIRECTORY
    """Where daemons have their UAPI sockets."""
