"""pywg/monitor/history.py: counters to rates, a minute of memory, the order of peers."""

import pytest

from pywg.monitor.history import WINDOW, History, Meter, Meters
from pywg.monitor.sample import DaemonStatus, Sample
from tests.monitor.snapshots import moved, peer


def meter(*seen: tuple[float, int]) -> Meter:
    """A meter that saw these totals at these times."""
    made = Meter()
    for now, total in seen:
        made.see(total, now)
    return made


def test_a_rate_takes_two_looks() -> None:
    assert meter((10.0, 700)).rate is None
    assert meter((10.0, 700), (12.0, 900)).rate == 100


def test_the_first_total_is_no_traffic() -> None:
    assert meter((10.0, 10**12), (11.0, 10**12)).of_window == 0


def test_a_counter_that_goes_back_starts_anew() -> None:
    made = meter((0.0, 1000), (1.0, 1500), (2.0, 20))
    assert made.rate is None
    assert made.of_window == 500
    made.see(70, 3.0)
    assert made.rate == 50


def test_a_clock_that_stands_still_makes_no_rate() -> None:
    made = meter((5.0, 0), (6.0, 60), (6.0, 10**9))
    assert made.rate == 60


def test_nothing_is_remembered_beyond_the_window() -> None:
    made = meter((0.0, 0), (1.0, 100))
    made.see(100, WINDOW - 0.5)
    assert made.of_window == 100
    made.see(100, WINDOW + 1.5)
    assert made.of_window == 0


def test_memory_is_bounded_however_often_and_seldom_it_is_looked_at() -> None:
    often = Meter()
    for step in range(20_000):
        often.see(step, step / 100)
    assert len(often._by_second) <= WINDOW + 1
    seldom = meter((0.0, 0), (10_000.0, 10_000))
    assert len(seldom._by_second) <= WINDOW + 1
    assert seldom.of_window == pytest.approx(WINDOW)


def test_what_is_idle_costs_nothing() -> None:
    made = Meter()
    for second in range(1000):
        made.see(5, float(second))
    assert made._by_second == {}


def test_a_series_ends_now_and_does_not_know_what_was_before() -> None:
    made = meter((100.0, 0), (101.0, 0), (102.0, 50), (103.0, 70))
    assert made.series(60, 103.0) == (*[None] * 57, 0, 50, 20)


def test_a_column_is_the_mean_of_what_is_known_of_it() -> None:
    made = meter((100.0, 0), (103.0, 90))
    # Columns of 10 s: the last one is [100, 110), of which 3 s are known.
    assert made.series(6, 103.0) == (*[None] * 5, pytest.approx(30))


def test_the_past_does_not_change_its_shape() -> None:
    made = Meter()
    for second in range(200):
        made.see(second * second, second + 0.013 * (second % 7))
    before = made.series(10, 199.0)
    made.see(199 * 199, 199.9)
    # The last column is still growing.
    assert made.series(10, 199.9)[:-1] == before[:-1]


def test_silence_is_not_drawn_as_rest() -> None:
    made = meter((0.0, 0), (10.0, 100))
    assert made.series(12, 20.0)[-2:] == (None, None)
    assert made.series(12, 20.0)[-4:-2] == (10, 10)


def test_rates_of_long_intervals_are_spread() -> None:
    assert meter((0.0, 0), (30.0, 3000)).series(6, 30.0)[-3:] == (100, 100, 100)


def test_a_cause_that_was_not_counted_before_stood_at_zero() -> None:
    causes = Meters()
    causes.see({"replay": 5}, 1.0, None)
    assert causes.by_name["replay"].of_window == 0
    causes.see({"replay": 6, "no_route": 3}, 2.0, 1.0)
    assert causes.by_name["replay"].of_window == 1
    assert causes.by_name["no_route"].of_window == 3
    causes.see({}, 3.0, 2.0)
    assert causes.by_name == {}


def keys(history: History) -> list[int]:
    return [int.from_bytes(each.sample.public_key[:2], "big") for each in history.peers]


def test_peers_are_ordered_by_recent_traffic_then_by_handshake() -> None:
    history = History()
    peers = (peer(1), peer(2, seconds_ago=500), peer(3, seconds_ago=50), peer(4), peer(5, seconds_ago=900))
    first = Sample(0.0, peers=peers)
    history.see(first)
    assert keys(history) == [3, 2, 5, 1, 4]
    busy = {4: 10_000, 5: 1_000_000}
    history.see(
        Sample(1.0, peers=tuple(peer(number, rx_bytes=busy.get(number, 0)) for number in (1, 2, 3, 4, 5)))
    )
    assert keys(history) == [5, 4, 1, 2, 3]


def test_trouble_comes_before_rest() -> None:
    history = History()
    peers = (peer(1, troubles={"replay": 4}), peer(2, seconds_ago=5), peer(3))
    history.see(Sample(0.0, peers=peers))
    assert keys(history) == [2, 1, 3]
    history.see(Sample(1.0, peers=(*peers[:2], peer(3, troubles={"send_error": 1}))))
    assert keys(history) == [3, 2, 1]


def test_peers_with_much_the_same_traffic_keep_their_places() -> None:
    """Two streams of 60,000 to 70,000 bytes a second: around 4 MiB a minute, the border of two classes."""
    history, orders, totals = History(), [], [0, 0]
    for second in range(300):
        totals[0] += 60_000 + 10_000 * (second % 20 < 10)
        totals[1] += 60_000 + 10_000 * (second % 20 >= 10)
        history.see(Sample(float(second), peers=(peer(1, rx_bytes=totals[0]), peer(2, rx_bytes=totals[1]))))
        orders.append(keys(history))
    assert all(order == [1, 2] for order in orders[70:])


def test_a_peer_that_is_gone_is_forgotten_and_starts_anew() -> None:
    history = History()
    history.see(Sample(0.0, peers=(peer(1), peer(2))))
    history.see(Sample(1.0, peers=(peer(1, rx_bytes=100), peer(2, rx_bytes=700))))
    history.see(Sample(2.0, peers=(peer(1, rx_bytes=200),)))
    assert keys(history) == [1]
    assert history.rx.rate == 100
    history.see(Sample(3.0, peers=(peer(1, rx_bytes=300), peer(2, rx_bytes=10_000))))
    assert history.rx.rate == 100
    assert {each.sample.public_key[1]: each.rx.rate for each in history.peers} == {1: 100, 2: None}


def test_the_rate_of_a_device_is_that_of_its_peers_although_one_was_added_again() -> None:
    history = History()
    first = Sample(0.0, peers=(peer(1, rx_bytes=10**9), peer(2)))
    history.see(first)
    history.see(Sample(1.0, peers=(peer(1, rx_bytes=5), peer(2, rx_bytes=40))))
    assert history.rx.rate == 40
    assert history.rx_bytes == 45
    history.see(moved(first, 2.0))
    assert history.rx.rate is not None


def test_drops_come_from_the_device() -> None:
    def status(drops: dict[str, int]) -> DaemonStatus:
        return DaemonStatus("native", "", "", {}, drops, {})

    history = History()
    history.see(Sample(0.0, status=status({"replay": 3})))
    history.see(Sample(1.0, status=status({"replay": 5, "no_route": 1})))
    assert {name: each.of_window for name, each in history.drops.by_name.items()} == {
        "replay": 2,
        "no_route": 1,
    }
