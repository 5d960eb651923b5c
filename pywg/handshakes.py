"""Our side of every handshake: messages 1, 2 and 3, out and in (whitepaper sections 5.4 and 6).

In: wishes for a session from the timers and the engine, and datagrams the engine has checked for size, type
and MAC1. Out: datagrams for the engine to send, and keypairs to install. Kept here: one pending initiation a
peer, the greatest timestamp, the two gates, the under-load rule and the counts of what happened and why not.
"""

from collections.abc import Callable
from dataclasses import replace

from pywg.clock import Clock
from pywg.engine.contract import Engine, HandshakeDatagram, Slot, TransportKeys
from pywg.log import Log
from pywg.protocol.constants import COOKIE_NONCE_SIZE, KEY_SIZE, Limits, MessageType
from pywg.protocol.cookie import CookieChecker
from pywg.protocol.handshake import (
    HandshakeError,
    HandshakeFailure,
    Identity,
    SessionKeys,
    create_initiation,
    create_response,
    open_initiation,
    read_initiation,
    read_response,
)
from pywg.protocol.history import HandshakeEvent
from pywg.protocol.index_table import IndexTable
from pywg.protocol.messages import CookieReply, Response
from pywg.protocol.peer import Peer
from pywg.protocol.ratelimiter import RateLimiter
from pywg.protocol.tai64n import tai64n
from pywg.protocol.timers import Wanted
from pywg.refusals import Refusals, Stranger
from pywg.report import by_name


