"""What a watcher on the wire sees of a simulated run."""

from collections.abc import Iterable

from pywg.protocol.constants import KEEPALIVE_SIZE, MessageType
from tests.simulation.world import Machine, Sent


def kinds(sent: Iterable[Sent]) -> list[str]:
    """``initiation``, ``response``, ``cookie``, ``keepalive`` or ``data`` for each datagram."""
    return [kind(one) for one in sent]


def kind(sent: Sent) -> str:
    match sent.data[0]:
        case MessageType.INITIATION:
            return "initiation"
        case MessageType.RESPONSE:
            return "response"
        case MessageType.COOKIE_REPLY:
            return "cookie"
    return "keepalive" if len(sent.data) == KEEPALIVE_SIZE else "data"


def sent_by(machine: Machine, *wanted: str) -> list[Sent]:
    """Datagrams from the machine's present address, of these kinds or all."""
    return [
        one
        for one in machine.world.sent
        if one.source.host == machine.address and (not wanted or kind(one) in wanted)
    ]


def seconds(sent: Iterable[Sent], since: int) -> list[float]:
    return [(one.at - since) / 1e9 for one in sent]
