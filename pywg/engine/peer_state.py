"""What the Python engine knows of one peer: keypairs, endpoint, staged packets, facts for the timers, counts.

A record with few rules of its own; the packet loops read and write its attributes. Rule kept: a fact of
`Traffic` changes in `authenticated_sent` and `authenticated_received` only (kernel timers.c, the
wg_timers_any_authenticated_* and wg_timers_data_* hooks).
"""

from collections import Counter, deque

from pywg.endpoint import Source
from pywg.engine.contract import Drop, Notice, PeerId
from pywg.protocol.keypair import KeypairSlots
from pywg.protocol.timers import Fact, Traffic


class PeerState:
    """Made by `PythonEngine.add_peer`, found through the routes, the keypairs and the peer ids."""

    __slots__ = (
        "confirmed_index",
        "drops",
        "freed",
        "icmp_errors",
        "id",
        "keys_needed_armed",
        "last_received",
        "last_sent",
        "more_received",
        "notice",
        "outer_address",
        "rx_bytes",
        "slots",
        "source",
        "staged",
        "tx_bytes",
        "unanswered_received",
        "unanswered_sent",
        "watches_received",
        "watches_sent",
    )

    def __init__(self, peer: PeerId) -> None:
        self.id = peer
        self.slots: KeypairSlots[PeerState] = KeypairSlots()
        self.source: Source | None = None
        """Where the peer is and, once it was heard of, by which address of ours it reached us."""
        self.outer_address = b""
        """The address of `source`, packed; empty without one."""
        self.staged: deque[bytes] = deque()
        """Packets that wait for keys, oldest first. Never filled while a usable keypair exists."""

        self.last_sent: int | None = None
        self.last_received: int | None = None
        self.unanswered_sent: int | None = None
        self.unanswered_received: int | None = None
        self.more_received = False
        self.watches_sent = False
        self.watches_received = False

        self.keys_needed_armed = True
        self.notice = Notice(0)
        """What the control plane was not yet told, with the two that go with NEXT_CONFIRMED."""
        self.freed: tuple[int, ...] = ()
        self.confirmed_index: int | None = None

        self.tx_bytes = 0
        self.rx_bytes = 0
        self.drops: Counter[Drop] = Counter()
        self.icmp_errors: Counter[int] = Counter()

    def authenticated_sent(self, now: int, *, data: bool) -> bool:
        """A send was attempted. Returns whether a fact that is watched for has become set by it."""
        self.last_sent = now
        self.unanswered_received = None
        self.more_received = False
        if data and self.unanswered_sent is None:
            self.unanswered_sent = now
            return self.watches_sent
        return False

    def authenticated_received(self, now: int, *, data_packets: int) -> bool:
        """One or more packets came. Returns whether a fact that is watched for has become set by them."""
        self.last_received = now
        self.unanswered_sent = None
        if not data_packets:
            return False
        if self.unanswered_received is not None:
            self.more_received = True
            return False
        self.unanswered_received = now
        self.more_received = data_packets > 1
        return self.watches_received

    def watch(self, facts: Fact) -> bool:
        """Watch for these facts from now on. Returns whether one of them is set already."""
        self.watches_sent = Fact.UNANSWERED_SENT in facts
        self.watches_received = Fact.UNANSWERED_RECEIVED in facts
        return (self.watches_sent and self.unanswered_sent is not None) or (
            self.watches_received and self.unanswered_received is not None
        )

    def traffic(self) -> Traffic:
        return Traffic(
            last_sent=self.last_sent,
            last_received=self.last_received,
            unanswered_sent=self.unanswered_sent,
            unanswered_received=self.unanswered_received,
            more_received=self.more_received,
            staged=bool(self.staged),
        )
