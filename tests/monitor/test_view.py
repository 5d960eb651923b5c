"""pywg/monitor/view.py and what it is made of: exact lines, what fits, and foreign text on the terminal."""

import re
import time
from collections.abc import Sequence
from dataclasses import replace

import pytest

from pywg.endpoint import Endpoint
from pywg.monitor.board import Board, Snapshot
from pywg.monitor.columns import choose_columns
from pywg.monitor.history import WINDOW
from pywg.monitor.ink import ASCII, UNICODE, Canvas, glyphs
from pywg.monitor.sample import Look, Reading, Sample
from pywg.monitor.table import FRESH, LIVE
from pywg.monitor.view import draw
from tests.monitor.snapshots import STATUS, UNIX_NS, colored, lines, moved, peer, snapshot

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
SGR = re.compile(r"\x1b\[[0-9;]*m")

HOME = replace(
    STATUS,
    drops={"no_route": 3, "replay": 12},
    handshake_failures={"unknown_key": 1},
)


def two_peers() -> Snapshot:
    peers = (peer(1, seconds_ago=12), peer(2, endpoint=None, allowed_ips=()))
    first = Sample(0.0, listen_port=51820, peers=peers, status=STATUS)
    second = replace(moved(first, 1.0, rx=2048), status=HOME)
    third = replace(moved(second, 2.0, tx=100), status=HOME)
    return snapshot(*([Reading("wg0", sample)] for sample in (first, second, third)))


def test_two_peers_at_80_columns() -> None:
    assert lines(two_peers(), 80, 24) == [
        "pywg monitor                                       every 1 s · q ends · 12:34:56",
        "",
        "wg0           up · port 51820 · 2 peers, 1 live                    native engine",
        "  received         0 B/s                               ▇  4.00 KiB in all",
        "  sent           200 B/s                               ▁     200 B in all",
        "  drops       replay 12 +12/min, no_route 3 +3/min",
        "  handshakes  unknown_key 1 +1/min",
        "",
        "  peer       handshake  endpoint                   rx/s             tx/s",
        "  AAEAAAAA…       12 s  192.0.2.1:1001              0 B      ▇     100 B      ▁",
        "  AAIAAAAA…      never  (none)                      0 B      ▇     100 B      ▁",
        "",
    ]


PAPER = """
wg0           up · port 51820 · 2 peers, 1 live                           pywg 1.0, native engine:
  received         0 B/s  4.00 KiB in all
  sent           200 B/s     200 B in all
  drops       replay 12 +12/min, no_route 3 +3/min
  handshakes  unknown_key 1 +1/min

  peer       handshake  endpoint               allowed ips              rx/s      tx/s  received
  AAEAAAAA…       12 s  192.0.2.1:1001         10.0.0.1/32               0 B     100 B  2.00 KiB
  AAIAAAAA…      never  (none)                 (none)                    0 B     100 B  2.00 KiB
"""


def test_two_peers_on_paper() -> None:
    shown = lines(two_peers(), 132, sparklines=False)
    assert [line[:98].rstrip() for line in shown] == PAPER.split("\n")[1:]
    assert shown[0].endswith("pywg 1.0, native engine: the fastest this installation has")
    assert shown[6].endswith("  received      sent  drops and failures")


def test_a_device_that_tells_less() -> None:
    sample = Sample(0.0, listen_port=51820, has_private_key=False, fwmark=0xCA6C, peers=(peer(1),))
    assert lines(snapshot([Reading("wg0", sample)]), 80, 24)[2:] == [
        "wg0           port 51820 · no private key · 1 peer, 0 live · fwmark 0xca6c",
        "  received             -                                       0 B in all",
        "  sent                 -                                       0 B in all",
        "  drops       not told by this device",
        "  handshakes  not told by this device",
        "",
        "  peer       handshake  endpoint                   rx/s             tx/s",
        "  AAEAAAAA…      never  192.0.2.1:1001                -                -",
        "",
    ]


def test_causes_without_room_are_counted() -> None:
    drops = {f"cause_number_{number}": 1000 - number for number in range(20)}
    sample = Sample(0.0, peers=(), status=replace(STATUS, drops=drops))
    line = lines(snapshot([Reading("wg0", sample)]), 60, 24)[5]
    assert line == "  drops       cause_number_0 1.00k, cause_number_1 999 +18"


def test_what_moves_comes_before_what_is_much() -> None:
    def told(no_route: int) -> Sample:
        return Sample(
            0.0 if no_route == 1 else 1.0, status=replace(STATUS, drops={"replay": 900, "no_route": no_route})
        )

    shown = snapshot([Reading("wg0", told(1))], [Reading("wg0", told(4))])
    assert lines(shown, 80, 24)[5] == "  drops       no_route 4 +3/min, replay 900"