class Handshakes:
    """The handshakes of one device with all its peers."""

    def __init__(
        self,
        *,
        engine: Engine,
        clock: Clock,
        random_bytes: Callable[[int], bytes],
        limits: Limits,
        log: Log,
        find_peer: Callable[[bytes], Peer | None],
    ) -> None:
        """`random_bytes` is the source of every key, index and jitter; `find_peer` knows public keys."""
        self._engine = engine
        self._clock = clock
        self._random_bytes = random_bytes
        self._limits = limits
        self._log = log
        self._find_peer = find_peer
        self._identity: Identity | None = None
        self._cookies: CookieChecker | None = None
        self._rate = RateLimiter(limits)
        self._indices: IndexTable[Peer] = IndexTable(lambda: int.from_bytes(random_bytes(4), "little"))
        self._under_load_until = 0
        self.refusals = Refusals()
        """Messages that could be laid to no peer."""

    @property
    def identity(self) -> Identity | None:
        """Our static key, or None."""
        return self._identity

    @identity.setter
    def identity(self, identity: Identity | None) -> None:
        """Handshakes begun under the one before fail; the caller resets the peers."""
        self._identity = identity
        if identity is None:
            self._cookies = None
            self._engine.set_mac1_key(None)
        else:
            self._cookies = CookieChecker(identity.public_key, self._limits, self._random_bytes)
            self._engine.set_mac1_key(identity.mac1_key)

    @property
    def indices_in_use(self) -> int:
        """Local indices of handshakes and keypairs together."""
        return len(self._indices)

    def jitter(self) -> int:
        """0 to REKEY_TIMEOUT_JITTER_MAX nanoseconds (kernel timers.c)."""
        return int.from_bytes(self._random_bytes(8), "little") % (self._limits.rekey_jitter + 1)

    # Message 1, out.

    def request(self, peer: Peer, wanted: Wanted | None, now: int) -> None:
        """Somebody wants a session: begin a new attempt, unless one began under 5 s ago.

        A request that meets the gate is kept as `wanted`, and lost if that is None.
        """
        peer.timers = replace(peer.timers, attempts=0)
        if now >= peer.timers.gate_opens:
            self.initiate(peer, now)
        elif wanted is Wanted.REKEY or peer.timers.wanted is None:
            peer.timers = replace(peer.timers, wanted=wanted)

    def initiate(self, peer: Peer, now: int) -> None:
        """Send message 1 and start to wait for message 2. The gate is the caller's to respect."""
        self._forget_pending(peer)
        self._engine.arm_keys_needed(peer.id)
        peer.timers = replace(
            peer.timers, wanted=None, retransmit_at=None, gate_opens=now + self._limits.rekey_timeout
        )
        if self._identity is None:
            self._fail(peer, HandshakeFailure.NO_PRIVATE_KEY)
            return
        if peer.remote.static_static is None:
            self._fail(peer, HandshakeFailure.ZERO_SECRET)
            return
        created = create_initiation(
            self._identity,
            peer.remote,
            ephemeral_private=self._random_bytes(KEY_SIZE),
            local_index=self._indices.allocate(peer),
            timestamp=tai64n(self._clock.wall()),
        )
        peer.pending = created.pending
        self._engine.set_pending(created.pending.local_index, pending=True)
        peer.timers = replace(peer.timers, retransmit_at=now + self._limits.rekey_timeout + self.jitter())
        self._log.verbose(f"{peer.name} - sending handshake initiation")
        peer.history.count(HandshakeEvent.INITIATION_SENT)
        self._engine.send_handshake(peer.id, peer.cookie.seal(created.message, now))

    # Messages in.

    def receive(self, handshake: HandshakeDatagram, now: int) -> Peer | None:
        """Handle one message 1, 2 or 3. Returns the peer if something of it changed. Never raises."""
        kind = handshake.data[0]
        try:
            if kind == MessageType.COOKIE_REPLY:
                return self._receive_cookie_reply(handshake, now)
            if not self._admit(handshake, now):
                return None
            if kind == MessageType.INITIATION:
                return self._receive_initiation(handshake, now)
            return self._receive_response(handshake, now)
        except HandshakeError as error:
            self.refusals.add(error.cause, now)
            self._log.verbose(f"refused a handshake message from {handshake.source.endpoint}: {error}")
            return None

    def _admit(self, handshake: HandshakeDatagram, now: int) -> bool:
        """Under load, only those who prove their address, and of those not too many (whitepaper 5.3)."""
        if handshake.depth >= self._limits.handshake_queue // 8:
            self._under_load_until = now + self._limits.under_load_hold
        if now >= self._under_load_until or self._cookies is None:
            return True
        endpoint = handshake.source.endpoint
        if not self._cookies.has_valid_mac2(handshake.data, endpoint.packed, now):
            self.refusals.add(HandshakeFailure.COOKIE, now)
            reply = self._cookies.create_reply(
                handshake.data, endpoint.packed, now, nonce=self._random_bytes(COOKIE_NONCE_SIZE)
            )
            self._engine.send_reply(handshake.source, reply)
            return False
        if not self._rate.allow(endpoint.address, now):
            self.refusals.add(HandshakeFailure.RATE_LIMIT, now)
            return False
        return True

    def _receive_initiation(self, handshake: HandshakeDatagram, now: int) -> Peer | None:
        if self._identity is None:
            raise HandshakeError(HandshakeFailure.NO_PRIVATE_KEY)
        opened = open_initiation(self._identity, handshake.data)
        peer = self._find_peer(opened.public_key)
        if peer is None:
            self.refusals.stranger = Stranger(opened.public_key, handshake.source.endpoint, now)
            raise HandshakeError(HandshakeFailure.UNKNOWN_KEY)
        try:
            received = read_initiation(opened, peer.remote)
        except HandshakeError as error:
            self._fail(peer, error.cause)
            return None
        # Both gates stand behind authentication, or a forger could close them on the peer.
        if received.timestamp <= peer.greatest_timestamp:
            self._fail(peer, HandshakeFailure.STALE_TIMESTAMP)
            return None
        consumed = peer.initiation_consumed
        if consumed is not None and now < consumed + self._limits.initiation_gate:
            self._fail(peer, HandshakeFailure.FLOOD_GATE)
            return None
        peer.greatest_timestamp = received.timestamp
        peer.initiation_consumed = now
        self._log.verbose(f"{peer.name} - received handshake initiation from {handshake.source.endpoint}")
        peer.history.count(HandshakeEvent.INITIATION_RECEIVED)
        self._accept(peer, handshake)
        index = self._indices.allocate(peer)
        try:
            created = create_response(
                received,
                peer.remote,
                preshared_key=peer.preshared_key,
                ephemeral_private=self._random_bytes(KEY_SIZE),
                local_index=index,
            )
        except HandshakeError as error:
            self._indices.free(index)
            self._fail(peer, error.cause)
            return None
        # Keys first: the initiator may use them the moment it has the response.
        self._install(peer, created.session, Slot.NEXT, now)
        # A cookie reply to the response names the keypair's index.
        self._engine.set_pending(index, pending=True)
        peer.timers = replace(peer.timers, gate_opens=now + self._limits.rekey_timeout)
        self._log.verbose(f"{peer.name} - sending handshake response")
        peer.history.count(HandshakeEvent.RESPONSE_SENT)
        self._engine.send_handshake(peer.id, peer.cookie.seal(created.message, now))
        return peer

    def _receive_response(self, handshake: HandshakeDatagram, now: int) -> Peer | None:
        index = Response.parse(handshake.data).receiver_index
        peer = self._indices.owner(index)
        if (
            peer is None
            or self._identity is None
            or peer.pending is None
            or peer.pending.local_index != index
        ):
            raise HandshakeError(HandshakeFailure.UNKNOWN_INDEX)
        try:
            session = read_response(
                self._identity,
                peer.remote,
                peer.pending,
                handshake.data,
                preshared_key=peer.preshared_key,
            )
        except HandshakeError as error:
            peer.history.count(HandshakeEvent.RESPONSE_REFUSED)
            self._fail(peer, error.cause)
            return None
        self._log.verbose(f"{peer.name} - received handshake response from {handshake.source.endpoint}")
        peer.history.count(HandshakeEvent.RESPONSE_RECEIVED)
        self._engine.set_pending(index, pending=False)
        peer.pending = None  # Its index lives on as the keypair's.
        self._accept(peer, handshake)
        self._install(peer, session, Slot.CURRENT, now)
        self.complete(peer)
        return peer

    def _receive_cookie_reply(self, handshake: HandshakeDatagram, now: int) -> Peer | None:
        peer = self._indices.owner(CookieReply.parse(handshake.data).receiver_index)
        if peer is None:
            raise HandshakeError(HandshakeFailure.UNKNOWN_INDEX)
        if not peer.cookie.consume_reply(handshake.data, now):
            self._fail(peer, HandshakeFailure.COOKIE)
            return None
        self._log.verbose(f"{peer.name} - received cookie reply from {handshake.source.endpoint}")
        peer.history.count(HandshakeEvent.COOKIE_REPLY_RECEIVED)
        return None

    # Sessions.

    def complete(self, peer: Peer) -> None:
        """Both sides are known to have the keys (kernel wg_timers_handshake_complete)."""
        peer.timers = replace(peer.timers, retransmit_at=None, attempts=0, wanted=None)
        # 0 stands for never, and a clock may be set before 1970.
        peer.last_handshake = max(1, self._clock.wall())
        peer.history.complete()
        self._engine.arm_keys_needed(peer.id)

    def confirmed(self, peer: Peer, index: int | None, freed: tuple[int, ...]) -> None:
        """The initiator has used the keypair we installed as *next*."""
        if index is not None:
            self._engine.set_pending(index, pending=False)
        self._forget_pending(peer)
        self.release(freed)
        self.complete(peer)

    def _accept(self, peer: Peer, handshake: HandshakeDatagram) -> None:
        """The message is authentic and new: the peer is where it came from."""
        before = self._engine.source(peer.id)
        self._engine.handshake_accepted(peer.id, handshake.source, len(handshake.data))
        if before is not None and before.endpoint != handshake.source.endpoint:
            self._log.verbose(f"{peer.name} - endpoint moved to {handshake.source.endpoint}")

    def _install(self, peer: Peer, session: SessionKeys, slot: Slot, now: int) -> None:
        keys = TransportKeys(
            send_key=session.send_key,
            receive_key=session.receive_key,
            local_index=session.local_index,
            remote_index=session.remote_index,
            is_initiator=session.is_initiator,
            born=now,
        )
        role = "initiator" if session.is_initiator else "responder"
        self._log.verbose(f"{peer.name} - keypair created as {role}")
        peer.timers = replace(peer.timers, zero_keys_at=now + self._limits.zero_keys_after)
        # Before the install: a packet that confirms the session may itself be dropped.
        self._note_engine_counts(peer)
        self.release(self._engine.install(peer.id, keys, slot))

    def release(self, indices: tuple[int, ...]) -> None:
        """Local indices the engine gave back."""
        for index in indices:
            self._engine.set_pending(index, pending=False)
            self._indices.free(index)

    def forget(self, peer: Peer) -> None:
        """Drop the pending handshake and all keypairs: link down, or 540 s without a new session."""
        self._forget_pending(peer)
        self.release(self._engine.drop_keypairs(peer.id))

    def begin_anew(self, peer: Peer) -> None:
        """A setting of the peer was changed: what went wrong before says nothing of what goes wrong now."""
        peer.history.recent.clear()
        self._note_engine_counts(peer)

    def _note_engine_counts(self, peer: Peer) -> None:
        peer.drops_before = by_name(self._engine.drops(peer.id))
        peer.icmp_errors_before = self._engine.icmp_errors(peer.id)

    def expire(self, peer: Peer) -> None:
        """Our private key changed: a handshake under way is void, and the next may start at once."""
        self._forget_pending(peer)
        self._engine.expire_sending(peer.id)
        self._engine.arm_keys_needed(peer.id)
        peer.timers = replace(peer.timers, gate_opens=0, retransmit_at=None, attempts=0, wanted=None)

    def _forget_pending(self, peer: Peer) -> None:
        if peer.pending is not None:
            self.release((peer.pending.local_index,))
            peer.pending = None

    def _fail(self, peer: Peer, cause: HandshakeFailure) -> None:
        peer.history.count(cause)
        self._log.verbose(f"{peer.name} - handshake refused: {HandshakeError(cause)}")
