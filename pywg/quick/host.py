"""What `up`, `down` and `save` work with: the system, the interface's control, and the user."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pywg.config.model import HostPort
from pywg.control import Control
from pywg.endpoint import Endpoint
from pywg.net.resolve import Tell
from pywg.net.system import Echo, System
from pywg.quick.interruption import Interruption
from pywg.uapi.path import DIRECTORY


@dataclass(frozen=True, slots=True)
class Host:
    """A test brings its own."""

    system: System
    open_control: Callable[[str], Control]
    """Raises NoSuchInterfaceError and other UapiErrors."""
    resolve: Callable[[HostPort], Endpoint]
    """May take long. Raises ConfigError, which names the line."""
    echo: Echo
    """Echoes what is done, without its ``[#] ``."""
    tell: Tell
    interruption: Interruption
    sockets: Path = DIRECTORY
    """Where daemons have their UAPI sockets."""
