"""The control plane at work: peers, engine and clock. The one place where the parts meet.

In: configuration (UAPI), link changes, the engine's events and the timer. Out: calls to the engine, and the
state and status others may ask for. Everything runs on one thread; nothing here runs per packet.
"""

from collections.abc import Callable
from dataclasses import replace
from errno import EADDRINUSE, ENOMEM
from itertools import count
from typing import Final

from pywg import __version__, report
from pywg.clock import Clock, Scheduler
from pywg.endpoint import Endpoint
from pywg.engine.contract import (
    AllowedIpChange,
    Engine,
    Failure,
    Notice,
    PeerNotice,
    UdpSockets,
)
from pywg.handshakes import Handshakes
from pywg.log import Log, peer_name
from pywg.protocol.constants import SECOND, Limits
from pywg.protocol.cookie import CookieSender
from pywg.protocol.handshake import Identity, RemoteStatic
from pywg.protocol.peer import Peer
from pywg.protocol.peer_id import PeerId
from pywg.protocol.timers import TimerState, Wanted
from pywg.timers import Timers
from pywg.uapi.model import (
    UNSET_KEY,
    ApplyError,
    DeviceChange,
    DeviceState,
    PeerChange,
    Status,
)

NOTICES_PER_TURN: Final = 128
"""Most peers served in one turn of the loop; the engine's descriptor stays readable for the others."""


