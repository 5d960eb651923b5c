"""Whoever is not a pywg: strangers and hand-made peers, who say what they like to a machine of the world."""

from random import Random

from pywg.endpoint import Endpoint
from pywg.protocol.constants import INITIATION_SIZE, SECOND, Limits
from pywg.protocol.cookie import CookieSender, mac1_key
from pywg.protocol.handshake import Identity, RemoteStatic, create_initiation
from pywg.protocol.macs import mac
from pywg.protocol.messages import MACS_SIZE
from pywg.protocol.tai64n import tai64n
from pywg.uapi.model import PeerChange
from tests.simulation.world import Machine, Sent

ELSEWHERE = Endpoint("203.0.113.66", 666)
MOMENT = 0.001
"""Seconds in which a machine handles what has arrived, and no timer comes."""


def with_mac1(victim: Machine, message: bytes) -> bytes:
    """A handshake message (its MACs are replaced) with MAC1 made right, as anybody can who knows the key."""
    body = message[:-MACS_SIZE]
    return body + mac(mac1_key(victim.public_key), body) + bytes(MACS_SIZE // 2)


def rubbish(victim: Machine, random: Random) -> bytes:
    """An initiation of random bytes, but for MAC1."""
    return with_mac1(victim, b"\1\0\0\0" + random.randbytes(INITIATION_SIZE - 4))


def arrive(machine: Machine, data: bytes, source: Endpoint = ELSEWHERE) -> None:
    """Put a datagram into the machine's socket and let it be handled."""
    assert machine.udp is not None
    machine.udp.arrive(source, data)
    machine.world.run(MOMENT)


def arrive_at_once(machine: Machine, *datagrams: tuple[bytes, Endpoint]) -> None:
    """Put all into the socket before the machine has its turn."""
    assert machine.udp is not None
    for data, source in datagrams:
        machine.udp.arrive(source, data)
    machine.world.run(MOMENT)


def answers(machine: Machine, to: Endpoint = ELSEWHERE) -> list[Sent]:
    """What the machine has sent to an endpoint."""
    return [one for one in machine.world.sent if one.source.host == machine.address and one.destination == to]


def causes(machine: Machine) -> dict[str, int]:
    """Handshake failures that could be laid to no peer."""
    return dict(machine.device.get_status().handshake_failures)


def peer_causes(machine: Machine) -> dict[str, int]:
    """Handshake failures of the only peer."""
    (peer,) = machine.device.get_status().peers
    return dict(peer.handshake_failures)


def endpoint(machine: Machine) -> Endpoint | None:
    """Where the only peer is."""
    (peer,) = machine.device.get_state().peers
    return peer.endpoint


class Initiator:
    """Makes initiations to a machine by hand: with any timestamp, from any address, as often as it likes."""

    def __init__(self, victim: Machine, *, known: bool, host: str = "198.51.100.7", port: int = 7) -> None:
        """`known`: the victim has it as a peer."""
        random = victim.world.random
        self.victim = victim
        self.identity = Identity(random.randbytes(32))
        self.remote = RemoteStatic(self.identity, victim.public_key)
        self.cookie = CookieSender(self.remote, Limits())
        self.endpoint = Endpoint(host, port)
        self.timestamp = int.from_bytes(tai64n(1_600_000_000 * SECOND), "big")
        if known:
            victim.configure(PeerChange(public_key=self.identity.public_key))

    def make(self, timestamp: int | None = None) -> bytes:
        """Message 1, with a timestamp greater by the least there is than the last if none is given."""
        if timestamp is None:
            timestamp = self.timestamp = self.timestamp + 1
        random = self.victim.world.random
        created = create_initiation(
            self.identity,
            self.remote,
            ephemeral_private=random.randbytes(32),
            local_index=random.getrandbits(32),
            timestamp=timestamp.to_bytes(12, "big"),
        )
        return self.cookie.seal(created.message, self.victim.clock.boottime())

    def send(self, timestamp: int | None = None, *, source: Endpoint | None = None) -> list[Sent]:
        """Send one and return what came back."""
        source = source or self.endpoint
        before = len(answers(self.victim, source))
        arrive(self.victim, self.make(timestamp), source)
        return answers(self.victim, source)[before:]
