"""Draws the peers of one interface: a line with titles and a line for each peer.

In: peers with their histories, and how the terminal is. Out: lines.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from pywg.monitor import ink
from pywg.monitor.causes import causes
from pywg.monitor.columns import GAP, HANDSHAKE, MARGIN, PEER, choose_columns
from pywg.monitor.history import Meter, PeerHistory
from pywg.monitor.ink import Canvas, Glyphs
from pywg.monitor.line import Line
from pywg.monitor.units import SIZE_WIDTH, age, short_endpoint, short_key, short_prefixes, size
from pywg.protocol.constants import Limits

_LIMITS: Final = Limits()
FRESH: Final = _LIMITS.rekey_after_time + _LIMITS.keepalive_timeout + _LIMITS.rekey_timeout
"""135 s: a peer with which data is exchanged has made a new handshake by then (whitepaper 6.2)."""
LIVE: Final = _LIMITS.reject_after_time
"""180 s: the keys of a handshake older than that are good for nothing (whitepaper 6.1)."""

UNKNOWN: Final = "-"


class Table:
    """The peers of one interface."""

    def __init__(self, canvas: Canvas, *, troubles: bool, answers: bool, now: float, unix_ns: int) -> None:
        """`troubles`: there is to be a column for them. `answers`: the device does; else there are no rates.

        `now`: seconds on the clock of the samples; `unix_ns`: Unix time.
        """
        self._canvas = canvas
        self._columns = choose_columns(canvas.width, troubles=troubles, sparklines=canvas.sparklines)
        self._answers = answers
        self._now = now
        self._unix_ns = unix_ns

    def titles(self) -> Line:
        """The line above the peers."""
        has = self._columns
        line = self._begin("peer", ink.LABEL).right_aligned("handshake", HANDSHAKE, ink.LABEL)
        for wide, title in ((has.endpoint, "endpoint"), (has.allowed_ips, "allowed ips")):
            if wide:
                line.gap(GAP).left_aligned(title, wide, ink.LABEL)
        for title in ("rx/s", "tx/s"):
            line.gap(GAP).right_aligned(title, SIZE_WIDTH, ink.LABEL)
            if has.sparkline:
                line.gap(1 + has.sparkline)
        for title in ("received", "sent"):
            if has.totals:
                line.gap(GAP).right_aligned(title, has.totals, ink.LABEL)
        if has.troubles:
            line.gap(GAP).left_aligned("drops and failures", has.troubles, ink.LABEL)
        return line

    def row(self, peer: PeerHistory) -> Line:
        """The line of one peer."""
        has, sample, ellipsis = self._columns, peer.sample, self._canvas.glyphs.ellipsis
        line = self._begin(short_key(sample.public_key, ellipsis))
        self._handshake(line, peer)
        if has.endpoint:
            text = short_endpoint(sample.endpoint, has.endpoint, ellipsis)
            line.gap(GAP).left_aligned(text, has.endpoint, "" if sample.endpoint else ink.LABEL)
        if has.allowed_ips:
            text = short_prefixes(sample.allowed_ips, has.allowed_ips, ellipsis)
            line.gap(GAP).left_aligned(text, has.allowed_ips, "" if sample.allowed_ips else ink.LABEL)
        self._rate(line, peer.rx, ink.RX)
        self._rate(line, peer.tx, ink.TX)
        for total in (sample.rx_bytes, sample.tx_bytes):
            if has.totals:
                line.gap(GAP).right_aligned(size(total), has.totals, "" if total else ink.LABEL)
        if has.troubles:
            causes(line.gap(GAP), peer.troubles, nothing="")
        return line

    def _begin(self, peer: str, style: str = "") -> Line:
        return Line(self._canvas.width).gap(MARGIN).left_aligned(peer, PEER, style).gap(GAP)

    def _rate(self, line: Line, meter: Meter, style: str) -> None:
        rate = meter.rate if self._answers else None
        text = UNKNOWN if rate is None else size(rate)
        line.gap(GAP).right_aligned(text, SIZE_WIDTH, "" if rate else ink.LABEL)
        if wide := self._columns.sparkline:
            line.gap(1)
            add_marks(line, self._canvas.glyphs, meter.series(wide, self._now), style)

    def _handshake(self, line: Line, peer: PeerHistory) -> None:
        last = peer.sample.last_handshake_ns
        since = self._unix_ns - last
        if not last:
            line.right_aligned("never", HANDSHAKE, self._waning(peer))
        elif since < 0:
            # wg says "System clock wound backward": our clock or the daemon's was set.
            line.right_aligned("in future", HANDSHAKE, ink.WARN)
        elif since < LIVE:
            line.right_aligned(age(since), HANDSHAKE, ink.GOOD if since < FRESH else ink.WARN)
        else:
            line.right_aligned(age(since), HANDSHAKE, self._waning(peer))

    def _waning(self, peer: PeerHistory) -> str:
        """A peer without a session is at rest, unless something is sent to it and nothing comes back."""
        calls = peer.tx.of_window and not peer.rx.of_window
        return ink.BAD if calls else ink.LABEL


def add_marks(line: Line, glyphs: Glyphs, rates: Sequence[float | None], style: str) -> None:
    """Append a sparkline. Spans in which nothing moved are drawn more quietly, a whole minute of them not."""
    if not any(rates):
        line.gap(len(rates))
        return
    for is_rest, marks in groupby(glyphs.sparkline(rates), key=lambda mark: mark == glyphs.rest):
        line.add("".join(marks), ink.LABEL if is_rest else style)