class Device:
    """One WireGuard interface. Implements `pywg.uapi.model.UapiHandler`."""

    def __init__(
        self,
        *,
        engine: Engine,
        why: str,
        clock: Clock,
        scheduler: Scheduler,
        random_bytes: Callable[[int], bytes],
        open_sockets: Callable[[int, int], UdpSockets],
        log: Log,
        limits: Limits | None = None,
        on_failure: Callable[[Failure], None] | None = None,
    ) -> None:
        """`why` tells the reason for this engine; `scheduler` calls `on_timer`.

        `open_sockets` takes port and mark and raises OSError.
        """
        self._engine = engine
        self._why = why
        self._clock = clock
        self._scheduler = scheduler
        self._open_sockets = open_sockets
        self._log = log
        self._limits = limits or Limits()
        self._on_failure = on_failure
        self._peers: dict[bytes, Peer] = {}
        self._by_id: dict[int, Peer] = {}
        self._next_id = count(1)
        self._listen_port = 0
        self._socket_error = ""
        """Why there are no sockets though the link is up."""
        self._fwmark = 0
        self._sockets: UdpSockets | None = None
        self._link_is_up = False
        self._slept = clock.boottime() - clock.monotonic()
        self._handshakes = Handshakes(
            engine=engine,
            clock=clock,
            random_bytes=random_bytes,
            limits=self._limits,
            log=log,
            find_peer=self._peers.get,
        )
        self._timers = Timers(engine=engine, handshakes=self._handshakes, limits=self._limits, log=log)
        log.verbose(f"engine: {engine.name} ({why})")

    # The link.

    def link_up(self) -> None:
        """Open the sockets and start the peers. A port in use is an error line, tried again later."""
        self._link_is_up = True
        if self._sockets is None:
            self._start()

    def link_down(self) -> None:
        """Close the sockets, stop all timers, forget all sessions and staged packets."""
        self._link_is_up = False
        self._socket_error = ""
        self._stop()

    def set_mtu(self, mtu: int) -> None:
        """The MTU of the TUN device, in bytes."""
        self._engine.set_mtu(mtu)

    def route_changed(self, route_interface: Callable[[Endpoint, int], int | None]) -> None:
        """The routing table changed: forget the source address of peers now reached another way.

        `route_interface` tells the interface an endpoint is reached by under a mark, None if it cannot.
        """
        self._engine.route_changed()
        for peer in self._peers.values():
            source = self._engine.source(peer.id)
            if source is None or not source.ifindex:
                continue
            if route_interface(source.endpoint, self._fwmark) not in (None, source.ifindex):
                self._engine.clear_source(peer.id)

    def close(self) -> None:
        """Forget everything and close engine, sockets and TUN."""
        self.link_down()
        self._scheduler.wake_at(None)
        self._engine.close()

    def _start(self) -> None:
        try:
            self._use(self._open_sockets(self._listen_port, self._fwmark))
        except OSError as error:
            self._socket_error = _port_message(self._listen_port, error)
            self._log.error(f"{self._socket_error}; will try again when port or link change")
            return
        self._log.verbose(f"listening on UDP port {self._listen_port}")
        now = self._clock.boottime()
        for peer in self._peers.values():
            self._start_peer(peer, now)
        self._schedule()

    def _use(self, sockets: UdpSockets) -> None:
        self._engine.swap_sockets(sockets)
        self._sockets = sockets
        self._socket_error = ""
        self._listen_port = sockets.port

    def _stop(self) -> None:
        if self._sockets is None:
            return
        self._sockets = None
        self._engine.swap_sockets(None)
        for peer in self._peers.values():
            self._engine.drop_staged(peer.id)
            self._handshakes.forget(peer)
            self._timers.stop(peer)
        self._log.verbose("link is down: sockets closed, sessions forgotten")
        self._schedule()

    def _start_peer(self, peer: Peer, now: int) -> None:
        peer.timers = TimerState(
            persistent_interval=peer.timers.persistent_interval,
            new_handshake_jitter=self._handshakes.jitter(),
        )
        self._engine.arm_keys_needed(peer.id)
        self._timers.look_at(peer, now)

    # What the engine and the timer tell.

    def on_engine_ready(self) -> None:
        """The engine's descriptor is readable."""
        now = self._clock.boottime()
        self._notice_sleep(now)
        failure = self._engine.take_failure()
        if failure is not None and self._on_failure is not None:
            self._on_failure(failure)
        for notice in self._engine.take_notices(NOTICES_PER_TURN):
            peer = self._by_id.get(notice.peer)
            if peer is not None:
                self._receive_notice(peer, notice, now)
                self._settle(peer, now)
        for handshake in self._engine.take_handshakes(self._limits.handshakes_per_turn):
            if self._sockets is None:
                continue
            changed = self._handshakes.receive(handshake, now)
            if changed is not None:
                self._settle(changed, now)
        self._schedule()

    def on_timer(self) -> None:
        """The time given to the scheduler has come (or was passed while the machine slept)."""
        now = self._clock.boottime()
        self._notice_sleep(now)
        for peer_id in self._timers.take_due(now):
            self._settle(self._by_id[peer_id], now)
        self._schedule()

    def _notice_sleep(self, now: int) -> None:
        """After a suspend every fact is older than it looked: look at all peers."""
        slept = self._clock.boottime() - self._clock.monotonic()
        if slept - self._slept >= SECOND:
            self._log.verbose(f"the machine slept for {(slept - self._slept) // SECOND} s")
            if self._sockets is not None:
                for peer in self._peers.values():
                    self._timers.look_at(peer, now)
        self._slept = slept

    def _receive_notice(self, peer: Peer, told: PeerNotice, now: int) -> None:
        if Notice.NEXT_CONFIRMED in told.notice:
            self._handshakes.confirmed(peer, told.confirmed_index, told.freed)
        if Notice.ENDPOINT_MOVED in told.notice:
            source = self._engine.source(peer.id)
            self._log.verbose(f"{peer.name} - endpoint moved to {source.endpoint if source else 'nowhere'}")
        if self._sockets is None:
            return
        if Notice.REKEY_DUE in told.notice:
            self._handshakes.request(peer, Wanted.REKEY, now)
        elif Notice.KEYS_NEEDED in told.notice:
            self._handshakes.request(peer, Wanted.KEYS, now)

    def _schedule(self) -> None:
        self._scheduler.wake_at(self._timers.earliest())

    def _settle(self, peer: Peer, now: int) -> None:
        if self._sockets is not None:
            self._timers.settle(peer, now)

    # Configuration.

    def apply(self, change: DeviceChange) -> None:
        """Do what a set asks, in its order. Raises ApplyError; what came before stays applied."""
        routes: list[AllowedIpChange] = []
        touched: dict[int, Peer] = {}
        try:
            self._apply_device(change, touched)
            for block in change.peers:
                self._apply_peer(block, routes, touched)
        finally:
            # One swap for the whole set, at its end or at its first error (and where it removes a peer).
            self._engine.change_allowed_ips(routes)
            now = self._clock.boottime()
            for peer in touched.values():
                if peer.id in self._by_id and self._sockets is not None:
                    self._serve_configured(peer, now)
            self._schedule()

    def _apply_device(self, change: DeviceChange, touched: dict[int, Peer]) -> None:
        if change.private_key is not None:
            self._set_private_key(change.private_key, touched)
        if change.listen_port is not None:
            self._set_listen_port(change.listen_port)
        if change.fwmark is not None and change.fwmark != self._fwmark:
            try:
                self._engine.set_fwmark(change.fwmark)
            except OSError as error:
                raise ApplyError(EADDRINUSE, f"cannot set fwmark: {error.strerror}") from None
            self._fwmark = change.fwmark
        if change.replace_peers:
            for peer in list(self._peers.values()):
                self._remove(peer)

    def _set_private_key(self, private_key: bytes, touched: dict[int, Peer]) -> None:
        identity = None if private_key == UNSET_KEY else Identity(private_key)
        present = self._handshakes.identity
        if _public(identity) == _public(present):
            return
        if identity is not None and (ourselves := self._peers.get(identity.public_key)) is not None:
            self._remove(ourselves)
        self._handshakes.identity = identity
        for peer in self._peers.values():
            peer.remote = RemoteStatic(identity, peer.public_key)
            self._handshakes.expire(peer)
            self._handshakes.begin_anew(peer)
            touched[peer.id] = peer

    def _set_listen_port(self, port: int) -> None:
        if not self._link_is_up:
            self._listen_port = port
        elif self._sockets is None:
            before, self._listen_port = self._listen_port, port
            self._start()
            if self._sockets is None:
                self._listen_port = before
                raise ApplyError(EADDRINUSE, f"{self._socket_error}; the interface has no sockets")
        elif port != self._listen_port:
            try:
                self._use(self._open_sockets(port, self._fwmark))
            except OSError as error:
                raise ApplyError(
                    EADDRINUSE, _port_message(port, error) + f"; still using port {self._listen_port}"
                ) from None

    def _apply_peer(self, block: PeerChange, routes: list[AllowedIpChange], touched: dict[int, Peer]) -> None:
        identity = self._handshakes.identity
        if identity is not None and block.public_key == identity.public_key:
            return
        peer = self._peers.get(block.public_key)
        if block.remove:
            if peer is not None:
                # What it took from others earlier in this set goes with it.
                self._engine.change_allowed_ips(routes)
                routes.clear()
                self._remove(peer)
            return
        if peer is None:
            if block.update_only:
                return
            peer = self._add(block.public_key)
        else:
            self._handshakes.begin_anew(peer)
        touched[peer.id] = peer
        if block.preshared_key is not None:
            peer.preshared_key = block.preshared_key
        if block.endpoint is not None:
            self._engine.set_endpoint(peer.id, block.endpoint)
        if block.replace_allowed_ips:
            routes.append(AllowedIpChange(peer.id, None, remove=True))
        routes.extend(AllowedIpChange(peer.id, step.prefix, step.remove) for step in block.allowed_ips)
        if block.persistent_keepalive_interval is not None:
            self._set_keepalive(peer, block.persistent_keepalive_interval)

    def _set_keepalive(self, peer: Peer, seconds: int) -> None:
        was_off = peer.persistent_keepalive == 0
        peer.persistent_keepalive = seconds
        # Switched on, the first one is due at once.
        base = None if was_off else peer.timers.persistent_base
        peer.timers = replace(peer.timers, persistent_interval=seconds * SECOND, persistent_base=base)

    def _serve_configured(self, peer: Peer, now: int) -> None:
        """A peer's settings changed while the link is up: what waited for them may go now."""
        if self._engine.traffic(peer.id).staged and peer.timers.retransmit_at is None:
            peer.timers = replace(peer.timers, wanted=peer.timers.wanted or Wanted.KEYS)
        self._timers.look_at(peer, now)

    def _add(self, public_key: bytes) -> Peer:
        if len(self._peers) >= self._limits.max_peers:
            raise ApplyError(ENOMEM, f"no more than {self._limits.max_peers} peers")
        remote = RemoteStatic(self._handshakes.identity, public_key)
        peer = Peer(
            id=PeerId(next(self._next_id)),
            name=peer_name(public_key),
            remote=remote,
            cookie=CookieSender(remote, self._limits),
            timers=TimerState(new_handshake_jitter=self._handshakes.jitter()),
        )
        self._peers[public_key] = peer
        self._by_id[peer.id] = peer
        self._engine.add_peer(peer.id)
        return peer

    def _remove(self, peer: Peer) -> None:
        self._handshakes.forget(peer)
        self._handshakes.release(self._engine.remove_peer(peer.id))
        self._timers.stop(peer)
        del self._peers[peer.public_key]
        del self._by_id[peer.id]

    # State.

    def get_state(self) -> DeviceState:
        """What ``get=1`` tells."""
        identity = self._handshakes.identity
        return DeviceState(
            private_key=UNSET_KEY if identity is None else identity.private_bytes(),
            listen_port=self._listen_port,
            fwmark=self._fwmark,
            peers=tuple(report.peer_state(self._engine, peer) for peer in self._peers.values()),
        )

    def get_status(self) -> Status:
        """What ``get_status=1`` tells."""
        now = self._clock.boottime()
        refusals = self._handshakes.refusals
        return Status(
            engine=self._engine.name,
            engine_reason=self._why,
            version=__version__,
            sockets=self._socket_state(),
            offloads=report.offloads(self._sockets),
            details=self._engine.status(),
            drops=report.by_name(self._engine.drops(None)),
            handshake_failures=report.handshake_failures(self._engine, refusals),
            handshake_failure_ages=report.handshake_failure_ages(refusals, now),
            stranger=report.stranger(refusals, now),
            peers=tuple(report.peer_status(self._engine, peer, now) for peer in self._peers.values()),
        )

    def _socket_state(self) -> dict[str, str]:
        state = {"link": "up" if self._link_is_up else "down", **report.sockets(self._sockets)}
        return state | ({"error": self._socket_error} if self._socket_error else {})


def _public(identity: Identity | None) -> bytes | None:
    return None if identity is None else identity.public_key


def _port_message(port: int, error: OSError) -> str:
    where = f"UDP port {port}" if port else "a free UDP port"
    reason = "it is in use" if error.errno == EADDRINUSE else error.strerror
    return f"cannot listen on {where}: {reason}"
