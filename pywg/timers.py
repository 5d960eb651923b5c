"""The timers at work: does what `pywg.protocol.timers` decides, and keeps each peer's next deadline.

In: a peer whose facts may have changed, and the time. Out: handshakes begun, keepalives sent, keys forgotten,
and the time and facts to wait for next. A peer without anything to wait for costs nothing.
"""

from dataclasses import replace
from typing import Final

from pywg.deadlines import Deadlines
from pywg.engine.contract import Engine
from pywg.handshakes import Handshakes
from pywg.log import Log
from pywg.protocol.constants import Limits
from pywg.protocol.peer import Peer
from pywg.protocol.timers import Action, AnotherKeepalive, TimerState, Traffic, decide

PEERS_PER_TURN: Final = 128
"""A handshake takes about 0.2 ms: so many hold the packets up for 25 ms at most."""


class Timers:
    """The timers of all peers of a device. Times are CLOCK_BOOTTIME nanoseconds."""

    def __init__(self, *, engine: Engine, handshakes: Handshakes, limits: Limits, log: Log) -> None:
        self._engine = engine
        self._handshakes = handshakes
        self._limits = limits
        self._log = log
        self._deadlines = Deadlines()

    def earliest(self) -> int | None:
        """When `take_due` will have something."""
        return self._deadlines.earliest()

    def look_at(self, peer: Peer, when: int) -> None:
        """Settle the peer then, or in its turn after then."""
        self._deadlines.set(peer.id, when)

    def take_due(self, now: int) -> list[int]:
        """Ids of the peers to settle now: not all at once, for packets wait meanwhile."""
        return self._deadlines.take_due(now, PEERS_PER_TURN)

    def stop(self, peer: Peer) -> None:
        """Link down, or the peer is removed: only the configured interval stays."""
        peer.timers = TimerState(persistent_interval=peer.timers.persistent_interval)
        self._deadlines.set(peer.id, None)

    def settle(self, peer: Peer, now: int) -> None:
        """Do what is due for a peer, then wait for its next deadline or fact."""
        traffic = self._engine.traffic(peer.id)
        decision = decide(self._limits, traffic, peer.timers, now)
        while decision.actions:
            # One at a time: an action may make the next one needless.
            self._perform(decision.actions[0], peer, traffic, now)
            traffic = self._engine.traffic(peer.id)
            decision = decide(self._limits, traffic, peer.timers, now)
        self._deadlines.set(peer.id, decision.deadline)
        self._engine.arm_stirred(peer.id, decision.watch)

    def _perform(self, action: Action, peer: Peer, traffic: Traffic, now: int) -> None:
        match action:
            case Action.ZERO_KEYS:
                self._log.verbose(f"{peer.name} - no new session for long: keys forgotten")
                peer.timers = replace(peer.timers, zero_keys_at=None)
                self._handshakes.forget(peer)
                self._engine.drop_staged(peer.id)
                self._engine.arm_keys_needed(peer.id)
            case Action.GIVE_UP:
                self._give_up(peer, traffic, now)
            case Action.RETRANSMIT:
                attempts = peer.timers.attempts + 1
                self._log.verbose(f"{peer.name} - handshake not answered in 5 s, attempt {attempts + 1}")
                peer.timers = replace(peer.timers, attempts=attempts)
                self._engine.clear_source(peer.id)
                self._handshakes.initiate(peer, now)
            case Action.INITIATE:
                self._handshakes.request(peer, None, now)
            case Action.NEW_HANDSHAKE:
                self._log.verbose(f"{peer.name} - nothing received for 15 s after sending: new handshake")
                peer.timers = replace(peer.timers, new_handshake_jitter=self._handshakes.jitter())
                assert traffic.unanswered_sent is not None  # noqa: S101 (the action follows from it)
                self._engine.clear_unanswered_sent(peer.id, traffic.unanswered_sent)
                self._engine.clear_source(peer.id)
                self._handshakes.request(peer, None, now)
            case Action.KEEPALIVE:
                self._keepalive(peer, traffic, now)
            case Action.PERSISTENT_KEEPALIVE:
                peer.timers = replace(peer.timers, persistent_base=now)
                self._engine.send_keepalive(peer.id)

    def _give_up(self, peer: Peer, traffic: Traffic, now: int) -> None:
        self._log.verbose(f"{peer.name} - gave up: no answer to {peer.timers.attempts + 1} initiations")
        zero_keys_at = peer.timers.zero_keys_at
        peer.timers = replace(
            peer.timers,
            retransmit_at=None,
            attempts=0,
            wanted=None,
            zero_keys_at=now + self._limits.zero_keys_after if zero_keys_at is None else zero_keys_at,
            keepalive_served=traffic.unanswered_received,
            another_keepalive=None,
        )
        self._engine.drop_staged(peer.id)
        self._engine.arm_keys_needed(peer.id)

    def _keepalive(self, peer: Peer, traffic: Traffic, now: int) -> None:
        self._engine.send_keepalive(peer.id)
        sent = self._engine.traffic(peer.id).last_sent
        due = now + self._limits.keepalive_timeout
        # Where nothing could be sent nothing follows it either.
        another = traffic.more_received and sent != traffic.last_sent
        peer.timers = replace(
            peer.timers,
            keepalive_served=traffic.unanswered_received,
            another_keepalive=AnotherKeepalive(due, sent) if another else None,
        )
