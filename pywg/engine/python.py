"""The engine in plain Python: the executable specification of `contract.Engine`.

Comes in: the control plane's calls, and readiness of TUN and sockets through the reactor. Goes out: packets,
through `outbound` and `inbound`, and what `mailbox` holds for the control plane. It runs on the reactor's
thread, with the clock it is given and no randomness, so the simulator can replay any run.
"""

from collections.abc import Mapping, Sequence
from functools import partial

from pywg.clock import Clock
from pywg.endpoint import Endpoint, Source
from pywg.engine.contract import (
    HANDSHAKE_TOS,
    AllowedIpChange,
    Counters,
    Drop,
    Failure,
    HandshakeDatagram,
    PeerId,
    PeerNotice,
    Reactor,
    Slot,
    TransportKeys,
    UdpSockets,
)
from pywg.engine.inbound import Inbound
from pywg.engine.outbound import Outbound
from pywg.engine.peer_state import PeerState
from pywg.engine.plane import Plane
from pywg.engine.transmit import Transmitter
from pywg.protocol.allowed_ips import Prefix
from pywg.protocol.constants import Limits
from pywg.protocol.keypair import Keypair
from pywg.protocol.timers import Fact, Traffic
from pywg.tun.port import TunPort
from pywg.udp.port import UdpPort


