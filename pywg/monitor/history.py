"""Counters become rates and a minute of history.

In: samples of one interface, each with the time it was taken. Out: rates, series for sparklines, peers in
the order in which they matter. No I/O and no clock. Rules kept: nothing is remembered for longer than a
minute or of peers that are gone, and what is idle costs no memory; a counter that went back (its peer was
added again, the daemon started again) starts anew instead of making a rate of it.
"""

import math
from collections.abc import Mapping
from typing import Final

from pywg.monitor.sample import PeerSample, Sample

WINDOW: Final = 60
"""Seconds that are remembered."""

_STICKINESS: Final = 0.25
"""How far, in classes, traffic must leave its class before a peer changes its place: rows that swap every
second cannot be read."""


class Meter:
    """One counter that only grows, seen now and then."""

    __slots__ = ("_by_second", "_last", "_since", "rate", "total")

    def __init__(self) -> None:
        self.total = 0
        self.rate: float | None = None
        """Per second, over the last interval; None: not known yet, or not any more."""
        self._since = 0.0
        self._last: float | None = None
        # Sparse: a second in which nothing moved has no entry.
        self._by_second: dict[int, float] = {}

    def see(self, total: int, now: float) -> None:
        """The counter stands at `total` at `now`, in seconds."""
        last, moved = self._last, total - self.total
        self.total = total
        self._forget(now)
        if last is None:
            self._since = self._last = now
            return
        if now <= last:
            return
        self._last = now
        if moved < 0:
            self.rate = None
            return
        self.rate = moved / (now - last)
        if moved:
            self._spread(self.rate, max(last, now - WINDOW), now)

    @property
    def of_window(self) -> float:
        """How much moved within the window."""
        return sum(self._by_second.values())

    def series(self, columns: int, now: float) -> tuple[float | None, ...]:
        """The rates of the window up to `now`, in `columns` equal spans, the oldest first; None: not known.

        `columns` divides `WINDOW`. Spans start at multiples of their length, so that a sparkline moves by
        whole columns and its past does not change its shape.
        """
        span = WINDOW // columns
        last = now if self._last is None else self._last
        end = math.ceil(now / span) * span
        series: list[float | None] = []
        for start in range(end - WINDOW, end, span):
            known = min(start + span, last) - max(start, self._since)
            if known <= 0 or self._last is None:
                series.append(None)
            else:
                moved = sum(self._by_second.get(second, 0.0) for second in range(start, start + span))
                series.append(moved / known)
        return tuple(series)

    def _spread(self, rate: float, began: float, now: float) -> None:
        at = began
        while at < now:
            second = math.floor(at)
            until = min(second + 1, now)
            self._by_second[second] = self._by_second.get(second, 0.0) + rate * (until - at)
            at = until

    def _forget(self, now: float) -> None:
        while self._by_second and (oldest := next(iter(self._by_second))) < now - WINDOW:
            del self._by_second[oldest]


class Meters:
    """Counters by name, such as drops by cause."""

    def __init__(self) -> None:
        self.by_name: dict[str, Meter] = {}

    def see(self, totals: Mapping[str, int], now: float, before: float | None) -> None:
        """`before`: when the owner was last seen, None if never. What was not named then stood at 0."""
        for name in [name for name in self.by_name if name not in totals]:
            del self.by_name[name]
        for name, total in totals.items():
            meter = self.by_name.get(name)
            if meter is None:
                meter = self.by_name[name] = Meter()
                if before is not None:
                    meter.see(0, before)
            meter.see(total, now)


class PeerHistory:
    """One peer: its newest sample and its rates."""

    __slots__ = ("_class", "_seen", "rx", "sample", "troubles", "tx")

    def __init__(self, sample: PeerSample) -> None:
        self.sample = sample
        self.rx, self.tx, self.troubles = Meter(), Meter(), Meters()
        self._seen: float | None = None
        self._class = 0

    def see(self, sample: PeerSample, now: float) -> None:
        """`sample` was taken at `now`."""
        self.sample = sample
        self.rx.see(sample.rx_bytes, now)
        self.tx.see(sample.tx_bytes, now)
        if sample.troubles or self.troubles.by_name:
            self.troubles.see(sample.troubles, now, self._seen)
        self._seen = now
        self._classify(self.rx.of_window + self.tx.of_window)

    @property
    def place(self) -> tuple[int, bool, int, bytes]:
        """Sorts peers: most traffic within the window first, by orders of magnitude; among those without any,
        who had drops or failures within it, then the newest handshake first."""
        if self._class:
            return -self._class, False, 0, self.sample.public_key
        is_calm = not any(meter.of_window for meter in self.troubles.by_name.values())
        return 0, is_calm, -self.sample.last_handshake_ns, self.sample.public_key

    def _classify(self, moved: float) -> None:
        """Class n has moved 4^(n-1) up to 4^n bytes; class 0 none."""
        if moved < 1:
            self._class = 0
            return
        exact = math.log(moved, 4) + 1
        if not self._class - _STICKINESS <= exact < self._class + 1 + _STICKINESS or not self._class:
            self._class = math.floor(exact)


class History:
    """One interface."""

    def __init__(self) -> None:
        self._peers: dict[bytes, PeerHistory] = {}
        self._seen: float | None = None
        self.drops, self.handshake_failures = Meters(), Meters()
        self.rx, self.tx = Meter(), Meter()
        """All peers together since we look: unlike a sum of counters it never goes back."""
        self.rx_bytes = self.tx_bytes = 0
        """The counters of all present peers together."""
        self.peers: tuple[PeerHistory, ...] = ()
        """Those of the newest sample, in the order in which to show them."""

    def see(self, sample: Sample) -> None:
        """Take the next sample."""
        now = sample.taken
        received, sent = self.rx.total, self.tx.total
        former, self._peers = self._peers, {}
        for peer in sample.peers:
            known = former.get(peer.public_key)
            if known is None:
                known = PeerHistory(peer)
            else:
                received += max(0, peer.rx_bytes - known.sample.rx_bytes)
                sent += max(0, peer.tx_bytes - known.sample.tx_bytes)
            known.see(peer, now)
            self._peers[peer.public_key] = known
        self.rx.see(received, now)
        self.tx.see(sent, now)
        self.rx_bytes = sum(peer.rx_bytes for peer in sample.peers)
        self.tx_bytes = sum(peer.tx_bytes for peer in sample.peers)
        self.peers = tuple(sorted(self._peers.values(), key=lambda peer: peer.place))
        if sample.status is not None:
            self.drops.see(sample.status.drops, now, self._seen)
            self.handshake_failures.see(sample.status.handshake_failures, now, self._seen)
        self._seen = now
