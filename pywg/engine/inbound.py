"""The way in: UDP -> local index (whose?) -> open -> replay -> source check in allowed IPs -> TUN.

Comes in: datagrams. Goes out: IP packets to the TUN, handshake datagrams to `admission`. Rules kept:
whitepaper 5.4.6 and 6.2 with the kernel's receive.c: the keypair's age before the tag, the tag before the
replay window, both before the endpoint moves, and the peer that has the inner source in the whole table must
be the one that sent.
"""

import errno
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag

from pywg.engine import inner
from pywg.engine.admission import Admission
from pywg.engine.contract import Drop, Notice
from pywg.engine.outbound import Outbound
from pywg.engine.peer_state import PeerState
from pywg.engine.plane import Plane
from pywg.engine.transmit import Transmitter
from pywg.protocol.constants import KEEPALIVE_SIZE, TRANSPORT_HEADER_SIZE, MessageType
from pywg.protocol.keypair import NONCE, Keypair
from pywg.protocol.messages import TRANSPORT_HEADER
from pywg.udp.port import Datagram, UdpPort

BATCH: Final = 64
"""Datagrams received at once, about."""

_DATA: Final = int(MessageType.TRANSPORT_DATA)


class Inbound:
    """Everything that opens."""

    def __init__(self, plane: Plane, outbound: Outbound, transmitter: Transmitter) -> None:
        self._plane = plane
        self._outbound = outbound
        self._transmitter = transmitter
        self._admission = Admission(plane)

    def read_udp(self, port: UdpPort, part: str) -> bool:
        """Move one batch from the socket called `part`. Returns False if the socket is dead."""
        try:
            datagrams = port.receive(BATCH)
        except OSError as error:
            self._plane.mailbox.fail(part, error.errno or errno.EIO)
            return False
        if datagrams:
            self._open(datagrams)
        else:
            # Readable without a datagram: an ICMP error waits, and would wake us for ever.
            self._transmitter.drain_errors(port)
        return True

    def _open(self, datagrams: Sequence[Datagram]) -> None:
        """Open a batch. What one peer sent in a row is accounted and delivered together."""
        plane = self._plane
        now = plane.clock.boottime()
        keypairs = plane.keypairs
        unpack_header = TRANSPORT_HEADER.unpack_from
        authenticate = self._authenticate
        peer: PeerState | None = None
        size = 0
        payloads: list[tuple[bytes, int]] = []
        for data, source, ecn in datagrams:
            if len(data) < KEEPALIVE_SIZE:
                plane.drop(Drop.BAD_SIZE)
                continue
            kind, index, counter = unpack_header(data)
            if kind != _DATA:
                self._admission.offer(data, source)
                continue
            keypair = keypairs.get(index)
            if keypair is None:
                plane.drop(Drop.UNKNOWN_INDEX)
                continue
            payload = authenticate(keypair, counter, data, now)
            if payload is None:
                continue
            if keypair.owner is not peer:
                if peer is not None and size:
                    self._received(peer, size, payloads, now)
                peer, size, payloads = keypair.owner, 0, []
            size += len(data)
            if payload:
                payloads.append((payload, ecn))
            if source is not peer.source and source != peer.source and plane.move(peer, source):
                plane.mailbox.notify(peer, Notice.ENDPOINT_MOVED)
            # One made with our former private key cannot answer: it is received under and no more.
            if keypair is peer.slots.next and keypair.may_send:
                # What was received must be accounted before the staged packets answer it.
                self._received(peer, size, payloads, now)
                size, payloads = 0, []
                self._confirm(peer, keypair, now)
        if peer is not None and size:
            self._received(peer, size, payloads, now)

    def _authenticate(
        self, keypair: Keypair[PeerState], counter: int, data: bytes | memoryview, now: int
    ) -> bytes | None:
        """The opened payload of message 4, or None if it is stale, forged or seen before."""
        plane = self._plane
        if now >= keypair.expires or counter >= plane.limits.reject_after_messages:
            plane.drop(Drop.STALE_KEY, keypair.owner)
            return None
        try:
            payload = keypair.opener.decrypt(NONCE.pack(counter), data[TRANSPORT_HEADER_SIZE:], None)
        except InvalidTag:
            plane.drop(Drop.AEAD_FAILURE, keypair.owner)
            return None
        if not keypair.replay.accept(counter):
            plane.drop(Drop.REPLAY, keypair.owner)
            return None
        return payload

    def _received(self, peer: PeerState, size: int, payloads: list[tuple[bytes, int]], now: int) -> None:
        """Account authentic packets of one peer, `size` bytes as UDP payload in all, and deliver them."""
        plane = self._plane
        peer.rx_bytes += size
        if peer.authenticated_received(now, data_packets=len(payloads)):
            plane.stir(peer)
        current = peer.slots.current
        if (
            current is not None
            and not current.rekey_told
            and current.wants_rekey_after_receiving(now, plane.limits)
        ):
            current.rekey_told = True
            plane.mailbox.notify(peer, Notice.REKEY_DUE)
        if payloads:
            self._deliver(peer, payloads)

    def _confirm(self, peer: PeerState, keypair: Keypair[PeerState], now: int) -> None:
        """The initiator has the keys: *next* becomes *current*, and what waited for it may go."""
        peer.freed += self._plane.release(peer.slots.confirm_next())
        peer.confirmed_index = keypair.local_index
        self._plane.mailbox.notify(peer, Notice.NEXT_CONFIRMED)
        self._outbound.flush(peer, now)

    def _deliver(self, peer: PeerState, payloads: list[tuple[bytes, int]]) -> None:
        """To the TUN, if the inner header is sound and its source belongs to the peer."""
        plane = self._plane
        lookup = plane.routes.lookup
        source_of, without_padding = inner.source, inner.without_padding
        packets = []
        for payload, ecn in payloads:
            packet = without_padding(payload)
            if packet is None:
                plane.drop(Drop.MALFORMED_INNER, peer)
            elif lookup(source_of(packet)) is not peer:
                plane.drop(Drop.SOURCE_NOT_ALLOWED, peer)
            else:
                packets.append(inner.with_outer_ecn(packet, ecn) if ecn else packet)
        if packets:
            plane.write_tun(packets, peer)
