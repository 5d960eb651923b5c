"""The engine in Rust, as the control plane sees it: `contract.Engine` over the extension `pywg._native`.

Comes in: the contract's types. Goes out: numbers, bytes and tuples, and back. Nothing here runs per packet,
and there are no rules here: a packet's way is in ``native/src``.
"""

import ipaddress
import socket
from collections.abc import Mapping, Sequence
from typing import Final

from pywg import _native
from pywg.clock import Clock, SystemClock
from pywg.endpoint import Endpoint, Source
from pywg.engine.contract import (
    AllowedIpChange,
    Counters,
    Drop,
    Failure,
    HandshakeDatagram,
    Notice,
    PeerId,
    PeerNotice,
    Reactor,
    Slot,
    TransportKeys,
    UdpSockets,
)
from pywg.protocol.allowed_ips import Prefix
from pywg.protocol.constants import Limits
from pywg.protocol.timers import Fact, Traffic
from pywg.tun.port import TunPort

_PackedSource = tuple[tuple[bytes, int, int], bytes, int]

_DROPS: Final = {drop.value: drop for drop in Drop}


class NativeEngine:
    """See `contract.Engine` for what each method promises.

    Two threads of its own move the packets, so the reactor is not used. Calls do at once what they say: what
    is sent by one is sent when it returns.
    """

    name = "native"

    def __init__(self, *, limits: Limits, clock: Clock, mtu: int, tun: TunPort, reactor: Reactor) -> None:
        """Takes over `tun`, which must have a descriptor. Raises OSError if none is left for the threads.

        With a clock that is not the machine's, time stands still but for `set_time`.
        """
        del reactor
        self._tun = tun
        self._sockets: UdpSockets | None = None
        self._engine = _native.Engine(
            limits=(
                limits.rekey_after_messages,
                limits.reject_after_messages,
                limits.rekey_after_time,
                limits.reject_after_time,
                # Below zero only in tests that shrink the others.
                max(0, limits.rekey_after_time_receiving),
                limits.staged_packets,
                limits.handshake_queue,
            ),
            now=None if isinstance(clock, SystemClock) else clock.boottime(),
            mtu=mtu,
            tun=tun.fileno(),
            vnet_hdr=tun.vnet_hdr,
        )

    # The device.

    def fileno(self) -> int:
        return self._engine.fileno()

    def start(self) -> None:
        self._engine.start()

    def close(self) -> None:
        self._engine.close()
        self._close_sockets()
        self._tun.close()

    def swap_sockets(self, sockets: UdpSockets | None) -> None:
        if sockets is None:
            self._engine.swap_sockets(None, None, 0)
        else:
            numbers = {family: port.fileno() for family, port in sockets.by_family.items()}
            try:
                self._engine.swap_sockets(numbers.get("v4"), numbers.get("v6"), sockets.port)
            except OSError:
                sockets.close()
                raise
        self._close_sockets()
        self._sockets = sockets

    def set_mac1_key(self, key: bytes | None) -> None:
        self._engine.set_mac1_key(key)

    def set_pending(self, index: int, *, pending: bool) -> None:
        self._engine.set_pending(index, pending)

    def set_fwmark(self, mark: int) -> None:
        self._engine.set_fwmark(mark)

    def set_mtu(self, mtu: int) -> None:
        self._engine.set_mtu(mtu)

    def route_changed(self) -> None:
        self._engine.route_changed()

    # Peers.

    def add_peer(self, peer: PeerId) -> None:
        if not self._engine.add_peer(peer):
            raise ValueError(f"peer id {peer} is in use; ids are never reused")

    def remove_peer(self, peer: PeerId) -> tuple[int, ...]:
        return tuple(self._engine.remove_peer(peer))

    def set_endpoint(self, peer: PeerId, endpoint: Endpoint | None) -> None:
        self._engine.set_endpoint(peer, None if endpoint is None else _packed(endpoint))

    def source(self, peer: PeerId) -> Source | None:
        source = self._engine.source(peer)
        return None if source is None else _source(source)

    def change_allowed_ips(self, changes: Sequence[AllowedIpChange]) -> None:
        steps = [
            (
                change.peer,
                None
                if change.prefix is None
                else (change.prefix.network_address.packed, change.prefix.prefixlen),
                change.remove,
            )
            for change in changes
        ]
        if not self._engine.change_allowed_ips(steps):
            raise ValueError("a prefix to add is missing; None stands for all only with remove")

    def allowed_ips(self, peer: PeerId) -> Sequence[Prefix]:
        return [ipaddress.ip_network(prefix) for prefix in self._engine.allowed_ips(peer)]

    # Keys.

    def install(self, peer: PeerId, keys: TransportKeys, slot: Slot) -> tuple[int, ...]:
        freed = self._engine.install(
            peer,
            send_key=keys.send_key,
            receive_key=keys.receive_key,
            local_index=keys.local_index,
            remote_index=keys.remote_index,
            is_initiator=keys.is_initiator,
            born=keys.born,
            counter=keys.counter,
            as_current=slot is Slot.CURRENT,
        )
        return tuple(freed)

    def drop_keypairs(self, peer: PeerId) -> tuple[int, ...]:
        return tuple(self._engine.drop_keypairs(peer))

    def expire_sending(self, peer: PeerId) -> None:
        self._engine.expire_sending(peer)

    def arm_keys_needed(self, peer: PeerId) -> None:
        self._engine.arm_keys_needed(peer)

    def arm_stirred(self, peer: PeerId, facts: Fact) -> None:
        self._engine.arm_stirred(peer, Fact.UNANSWERED_SENT in facts, Fact.UNANSWERED_RECEIVED in facts)

    # Sending.

    def send_handshake(self, peer: PeerId, datagram: bytes) -> None:
        self._engine.send_handshake(peer, datagram)

    def handshake_accepted(self, peer: PeerId, source: Source, size: int) -> None:
        self._engine.handshake_accepted(peer, _packed_source(source), size)

    def send_reply(self, source: Source, datagram: bytes) -> None:
        self._engine.send_reply(_packed_source(source), datagram)

    def send_keepalive(self, peer: PeerId) -> None:
        self._engine.send_keepalive(peer)

    def clear_source(self, peer: PeerId | None) -> None:
        self._engine.clear_source(peer)

    def drop_staged(self, peer: PeerId) -> None:
        self._engine.drop_staged(peer)

    def clear_unanswered_sent(self, peer: PeerId, seen: int) -> None:
        self._engine.clear_unanswered_sent(peer, seen)

    # Asked by the control plane when `fileno` is readable.

    def take_handshakes(self, most: int) -> list[HandshakeDatagram]:
        taken = self._engine.take_handshakes(most)
        return [HandshakeDatagram(data, _source(source), depth) for data, source, depth in taken]

    def take_notices(self, most: int) -> list[PeerNotice]:
        return [
            PeerNotice(PeerId(peer), Notice(bits), tuple(freed), confirmed)
            for peer, bits, freed, confirmed in self._engine.take_notices(most)
        ]

    def take_failure(self) -> Failure | None:
        failure = self._engine.take_failure()
        return None if failure is None else Failure(*failure)

    # State.

    def traffic(self, peer: PeerId) -> Traffic:
        return Traffic(*self._engine.traffic(peer))

    def counters(self, peer: PeerId) -> Counters:
        return Counters(*self._engine.counters(peer))

    def drops(self, peer: PeerId | None) -> Mapping[Drop, int]:
        return {_DROPS[cause]: count for cause, count in self._engine.drops(peer)}

    def icmp_errors(self, peer: PeerId) -> Mapping[int, int]:
        return dict(self._engine.icmp_errors(peer))

    def status(self) -> Mapping[str, str]:
        return dict(self._engine.status())

    # Tests only.

    def set_time(self, boottime_ns: int) -> None:
        """Move a clock that is not the machine's."""
        self._engine.set_time(boottime_ns)

    def settle(self, seconds: float) -> bool:
        """Wait until both threads have found nothing to do; tells whether they did in time."""
        return self._engine.settle(seconds)

    def fault(self, *, of_first: bool) -> None:
        """Let the next batch of a thread, the first or its helper, meet a fault of the engine's own."""
        self._engine.fault(of_first)

    def fault_here(self) -> None:
        """Meet one in this call."""
        self._engine.fault_here()

    def _close_sockets(self) -> None:
        sockets, self._sockets = self._sockets, None
        if sockets is not None:
            sockets.close()


def _packed(endpoint: Endpoint) -> tuple[bytes, int, int]:
    return endpoint.address, endpoint.port, endpoint.scope_id


def _packed_source(source: Source) -> _PackedSource:
    return _packed(source.endpoint), source.local, source.ifindex


def _source(packed: _PackedSource) -> Source:
    (address, port, scope), local, ifindex = packed
    family = socket.AF_INET if len(address) == 4 else socket.AF_INET6
    return Source(Endpoint(socket.inet_ntop(family, address), port, scope), local, ifindex)
