"""Each row of the timer table as a fact of `decide`: what is due when, and what is not."""

from dataclasses import replace

import pytest

from pywg.protocol.constants import MILLISECOND, SECOND, Limits
from pywg.protocol.timers import (
    Action,
    AnotherKeepalive,
    Decision,
    Fact,
    TimerState,
    Traffic,
    Wanted,
    decide,
)

LIMITS = Limits()
T = 1_000 * SECOND
IDLE = Traffic()
BOTH = Fact.UNANSWERED_SENT | Fact.UNANSWERED_RECEIVED


def due(traffic: Traffic, state: TimerState, now: int) -> tuple[Action, ...]:
    return decide(LIMITS, traffic, state, now).actions


def fires_at(traffic: Traffic, state: TimerState, action: Action, at: int) -> bool:
    """Whether the action is not due just before `at`, is announced as the deadline, and is due at it."""
    before = decide(LIMITS, traffic, state, at - 1)
    return not before.actions and before.deadline == at and due(traffic, state, at) == (action,)


def test_a_peer_with_nothing_to_wait_for_has_no_deadline() -> None:
    assert decide(LIMITS, IDLE, TimerState(), T) == Decision((), None, BOTH)


def test_an_unanswered_initiation_is_sent_again() -> None:
    state = TimerState(retransmit_at=T, gate_opens=T - MILLISECOND)
    assert fires_at(IDLE, state, Action.RETRANSMIT, T)


def test_a_response_sent_meanwhile_delays_the_retransmission() -> None:
    state = TimerState(retransmit_at=T, gate_opens=T + SECOND)
    assert fires_at(IDLE, state, Action.RETRANSMIT, T + SECOND)


@pytest.mark.parametrize("attempts", range(21))
def test_after_nineteen_retransmissions_the_next_expiry_gives_up(attempts: int) -> None:
    state = TimerState(retransmit_at=T, attempts=attempts)
    expected = Action.GIVE_UP if attempts > 18 else Action.RETRANSMIT
    assert fires_at(IDLE, state, expected, T)


def test_data_received_is_answered_within_ten_seconds() -> None:
    traffic = Traffic(last_received=T, unanswered_received=T)
    assert fires_at(traffic, TimerState(), Action.KEEPALIVE, T + 10 * SECOND)


def test_a_keepalive_is_asked_for_once_even_if_it_could_not_be_sent() -> None:
    traffic = Traffic(last_received=T, unanswered_received=T)
    state = TimerState(keepalive_served=T)
    assert due(traffic, state, T + 60 * SECOND) == ()


def test_more_data_meanwhile_means_another_keepalive() -> None:
    traffic = Traffic(last_sent=T, last_received=T - 1)
    state = TimerState(another_keepalive=AnotherKeepalive(due=T + 10 * SECOND, last_sent=T))
    assert fires_at(traffic, state, Action.KEEPALIVE, T + 10 * SECOND)


def test_anything_sent_cancels_the_other_keepalive() -> None:
    state = TimerState(another_keepalive=AnotherKeepalive(due=T + 10 * SECOND, last_sent=T))
    assert due(Traffic(last_sent=T + 1), state, T + 60 * SECOND) == ()


def test_data_sent_and_not_answered_begins_a_new_handshake() -> None:
    traffic = Traffic(last_sent=T, unanswered_sent=T)
    state = TimerState(new_handshake_jitter=100 * MILLISECOND)
    assert fires_at(traffic, state, Action.NEW_HANDSHAKE, T + 15 * SECOND + 100 * MILLISECOND)


def test_keys_are_forgotten() -> None:
    assert fires_at(IDLE, TimerState(zero_keys_at=T), Action.ZERO_KEYS, T)


@pytest.mark.parametrize("last", ["last_sent", "last_received", "base"])
def test_persistent_keepalive_counts_from_the_last_packet_either_way(last: str) -> None:
    state = TimerState(persistent_interval=25 * SECOND, persistent_base=T - 3)
    traffic = Traffic(last_sent=T - 2, last_received=T - 1)
    if last == "base":
        state = replace(state, persistent_base=T)
    elif last == "last_sent":
        traffic = replace(traffic, last_sent=T)
    else:
        traffic = replace(traffic, last_received=T)
    assert fires_at(traffic, state, Action.PERSISTENT_KEEPALIVE, T + 25 * SECOND)


def test_persistent_keepalive_off_is_off() -> None:
    assert decide(LIMITS, Traffic(last_sent=1, last_received=1), TimerState(), T).deadline is None


def test_keys_wanted_at_the_gate_are_asked_for_when_it_opens_if_packets_still_wait() -> None:
    state = TimerState(wanted=Wanted.KEYS, gate_opens=T)
    assert fires_at(Traffic(staged=True), state, Action.INITIATE, T)
    assert decide(LIMITS, Traffic(staged=False), state, T + SECOND) == Decision((), None, BOTH)


def test_a_rekey_wanted_at_the_gate_is_never_lost() -> None:
    state = TimerState(wanted=Wanted.REKEY, gate_opens=T)
    assert fires_at(IDLE, state, Action.INITIATE, T)


def test_several_things_due_come_in_their_order() -> None:
    traffic = Traffic(unanswered_sent=T, unanswered_received=T)
    state = TimerState(zero_keys_at=T, retransmit_at=T, persistent_interval=SECOND)
    assert due(traffic, state, T + 600 * SECOND) == (
        Action.ZERO_KEYS,
        Action.RETRANSMIT,
        Action.NEW_HANDSHAKE,
        Action.KEEPALIVE,
        Action.PERSISTENT_KEEPALIVE,
    )


def test_a_fact_is_watched_only_while_it_could_shorten_the_wait() -> None:
    def watch(deadline: int | None) -> Fact:
        return decide(LIMITS, IDLE, TimerState(zero_keys_at=deadline), T).watch

    assert watch(None) == BOTH
    assert watch(T + 540 * SECOND) == BOTH
    assert watch(T + 15 * SECOND) == Fact.UNANSWERED_RECEIVED
    assert watch(T + 10 * SECOND) == Fact(0)


def test_a_fact_that_is_set_is_not_watched() -> None:
    sent = decide(LIMITS, Traffic(unanswered_sent=T), TimerState(), T)
    assert sent.watch == Fact.UNANSWERED_RECEIVED
    received = decide(LIMITS, Traffic(unanswered_received=T), TimerState(), T)
    assert received.watch == Fact(0), "the deadline in 10 s comes before any in 15 s"


def test_the_limits_are_the_protocols() -> None:
    assert LIMITS.max_retransmits == 18
    assert LIMITS.rekey_after_time_receiving == 165 * SECOND
    assert LIMITS.new_handshake_timeout == 15 * SECOND
    assert LIMITS.zero_keys_after == 540 * SECOND
    assert LIMITS.reject_after_messages == 18446744073709543423