@pytest.mark.parametrize(
    ("sockets", "facts"),
    [
        ({"link": "down", "v4": "closed", "v6": "closed"}, "down · no port · 0 peers, 0 live"),
        ({"link": "up", "v4": "open", "v6": "unavailable"}, "up · no port · IPv4 only · 0 peers, 0 live"),
        ({"link": "up", "error": "port 7 is in use"}, "up · no port · port 7 is in use · 0 peers, 0 live"),
    ],
)
def test_link_and_sockets(sockets: dict[str, str], facts: str) -> None:
    sample = Sample(0.0, status=replace(STATUS, sockets=sockets))
    assert lines(snapshot([Reading("wg0", sample)]), 100, 24)[2].startswith(f"wg0           {facts}")


def styles(shown: Snapshot, text: str) -> str:
    """The codes right before `text`."""
    match = re.search(r"((?:\x1b\[[0-9;]*m)*) *" + re.escape(text), colored(shown))
    assert match is not None, colored(shown)
    return match[1]


@pytest.mark.parametrize(
    ("seconds_ago", "text", "color"),
    [
        (FRESH / 1e9 - 0.001, "134 s", "32"),
        (FRESH / 1e9, "135 s", "33"),
        (LIVE / 1e9 - 0.001, "179 s", "33"),
        (LIVE / 1e9, "3 min", "2"),
        (-5, "in future", "33"),
        (None, "never", "2"),
    ],
)
def test_the_colour_of_a_handshake(seconds_ago: float | None, text: str, color: str) -> None:
    shown = snapshot([Reading("wg0", Sample(0.0, peers=(peer(1, seconds_ago=seconds_ago),)))])
    assert styles(shown, text).endswith(f"\x1b[{color}m")


def test_who_is_called_and_does_not_answer_stands_out() -> None:
    first = Sample(0.0, peers=(peer(1, seconds_ago=500), peer(2)))
    shown = snapshot([Reading("wg0", first)], [Reading("wg0", moved(first, 1.0, tx=148))])
    assert styles(shown, "8 min").endswith("\x1b[31m")
    assert styles(shown, "never").endswith("\x1b[31m")
    answered = moved(moved(first, 1.0, tx=148), 2.0, rx=92)
    shown = snapshot([Reading("wg0", first)], [Reading("wg0", answered)])
    assert styles(shown, "8 min").endswith("\x1b[2m")


def test_a_daemon_that_stopped_answering_has_no_rates() -> None:
    first = Sample(0.0, listen_port=51820, peers=(peer(1),), status=STATUS)
    second = moved(first, 1.0, rx=1000)
    stuck = Reading("wg0", second, "wg0: no answer within 10 s; its daemon may be stuck")
    shown = lines(snapshot([Reading("wg0", first)], [Reading("wg0", second)], [stuck]), 100, 24)
    assert shown[2] == "wg0           no answer within 10 s; its daemon may be stuck"
    assert shown[3].split()[:2] == ["received", "-"]
    assert "1000 B" in shown[3]
    assert not any("B/s" in line for line in shown)


def many(count: int, names: Sequence[str] = ("wg0",)) -> Snapshot:
    sample = Sample(0.0, peers=tuple(peer(number) for number in range(count)), status=STATUS)
    return snapshot(
        [Reading(name, sample) for name in names], [Reading(name, moved(sample, 1.0)) for name in names]
    )


@pytest.mark.parametrize(("width", "height"), [(60, 24), (80, 24), (120, 40), (200, 50)])
def test_only_what_fits_of_a_thousand_peers(width: int, height: int) -> None:
    shown = lines(many(1000), width, height)
    assert len(shown) == height
    shown_peers = sum(line.startswith("  A") for line in shown[9:])
    assert shown[-1] == f"  and {1000 - shown_peers} more"
    assert shown_peers == height - 10
    assert all(len(line) <= width for line in shown)


@pytest.mark.parametrize("height", [1, 2, 5, 24])
def test_no_size_is_too_small(height: int) -> None:
    drawn = many(30, ("wg0", "wg1", "wg2"))
    for width in range(1, 250, 7):
        shown = lines(drawn, width, height)
        assert len(shown) <= height
        assert all(len(line) <= width for line in shown)


@pytest.mark.parametrize(("count", "expected"), [(3, 40), (12, 40), (20, 40), (50, 40)])
def test_many_interfaces_share_the_screen(count: int, expected: int) -> None:
    names = [f"wg{number}" for number in range(count)]
    shown = lines(many(100, names), 100, expected)
    assert len(shown) <= expected
    named = [name for name in names if any(line.startswith(f"{name} ") for line in shown)]
    if len(named) < count:
        assert shown[-1] == f"and {count - len(named)} more interfaces"
    else:
        assert named == names


def test_without_room_for_peers_an_interface_is_a_line_with_its_rates() -> None:
    first = Sample(0.0, listen_port=7, peers=(peer(1, seconds_ago=3),), status=STATUS)
    names = [f"wg{number}" for number in range(20)]
    shown = lines(
        snapshot(
            [Reading(name, first) for name in names],
            [Reading(name, moved(first, 1.0, rx=2048, tx=5)) for name in names],
        ),
        100,
        24,
    )
    assert shown[2] == (
        "wg0           up · port 7 · 1 peer, 1 live                      received 2.00 KiB/s  sent      5 B/s"
    )
    assert len(shown) == 22


