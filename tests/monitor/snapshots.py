"""Samples and snapshots to test with, and what a terminal shows of them."""

import io
from collections.abc import Iterable
from dataclasses import replace

from rich.console import Console

from pywg.endpoint import Endpoint
from pywg.monitor.board import Board, Snapshot
from pywg.monitor.ink import UNICODE, Canvas, Glyphs
from pywg.monitor.sample import DaemonStatus, Look, PeerSample, Reading, Sample
from pywg.monitor.view import draw
from pywg.uapi import values

UNIX_NS = 1_800_000_000_000_000_000
STATUS = DaemonStatus(
    engine="native",
    engine_reason="the fastest this installation has",
    version="1.0",
    sockets={"link": "up", "v4": "open", "v6": "open"},
    drops={},
    handshake_failures={},
)


def peer(number: int, *, seconds_ago: float | None = None, **fields: object) -> PeerSample:
    """Peer `number`; its last handshake was so long before `UNIX_NS`."""
    sample = PeerSample(
        public_key=number.to_bytes(2, "big") + bytes(30),
        endpoint=Endpoint("192.0.2.1", 1000 + number),
        allowed_ips=(values.prefix(f"10.0.{number >> 8}.{number & 255}/32"),),
        last_handshake_ns=0 if seconds_ago is None else UNIX_NS - round(seconds_ago * 1e9),
    )
    return replace(sample, **fields)  # type: ignore[arg-type]  # fields are the caller's


def moved(sample: Sample, taken: float, *, rx: int = 0, tx: int = 0) -> Sample:
    """`sample`, taken later; every peer has moved so much more."""
    peers = (replace(each, rx_bytes=each.rx_bytes + rx, tx_bytes=each.tx_bytes + tx) for each in sample.peers)
    return replace(sample, taken=taken, peers=tuple(peers))


def snapshot(*looks: Iterable[Reading], problem: str = "", interval: float = 1.0) -> Snapshot:
    """After one look a second, from second 0 on."""
    board, shown = Board(interval), None
    for second, readings in enumerate(looks):
        shown = board.take(
            Look(tuple(readings), problem), now=float(second), unix_ns=UNIX_NS, local_time="12:34:56"
        )
    assert shown is not None
    return shown


def lines(
    shown: Snapshot,
    width: int = 80,
    height: int | None = None,
    *,
    glyphs: Glyphs = UNICODE,
    sparklines: bool = True,
) -> list[str]:
    """What a terminal shows, without colours and spaces at the end."""
    console = Console(file=io.StringIO(), width=width, height=height or 25, color_system=None)
    with console.capture() as captured:
        console.print(draw(shown, Canvas(width, glyphs, sparklines=sparklines), height))
    return [line.rstrip() for line in captured.get().split("\n")[:-1]]


def colored(shown: Snapshot, width: int = 120) -> str:
    """What is written to a terminal that has colours."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system="standard")
    with console.capture() as captured:
        console.print(draw(shown, Canvas(width, UNICODE), 40))
    return captured.get()
