"""Draws one interface: its own lines and those of its peers.

In: an interface of a `Snapshot`, and how the terminal is. Out: lines. There are three kinds, from which the
view takes the most telling that fits. Rule kept: an interface that answers has the same lines at the same
place, be there anything to tell or not.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator

from rich.text import Text

from pywg.monitor import ink
from pywg.monitor.board import InterfaceSnapshot, Snapshot
from pywg.monitor.causes import causes
from pywg.monitor.columns import MARGIN
from pywg.monitor.history import Meter
from pywg.monitor.ink import Canvas
from pywg.monitor.line import Line
from pywg.monitor.sample import Sample
from pywg.monitor.table import LIVE, UNKNOWN, Table, add_marks
from pywg.monitor.units import SIZE_WIDTH, clean, size

_LABEL_WIDTH = len("handshakes") + 2
_NAME_GAP = 3
_NOT_TOLD = "not told by this device"


class Block(ABC):
    """One interface."""

    def __init__(self, interface: InterfaceSnapshot, snapshot: Snapshot, canvas: Canvas) -> None:
        self.interface = interface
        self.snapshot = snapshot
        self.canvas = canvas
        self._head = list(self.head())

    @abstractmethod
    def head(self) -> Iterator[Line]:
        """The lines before the peers."""

    @property
    def fixed_lines(self) -> int:
        """How many lines it takes without any peers."""
        return len(self._head)

    @property
    def peer_lines(self) -> int:
        """How many more lines all peers would take."""
        return 0

    def draw(self, peer_lines: int) -> Iterator[Text]:  # noqa: ARG002 (for those that show peers)
        """All lines, with `peer_lines` for the peers."""
        for line in self._head:
            yield line.text

    def name_line(self) -> Line:
        """The name, what is wrong or how the interface is, and an ending."""
        name, sample = self.interface.name, self.interface.sample
        shown = clean(name)
        # In line with the values below it, if the name is not too long for that.
        gap = max(MARGIN + _LABEL_WIDTH - len(shown), _NAME_GAP)
        line = Line(self.canvas.width).add(shown, ink.NAME).gap(gap)
        if self.interface.problem:
            return line.add(clean(self.interface.problem.removeprefix(f"{name}: ")), ink.BAD)
        if sample is None:
            return line.add("waiting for its first answer", ink.LABEL)
        for place, (fact, style) in enumerate(self._facts(sample)):
            line.add(self.canvas.glyphs.separator if place else "", ink.LABEL).add(fact, style)
        room = line.room - _NAME_GAP
        ending = next((text for text in self.endings(sample) if len(text) <= room), "")
        return line.at_end(ending, ink.LABEL)

    def endings(self, sample: Sample) -> Iterator[str]:
        """What the name's line ends with, in more and in less words: the engine and why."""
        if sample.status is None:
            return
        engine, why = clean(sample.status.engine), clean(sample.status.engine_reason)
        if why:
            yield f"pywg {clean(sample.status.version)}, {engine} engine: {why}"
            yield f"{engine} engine: {why}"
        yield f"{engine} engine"
        yield engine

    def rate(self, meter: Meter) -> str:
        """Its rate, if the interface answers."""
        rate = None if self.interface.problem else meter.rate
        return UNKNOWN if rate is None else f"{size(rate)}/s"

    @property
    def now(self) -> float:
        """Where sparklines end: at the newest sample, or, while there is none, with a growing gap."""
        sample = self.interface.sample
        return self.snapshot.now if sample is None or self.interface.problem else sample.taken

    def _facts(self, sample: Sample) -> Iterator[tuple[str, str]]:
        sockets = {} if sample.status is None else sample.status.sockets
        if "link" in sockets:
            is_up = sockets["link"] == "up"
            yield (clean(sockets["link"], 12), ink.GOOD if is_up else ink.WARN)
        yield (f"port {sample.listen_port}" if sample.listen_port else "no port", "")
        if error := sockets.get("error"):
            yield clean(error), ink.BAD
        elif "unavailable" in (sockets.get("v4"), sockets.get("v6")):
            yield ("IPv4 only" if sockets.get("v6") == "unavailable" else "IPv6 only"), ""
        if not sample.has_private_key:
            yield "no private key", ink.WARN
        count = len(sample.peers)
        live = sum(0 <= self.snapshot.unix_ns - peer.last_handshake_ns < LIVE for peer in sample.peers)
        yield f"{count:,} peer{'s' * (count != 1)}, {live:,} live", ""
        if sample.fwmark:
            yield f"fwmark 0x{sample.fwmark:x}", ""