def test_a_small_interface_leaves_its_room_to_a_large_one() -> None:
    small, large = Sample(0.0, peers=(peer(1),), status=STATUS), many(100).interfaces[0].sample
    shown = lines(snapshot([Reading("wg0", small), Reading("wg1", large)]), 100, 40)
    assert len(shown) == 40
    assert shown[-1] == "  and 79 more"


def test_nothing_moves_between_two_refreshes() -> None:
    """Whatever the counters do, numbers end where their titles end, and no line comes or goes."""
    first = Sample(0.0, listen_port=51820, peers=tuple(peer(number) for number in range(5)), status=STATUS)
    for exponent in range(0, 60, 3):
        later = replace(moved(first, 1.0, rx=2**exponent, tx=min(3**exponent, 2**64)), status=HOME)
        shown = lines(snapshot([Reading("wg0", first)], [Reading("wg0", later)]), 118, 40)
        titles, rows = shown[8], [f"{line}  " for line in shown[9:14]]
        assert titles.split()[-2:] == ["received", "sent"]
        for title in ("handshake", "rx/s", "tx/s", "received", "sent"):
            end = titles.index(title) + len(title)
            assert all(row[end - 1] != " " and row[end] == " " for row in rows), (title, shown)


HOSTILE = "\x1b[31m[bold red]x[/bold red]\x1b]0;title\x07\r\n\u202e:smile: \U0001f600"


def test_foreign_text_stays_text() -> None:
    told = replace(
        STATUS,
        engine=HOSTILE,
        engine_reason="",
        version=HOSTILE,
        sockets={"link": HOSTILE, "error": HOSTILE},
        drops={HOSTILE: 1},
        handshake_failures={"[red]y": 2},
    )
    strange = peer(1, troubles={HOSTILE: 3}, endpoint=Endpoint("fe80::1", 1, 4_000_000_000))
    sample = Sample(0.0, peers=(strange,), status=told)
    readings = [
        Reading("wg0", sample),
        Reading("wg1", None, f"wg1: {HOSTILE}"),
        Reading(HOSTILE, sample),
    ]
    shown = snapshot(readings, problem=HOSTILE)
    written = SGR.sub("", colored(shown, 400))
    assert CONTROL.findall(written) == []
    # Not interpreted: the markup and the emoji's name are still there.
    assert "[bold red]x[/bold red]" in written
    assert ":smile:" in written
    assert "[red]y 2" in written
    assert "\U0001f600" not in written


def test_a_terminal_without_unicode_gets_ascii() -> None:
    assert glyphs("utf-8", "xterm") is glyphs("UTF8", "") is UNICODE
    assert glyphs("utf-8", "linux") is glyphs("latin-1", "xterm") is ASCII
    shown = "".join(lines(two_peers(), 160, 24, glyphs=ASCII))
    assert shown.isascii()


def test_steady_traffic_is_a_steady_line() -> None:
    assert UNICODE.sparkline([None, 0, 5000.0, 5000.0, 2500.0]) == " ·▇▇▄"
    assert UNICODE.sparkline([1.0, 32.0]) == "▁▁"


@pytest.mark.parametrize("told", [True, False])
def test_columns_fit_and_sparklines_divide_the_minute(*, told: bool) -> None:
    for width in range(40, 260):
        chosen = choose_columns(width, troubles=told, sparklines=True)
        assert chosen.width <= max(width, 42)
        assert not chosen.sparkline or WINDOW % chosen.sparkline == 0
        assert told or not chosen.troubles
        assert choose_columns(width, troubles=told, sparklines=False).sparkline == 0


def test_nothing_to_show() -> None:
    assert lines(snapshot([]), 80, 24)[2:] == ["no WireGuard interface is up"]
    assert lines(snapshot([], problem="cannot read it"), 80, 24)[2:] == ["cannot read it"]


def test_a_thousand_busy_peers_are_drawn_in_a_tenth_of_a_second() -> None:
    """Bookkeeping and drawing; reading the reply comes on top. CPU time, with room for a slow machine."""
    board = Board(1.0)
    sample = Sample(0.0, peers=tuple(peer(number, seconds_ago=5) for number in range(1000)), status=STATUS)
    console_lines = 0
    began = time.process_time()
    for second in range(10):
        sample = moved(sample, float(second), rx=1000 * second, tx=50)
        shown = board.take(
            Look((Reading("wg0", sample),)), now=float(second), unix_ns=UNIX_NS, local_time="00:00:00"
        )
        console_lines += len(draw(shown, Canvas(200, UNICODE), 50).renderables)
    assert console_lines == 500
    assert (time.process_time() - began) / 10 < 0.1