class PythonEngine:
    """See `contract.Engine` for what each method promises."""

    name = "python"

    def __init__(self, *, limits: Limits, clock: Clock, mtu: int, tun: TunPort, reactor: Reactor) -> None:
        """Takes over `tun`. Raises OSError if there is no descriptor left for the wake-up."""
        self._reactor = reactor
        self._plane = Plane(limits=limits, clock=clock, mtu=mtu, tun=tun)
        self._peers: dict[PeerId, PeerState] = {}
        self._transmitter = Transmitter(self._plane)
        self._outbound = Outbound(self._plane, self._transmitter)
        self._inbound = Inbound(self._plane, self._outbound, self._transmitter)
        self._watched: list[TunPort | UdpPort] = []
        self._closed = False

    # The device.

    def fileno(self) -> int:
        return self._plane.mailbox.fileno()

    def start(self) -> None:
        tun = self._plane.tun
        if not self._closed and tun not in self._watched:
            self._watched.append(tun)
            self._reactor.add_reader(tun, self._read_tun)

    def close(self) -> None:
        if self._closed:
            return
        self.swap_sockets(None)
        self._closed = True
        self._unwatch(self._plane.tun)
        self._plane.tun.close()
        self._plane.keypairs.clear()
        for peer in self._peers.values():
            peer.slots.drop()
            peer.staged.clear()
        self._plane.mailbox.close()

    def swap_sockets(self, sockets: UdpSockets | None) -> None:
        for port in self._ports().values():
            self._unwatch(port)
            port.close()
        self._plane.sockets = sockets
        self.clear_source(None)
        for part, port in self._ports().items():
            self._watched.append(port)
            self._reactor.add_reader(port, partial(self._read_udp, port, part))

    def set_mac1_key(self, key: bytes | None) -> None:
        if key == self._plane.mac1_key:
            return
        self._plane.mac1_key = key
        outdated = self._plane.mailbox.clear_handshakes()
        if outdated:
            self._plane.drop(Drop.BAD_MAC1, count=outdated)

    def set_pending(self, index: int, *, pending: bool) -> None:
        if pending:
            self._plane.pending.add(index)
        else:
            self._plane.pending.discard(index)

    def set_fwmark(self, mark: int) -> None:
        self.clear_source(None)
        for port in self._ports().values():
            port.set_mark(mark)

    def set_mtu(self, mtu: int) -> None:
        self._plane.mtu = mtu

    def route_changed(self) -> None:
        for port in self._ports().values():
            port.route_changed()

    # Peers.

    def add_peer(self, peer: PeerId) -> None:
        if peer in self._peers:
            raise ValueError(f"peer id {peer} is in use; ids are never reused")
        self._peers[peer] = PeerState(peer)

    def remove_peer(self, peer: PeerId) -> tuple[int, ...]:
        state = self._peers.pop(peer)
        self._plane.routes.remove_owner(state)
        self._plane.move(state, None)
        state.staged.clear()
        return self._plane.mailbox.forget(state) + self._plane.release(state.slots.drop())

    def set_endpoint(self, peer: PeerId, endpoint: Endpoint | None) -> None:
        self._plane.move(self._peers[peer], None if endpoint is None else Source(endpoint))

    def source(self, peer: PeerId) -> Source | None:
        return self._peers[peer].source

    def change_allowed_ips(self, changes: Sequence[AllowedIpChange]) -> None:
        routes = self._plane.routes
        for change in changes:
            owner = self._peers[change.peer]
            if not change.remove:
                if change.prefix is None:
                    raise ValueError("a prefix to add is missing; None stands for all only with remove")
                routes.insert(change.prefix, owner)
            elif change.prefix is None:
                routes.remove_owner(owner)
            else:
                routes.remove(change.prefix, owner)

    def allowed_ips(self, peer: PeerId) -> Sequence[Prefix]:
        return self._plane.routes.prefixes(self._peers[peer])

    # Keys.

    def install(self, peer: PeerId, keys: TransportKeys, slot: Slot) -> tuple[int, ...]:
        state = self._peers[peer]
        keypair = Keypair(
            state,
            send_key=keys.send_key,
            receive_key=keys.receive_key,
            local_index=keys.local_index,
            remote_index=keys.remote_index,
            is_initiator=keys.is_initiator,
            born=keys.born,
            counter=keys.counter,
            limits=self._plane.limits,
        )
        self._plane.keypairs[keys.local_index] = keypair
        if slot is Slot.NEXT:
            return self._plane.release(state.slots.install_next(keypair))
        freed = self._plane.release(state.slots.install_current(keypair))
        self._outbound.send_keepalive(state, self._plane.clock.boottime())
        return freed

    def drop_keypairs(self, peer: PeerId) -> tuple[int, ...]:
        return self._plane.release(self._peers[peer].slots.drop())

    def expire_sending(self, peer: PeerId) -> None:
        self._peers[peer].slots.expire_sending()

    def arm_keys_needed(self, peer: PeerId) -> None:
        self._peers[peer].keys_needed_armed = True

    def arm_stirred(self, peer: PeerId, facts: Fact) -> None:
        state = self._peers[peer]
        if state.watch(facts):
            self._plane.stir(state)

    # Sending.

    def send_handshake(self, peer: PeerId, datagram: bytes) -> None:
        state = self._peers[peer]
        self._transmitter.to_peer(state, [datagram], HANDSHAKE_TOS)
        state.authenticated_sent(self._plane.clock.boottime(), data=False)

    def handshake_accepted(self, peer: PeerId, source: Source, size: int) -> None:
        state = self._peers[peer]
        self._plane.move(state, source)
        state.rx_bytes += size
        state.authenticated_received(self._plane.clock.boottime(), data_packets=0)

    def send_reply(self, source: Source, datagram: bytes) -> None:
        self._transmitter.reply(source, datagram)

    def send_keepalive(self, peer: PeerId) -> None:
        self._outbound.send_keepalive(self._peers[peer], self._plane.clock.boottime())

    def clear_source(self, peer: PeerId | None) -> None:
        for state in self._peers.values() if peer is None else (self._peers[peer],):
            self._plane.clear_source(state)

    def drop_staged(self, peer: PeerId) -> None:
        state = self._peers[peer]
        if state.staged:
            self._plane.drop(Drop.NO_KEY, state, len(state.staged))
            state.staged.clear()

    def clear_unanswered_sent(self, peer: PeerId, seen: int) -> None:
        state = self._peers[peer]
        if state.unanswered_sent == seen:
            state.unanswered_sent = None

    # Asked by the control plane when `fileno` is readable.

    def take_handshakes(self, most: int) -> list[HandshakeDatagram]:
        return self._plane.mailbox.take_handshakes(most)

    def take_notices(self, most: int) -> list[PeerNotice]:
        return self._plane.mailbox.take_notices(most)

    def take_failure(self) -> Failure | None:
        return self._plane.mailbox.take_failure()

    # State.

    def traffic(self, peer: PeerId) -> Traffic:
        return self._peers[peer].traffic()

    def counters(self, peer: PeerId) -> Counters:
        state = self._peers[peer]
        return Counters(tx_bytes=state.tx_bytes, rx_bytes=state.rx_bytes)

    def drops(self, peer: PeerId | None) -> Mapping[Drop, int]:
        return dict(self._plane.drops if peer is None else self._peers[peer].drops)

    def icmp_errors(self, peer: PeerId) -> Mapping[int, int]:
        return dict(self._peers[peer].icmp_errors)

    def status(self) -> Mapping[str, str]:
        ports = self._ports()
        return {
            "sockets": " ".join(ports) if self._plane.sockets is not None else "down",
            "tun_vnet_hdr": "yes" if self._plane.tun.vnet_hdr else "no",
            "handshakes_queued": str(self._plane.mailbox.handshakes_waiting),
            "keypairs": str(len(self._plane.keypairs)),
        }

    # Readiness.

    def _unwatch(self, port: TunPort | UdpPort) -> None:
        if port in self._watched:
            self._watched.remove(port)
            self._reactor.remove_reader(port)

    def _read_tun(self) -> None:
        if not self._outbound.read_tun():
            self._unwatch(self._plane.tun)

    def _read_udp(self, port: UdpPort, part: str) -> None:
        if not self._inbound.read_udp(port, part):
            self._unwatch(port)

    def _ports(self) -> dict[str, UdpPort]:
        """The sockets there are, by the name a failure gives them."""
        sockets = self._plane.sockets
        if sockets is None:
            return {}
        return {f"udp{family.removeprefix('v')}": port for family, port in sockets.by_family.items()}
