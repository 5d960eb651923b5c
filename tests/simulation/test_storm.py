"""Bad weather, restarts, roaming, suspends, forgers and replays; and what must be true all the same.

1 delivered is a subset of sent, each at most once; 2 the inner source belongs to the peer; 3 no nonce twice;
4 no transport data before confirmation; 5 an endpoint moves only on authentic, new messages; 6 few keypairs;
7 after healing traffic flows within 6 s; 9 no keys after 541 s idle. (8, silence, is tests/fuzz.)
"""

from collections import defaultdict

import pytest

from pywg.endpoint import Endpoint
from pywg.protocol.constants import SECOND, MessageType
from tests.simulation.world import Machine, Sent, Weather, World, ipv4

ATTACKER = Endpoint("203.0.113.66", 666)


class Watcher:
    """Sees the wire and objects."""

    def __init__(self, world: World) -> None:
        self.nonces: set[tuple[bytes, bytes]] = set()
        self.arrived: list[Sent] = []
        self._used_by_initiator: dict[str, set[bytes]] = defaultdict(set)
        self._unconfirmed: dict[tuple[str, bytes], bytes] = {}
        world.on_sent.append(self._sent)
        world.on_arrived.append(self._arrived)

    def _sent(self, sent: Sent) -> None:
        data = sent.data
        if sent.source == ATTACKER:
            return
        if data[0] == MessageType.RESPONSE:
            # Our keypair data[4:8] may be sent under as data[8:12] only when the other has used it.
            self._unconfirmed[sent.source.host, data[8:12]] = data[4:8]
        elif data[0] == MessageType.TRANSPORT_DATA:
            nonce = (data[4:8], data[8:16])
            assert nonce not in self.nonces, "3: a nonce was used twice"
            self.nonces.add(nonce)
            ours = self._unconfirmed.get((sent.source.host, data[4:8]))
            assert ours is None or ours in self._used_by_initiator[sent.source.host], (
                "4: sent before confirmed"
            )

    def _arrived(self, sent: Sent) -> None:
        if sent.source != ATTACKER:
            self.arrived.append(sent)
        if sent.data[0] == MessageType.TRANSPORT_DATA:
            self._used_by_initiator[sent.destination.host].add(sent.data[4:8])


class Storm:
    """Three machines that all know each other, in a world with a will of its own."""

    def __init__(self, seed: int) -> None:
        self.world = World(seed)
        self.world.keep_sent = False
        self.watcher = Watcher(self.world)
        self.machines = [Machine(self.world, f"192.0.2.{n}", f"10.0.0.{n}") for n in (1, 2, 3)]
        self.addresses = {machine.address for machine in self.machines}
        for machine in self.machines:
            self.introduce(machine)
        self.sent: set[bytes] = set()
        self.delivered: dict[str, list[bytes]] = {machine.inner: [] for machine in self.machines}
        self.number = 0

    def introduce(self, machine: Machine) -> None:
        for other in self.machines:
            if other is not machine:
                machine.knows(other)
        machine.up()

    def send(self, source: Machine, destination: Machine, *, spoof: str | None = None) -> None:
        self.number += 1
        payload = b"%08d" % self.number
        packet = ipv4(spoof or source.inner, destination.inner, payload)
        if spoof is None:
            self.sent.add(packet)
        source.tun.inject(packet)

    def collect(self) -> None:
        for machine in self.machines:
            self.delivered[machine.inner].extend(machine.delivered)
            machine.delivered.clear()

    def step(self) -> None:
        """Half a second of whatever happens."""
        world, random = self.world, self.world.random
        a, b, c = random.sample(self.machines, 3)
        for _ in range(random.randrange(4)):
            self.send(a, b)
        if random.random() < 0.2:
            self.send(a, b, spoof=c.inner)
        if random.random() < 0.3 and self.watcher.arrived:
            old = random.choice(self.watcher.arrived)
            world.deliver(ATTACKER, old.destination, old.data, 0)
        if random.random() < 0.3:
            world.deliver(
                ATTACKER, Endpoint(a.address, a.port), random.randbytes(random.choice([1, 92, 148])), 0
            )
        chance = random.random()
        if chance < 0.01:
            a.stop()
            a.start()
            self.introduce(a)
            # Whoever forgets everything can be shown an old initiation again: no memory, no defence.
            self.watcher.arrived = [one for one in self.watcher.arrived if one.destination.host != a.address]
        elif chance < 0.03:
            address = f"192.0.2.{random.randrange(10, 250)}"
            if address not in self.addresses:
                self.addresses.add(address)
                a.roam(address)
        elif chance < 0.04:
            a.suspend(random.choice([1, 30, 200, 1000]))
        elif chance < 0.05:
            a.clock.wall_offset += random.randrange(100) * SECOND
        world.run(0.5)
        self.check()

    def check(self) -> None:
        self.collect()
        for machine in self.machines:
            for peer in machine.device.get_state().peers:
                assert peer.endpoint is not None
                assert peer.endpoint.host in self.addresses, "5: the attacker took an endpoint"
            assert machine.device._handshakes.indices_in_use <= 4 * 2, "6: too many indices"
            assert not machine.log.error_lines

    def finish(self) -> None:
        """The weather clears; then everybody speaks to everybody, then nobody does."""
        world = self.world
        world.weather = Weather()
        world.run(1)
        # Everybody is where everybody can find them.
        for machine in self.machines:
            self.introduce(machine)
        self.collect()
        before = {inner: len(packets) for inner, packets in self.delivered.items()}
        for _ in range(12):
            for a in self.machines:
                for b in self.machines:
                    if a is not b:
                        self.send(a, b)
            world.run(0.5)
        self.check()
        for machine in self.machines:
            fresh = self.delivered[machine.inner][before[machine.inner] :]
            assert {packet[12:16] for packet in fresh} == {
                ipv4(o.inner, o.inner, b"")[12:16] for o in self.machines if o is not machine
            }, "7: it does not flow"
        for packets in self.delivered.values():
            assert len(packets) == len(set(packets)), "1: delivered twice"
            assert set(packets) <= self.sent, "1 and 2: delivered what nobody sent, or a lie about its source"
        world.run(560)
        assert not any(machine.device._handshakes.indices_in_use for machine in self.machines), "9: keys left"


@pytest.mark.parametrize("seed", range(8))
def test_a_storm(seed: int) -> None:
    storm = Storm(seed)
    storm.world.weather = Weather(
        loss=storm.world.random.choice([0, 0.1, 0.3]),
        duplicate=0.1,
        flip=0.02,
        spread=storm.world.random.choice([1, SECOND // 10, 2 * SECOND]),
    )
    for _ in range(1_000):
        storm.step()
    assert len(storm.watcher.nonces) > 500
    storm.finish()


def test_packets_reordered_by_thousands_arrive_once_each() -> None:
    storm = Storm(99)
    a, b = storm.machines[:2]
    storm.send(a, b)
    storm.world.run(1)
    storm.world.weather = Weather(duplicate=0.1, spread=SECOND)
    for _ in range(9_000):
        storm.send(a, b)
        storm.world.run_until(storm.world.now + SECOND // 10_000)
    storm.world.run(3)
    storm.collect()
    received = storm.delivered[b.inner]
    assert len(received) == len(set(received))
    assert len(received) > 7_000
