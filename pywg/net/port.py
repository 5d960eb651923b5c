"""What the control plane needs to know of the machine's network, on every platform."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pywg.endpoint import Endpoint


@dataclass(frozen=True, slots=True)
class LinkState:
    """Our TUN device as the administrator set it."""

    up: bool
    mtu: int


@dataclass(frozen=True, slots=True)
class MonitorCallbacks:
    """What a LinkMonitor calls, from within `on_readable` only."""

    on_change: Callable[[LinkState], None]
    """The link went up or down, or its MTU changed."""
    on_route_change: Callable[[], None]
    """Routes, rules or addresses changed where our UDP sockets are: cached sources may be wrong."""
    on_gone: Callable[[], None]
    """The device was deleted. Called once."""


class LinkMonitor(Protocol):
    """Watches one TUN device. `fileno` becomes readable when `on_readable` has something to do."""

    state: LinkState
    """As it was last seen."""

    def fileno(self) -> int:
        """The descriptor to watch, or -1 after `close`."""

    def on_readable(self) -> None:
        """Look at what happened and call back. Never blocks for long."""

    def route_interface(self, endpoint: Endpoint, mark: int) -> int | None:
        """Index of the interface a datagram to `endpoint` leaves through; None if it cannot be told."""

    def close(self) -> None:
        """May be called twice."""