class Single(Block):
    """One line, no peers."""

    def head(self) -> Iterator[Line]:
        """See `Block`."""
        yield self.name_line()

    def endings(self, sample: Sample) -> Iterator[str]:  # noqa: ARG002 (the rates are not of one sample)
        """What the name's line ends with: the rates, for nothing else tells them here."""
        history = self.interface.history
        received, sent = (f"{self.rate(meter):>{SIZE_WIDTH + 2}}" for meter in (history.rx, history.tx))
        yield f"received {received}  sent {sent}"
        yield f"{received} {sent}"


class Compact(Block):
    """Two lines and the peers."""

    def head(self) -> Iterator[Line]:
        """See `Block`."""
        yield self.name_line()
        if self.interface.sample is None:
            return
        history = self.interface.history
        line = Line(self.canvas.width).gap(MARGIN)
        for label, meter in (("received", history.rx), ("sent", history.tx)):
            line.add(f"{label} ", ink.LABEL).right_aligned(self.rate(meter), SIZE_WIDTH + 2).gap(_NAME_GAP)
        if self.interface.sample.status is not None:
            causes(line.add("drops ", ink.LABEL), history.drops, nothing="none")
        yield line
        yield self.table.titles()

    @property
    def table(self) -> Table:
        """The peers' table."""
        return Table(
            self.canvas,
            troubles=self.snapshot.tells_troubles,
            answers=not self.interface.problem,
            now=self.now,
            unix_ns=self.snapshot.unix_ns,
        )

    @property
    def fixed_lines(self) -> int:
        """See `Block`. One is the empty line at the end."""
        return super().fixed_lines + 1

    @property
    def peer_lines(self) -> int:
        """See `Block`. Also who has no peers has a line that says so."""
        return 0 if self.interface.sample is None else max(1, len(self.interface.history.peers))

    def draw(self, peer_lines: int) -> Iterator[Text]:
        """See `Block`."""
        yield from super().draw(peer_lines)
        if self.interface.sample is not None:
            yield from (line.text for line in self._peers(peer_lines))
        yield Text()

    def _peers(self, lines: int) -> Iterator[Line]:
        peers, table = self.interface.history.peers, self.table
        shown = len(peers) if len(peers) <= lines else max(0, lines - 1)
        for peer in peers[:shown]:
            yield table.row(peer)
        if lines and shown < len(peers):
            more = f"and {len(peers) - shown:,} more" if shown else f"{len(peers):,} peers"
            yield Line(self.canvas.width).gap(MARGIN).add(more, ink.LABEL)
        elif lines and not peers:
            yield Line(self.canvas.width).gap(MARGIN).add("no peers", ink.LABEL)


class Full(Compact):
    """Five lines and the peers."""

    def head(self) -> Iterator[Line]:
        """See `Block`."""
        yield self.name_line()
        sample, history = self.interface.sample, self.interface.history
        if sample is None:
            return
        yield self._traffic("received", history.rx, history.rx_bytes, ink.RX)
        yield self._traffic("sent", history.tx, history.tx_bytes, ink.TX)
        drops, handshakes = self._labelled("drops"), self._labelled("handshakes")
        if sample.status is None:
            drops.add(_NOT_TOLD, ink.LABEL)
            handshakes.add(_NOT_TOLD, ink.LABEL)
        else:
            causes(drops, history.drops, nothing="none")
            causes(handshakes, history.handshake_failures, nothing="none failed")
        yield drops
        yield handshakes
        yield Line(self.canvas.width)
        yield self.table.titles()

    def _labelled(self, label: str) -> Line:
        return Line(self.canvas.width).gap(MARGIN).left_aligned(label, _LABEL_WIDTH, ink.LABEL)

    def _traffic(self, label: str, meter: Meter, total: int, style: str) -> Line:
        line = self._labelled(label).right_aligned(self.rate(meter), SIZE_WIDTH + 2).gap(2)
        if wide := self._sparkline_width(line.room):
            add_marks(line, self.canvas.glyphs, meter.series(wide, self.now), style)
            line.gap(2)
        return line.right_aligned(size(total), SIZE_WIDTH).add(" in all", ink.LABEL)

    def _sparkline_width(self, room: int) -> int:
        beside = 2 + SIZE_WIDTH + len(" in all")
        fitting = (wide for wide in (60, 30, 20) if wide + beside <= room and self.canvas.sparklines)
        return next(fitting, 0)
