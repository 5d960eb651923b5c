"""The benchmark's own arithmetic: searches, medians, verdicts. What it measures is tried by running it."""

import json

import pytest

from bench.chart import chart
from bench.echo import echo_request, percentile
from bench.errors import BenchError
from bench.ethr import parse
from bench.figures import Figures, Results
from bench.floor import parse_cost
from bench.lineup import NATIVE, NEWEST
from bench.options import parse as parse_options
from bench.options import parse_implementations
from bench.targets import verdicts
from bench.udp.search import FLOOD, MOST_LOSS, Trial, best_rate


class Path:
    """Delivers up to `capacity`, loses the rest; the generator ends at `most`."""

    def __init__(self, capacity: float, most: float = 1e6) -> None:
        self.capacity, self.most, self.tried = capacity, most, 0

    def attempt(self, rate: float) -> Trial:
        self.tried += 1
        offered = self.most if rate == FLOOD else min(rate, self.most)
        delivered = min(offered, self.capacity)
        return Trial(offered, delivered, 1 - delivered / offered)


@pytest.mark.parametrize("capacity", [1_000, 50_000, 333_333, 990_000])
def test_search_comes_close_to_the_capacity(capacity: float) -> None:
    path = Path(capacity)
    best = best_rate(path.attempt, 8)
    assert best is not None
    assert capacity * 0.9 <= best.delivered <= capacity
    assert best.loss <= MOST_LOSS
    assert path.tried <= 8


def test_search_ends_with_the_generator() -> None:
    path = Path(2e6)
    best = best_rate(path.attempt, 8)
    assert best is not None
    assert (best.delivered, path.tried) == (1e6, 1)


@pytest.mark.parametrize("guess", [10_000, 50_000, 200_000])
def test_search_from_a_guess(guess: float) -> None:
    best = best_rate(Path(50_000).attempt, 8, guess)
    assert best is not None
    assert 35_000 <= best.delivered <= 50_000


def test_search_gives_up() -> None:
    path = Path(1)
    assert best_rate(path.attempt, 5, 100_000) is None
    assert path.tried < 20


def test_figures() -> None:
    figures = Figures([3, 1, 2])
    assert figures.median == 2
    assert figures.text(1) == "2.0 (1.0 to 3.0)"


def test_ratios_are_of_medians_and_the_worse_counts() -> None:
    results = Results()
    for ours, theirs in ((1.0, 4.0), (2.0, 4.0), (9.0, 4.0)):
        results.add("a", {"cpu_daemons": ours, "cpu_machine": 3.0})
        results.add("b", {"cpu_daemons": theirs, "cpu_machine": 4.0})
    assert results.ratio("cpu_daemons", "a", "b") == 0.5
    assert results.worst_ratio(("cpu_daemons", "cpu_machine"), "a", "b", more_is_better=False) == 0.75
    assert results.worst_ratio(("cpu_daemons", "tcp_mbit"), "a", "b", more_is_better=False) is None


def test_verdicts() -> None:
    results = Results()
    assert {verdict.reached for verdict in verdicts(results)} == {None}
    for _ in range(3):
        results.add(NATIVE, {"tcp_mbit": 3000, "rtt_idle_p50": 50, "cpu_daemons": 1, "cpu_machine": 3})
        results.add(NEWEST, {"tcp_mbit": 1000, "rtt_idle_p50": 100, "cpu_daemons": 4, "cpu_machine": 4})
    told = {verdict.title: verdict for verdict in verdicts(results)}
    tcp, cpu, latency = (
        next(verdict for title, verdict in told.items() if title.startswith(begin))
        for begin in ("TCP, one stream: pywg-native", "CPU", "idle round trip p50")
    )
    assert (tcp.reached, tcp.value) == (True, 3)
    assert (cpu.reached, cpu.value) == (False, 0.75)
    assert latency.reached is None
    assert "3 of 7 rounds" in latency.text()


def test_percentile() -> None:
    hundred = [float(number) for number in range(1, 101)]
    assert (percentile(hundred, 0.5), percentile(hundred, 0.99)) == (50, 99)
    assert percentile([5.0], 0.99) == 5


def test_echo_request_has_a_right_checksum() -> None:
    packet = echo_request(4711)
    total = sum(int.from_bytes(packet[at : at + 2], "big") for at in range(0, len(packet), 2))
    assert total % 0xFFFF == 0


def test_implementations() -> None:
    assert parse_implementations(" a=/b  c=/d=e ") == {"a": "/b", "c": "/d=e"}
    with pytest.raises(ValueError, match="NAME=PATH"):
        parse_implementations("/usr/bin/boringtun")
    assert parse_options([], {"QUICK": "1"}).quick
    assert not parse_options([], {"QUICK": "0"}).quick


def test_what_ethr_prints() -> None:
    text = "[    8]     TCP      000-001 sec      7.3G\n[    8]     TCP      001-002 sec    900.5M\n"
    assert parse(text) == pytest.approx((7300 + 900.5) / 2)
    with pytest.raises(BenchError):
        parse("Error dialing control connection")


def test_what_the_cipher_example_prints() -> None:
    told = json.dumps({"seal_ns": 700, "open_ns": 700, "packet_bytes": 1400})
    assert parse_cost(told) == 1.0
    with pytest.raises(BenchError):
        parse_cost("nothing")


def test_chart_escapes_and_leaves_out_what_was_not_measured() -> None:
    results = Results()
    results.add("<a>", {"tcp_mbit": 5.0})
    picture = chart(results, ["<a>", "b"], "machine", "today")
    assert "&lt;a&gt;" in picture
    assert "UDP" not in picture
