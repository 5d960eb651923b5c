"""pywg/monitor/board.py: interfaces that come, go, and do not answer."""

from pywg.monitor.board import ANSWER_OVERDUE, MOST_GONE, Board, Snapshot
from pywg.monitor.history import WINDOW
from pywg.monitor.sample import Look, Reading, Sample
from tests.monitor.snapshots import peer


class Watch:
    """A board and its clock."""

    def __init__(self) -> None:
        self.board = Board(1.0)

    def take(self, now: float, *readings: Reading) -> Snapshot:
        return self.board.take(Look(readings), now=now, unix_ns=0, local_time="")


def test_an_interface_that_went_stays_for_a_minute_then_is_forgotten() -> None:
    watch = Watch()
    watch.take(0.0, Reading("wg0", Sample(0.0, peers=(peer(1),))), Reading("wg1", Sample(0.0)))
    for now in (1.0, 10.0, WINDOW + 0.5):
        shown = watch.take(now, Reading("wg1", Sample(now)))
        assert [each.name for each in shown.interfaces] == ["wg1", "wg0"]
        assert shown.interfaces[1].problem == f"gone for {now - 1:.0f} s"
        assert shown.interfaces[1].sample is None
    shown = watch.take(WINDOW + 1.0, Reading("wg1", Sample(WINDOW + 1.0)))
    assert [each.name for each in shown.interfaces] == ["wg1"]
    assert "wg0" not in watch.board._histories


def test_an_interface_that_came_back_keeps_its_minute() -> None:
    watch = Watch()
    watch.take(0.0, Reading("wg0", Sample(0.0, peers=(peer(1),))))
    before = watch.take(1.0, Reading("wg0", Sample(1.0, peers=(peer(1, rx_bytes=10_000),))))
    assert before.interfaces[0].history.rx.rate == 10_000
    watch.take(2.0)
    after = watch.take(3.0, Reading("wg0", Sample(3.0, peers=(peer(1, rx_bytes=50),))))
    assert after.interfaces[0].problem == ""
    # Its counters began again: no rate from that, but what was seen before is still so.
    assert after.interfaces[0].history.peers[0].rx.rate is None
    assert after.interfaces[0].history.peers[0].rx.of_window == 10_000


def test_of_hundreds_that_went_few_are_remembered() -> None:
    watch = Watch()
    for second in range(100):
        shown = watch.take(second / 10, *(Reading(f"wg{second}-{number}") for number in range(5)))
    assert len(shown.interfaces) == 5 + MOST_GONE
    assert len(watch.board._histories) == 5 + MOST_GONE


def test_the_same_answer_is_not_counted_twice() -> None:
    watch, sample = Watch(), Sample(0.0, peers=(peer(1),))
    watch.take(0.0, Reading("wg0", sample))
    later = Sample(1.0, peers=(peer(1, tx_bytes=500),))
    for now in (1.0, 1.1, 1.2):
        shown = watch.take(now, Reading("wg0", later))
    assert shown.interfaces[0].history.tx.rate == 500


def test_a_daemon_that_keeps_silent_is_said_to() -> None:
    watch, sample = Watch(), Sample(0.0)
    assert watch.take(1.0, Reading("wg0", sample, waiting=ANSWER_OVERDUE - 0.1)).interfaces[0].problem == ""
    shown = watch.take(7.0, Reading("wg0", sample, waiting=7.2))
    assert shown.interfaces[0].problem == "no answer for 7 s; its daemon may be stuck"


def test_a_problem_is_told_in_the_daemons_words() -> None:
    shown = Watch().take(0.0, Reading("wg0", None, "wg0: not running", waiting=9.0))
    assert shown.interfaces[0].problem == "wg0: not running"
