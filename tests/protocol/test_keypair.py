"""When a keypair may be used, and how keypairs move through the slots, over all short histories."""

import itertools

import pytest

from pywg.protocol.constants import Limits
from pywg.protocol.keypair import Keypair, KeypairSlots

LIMITS = Limits()
BORN = 1_000


def keypair(index: int = 1, *, is_initiator: bool = True, counter: int = 0) -> Keypair[str]:
    return Keypair(
        "owner",
        send_key=b"\xaa" * 32,
        receive_key=b"\xbb" * 32,
        local_index=index,
        remote_index=index + 1000,
        is_initiator=is_initiator,
        born=BORN,
        counter=counter,
        limits=LIMITS,
    )


@pytest.mark.parametrize(
    ("age", "counter", "may_send", "usable"),
    [
        (0, 0, True, True),
        (LIMITS.reject_after_time - 1, 0, True, True),
        (LIMITS.reject_after_time, 0, True, False),
        (0, LIMITS.reject_after_messages - 1, True, True),
        (0, LIMITS.reject_after_messages, True, False),
        (0, 0, False, False),
    ],
)
def test_can_send(age: int, counter: int, may_send: bool, usable: bool) -> None:
    pair = keypair(counter=counter)
    pair.may_send = may_send
    assert pair.can_send(BORN + age, LIMITS) is usable


@pytest.mark.parametrize(
    ("age", "counter", "is_initiator", "after_sending", "after_receiving"),
    [
        (0, LIMITS.rekey_after_messages, True, False, False),
        (0, LIMITS.rekey_after_messages + 1, True, True, False),
        (0, LIMITS.rekey_after_messages + 1, False, True, False),
        (LIMITS.rekey_after_time - 1, 0, True, False, False),
        (LIMITS.rekey_after_time, 0, True, True, False),
        (LIMITS.rekey_after_time, 0, False, False, False),
        (LIMITS.rekey_after_time_receiving - 1, 0, True, True, False),
        (LIMITS.rekey_after_time_receiving, 0, True, True, True),
        (LIMITS.rekey_after_time_receiving, 0, False, False, False),
    ],
)
def test_rekey(
    age: int, counter: int, is_initiator: bool, after_sending: bool, after_receiving: bool
) -> None:
    pair = keypair(is_initiator=is_initiator, counter=counter)
    assert pair.wants_rekey_after_sending(BORN + age, LIMITS) is after_sending
    assert pair.wants_rekey_after_receiving(BORN + age, LIMITS) is after_receiving


def test_repr_tells_no_key() -> None:
    pair = keypair()
    assert "aaaa" not in repr(pair)
    assert not hasattr(pair, "__dict__")


def slots(*, previous: bool, current: bool, unconfirmed: bool) -> KeypairSlots[str]:
    made: KeypairSlots[str] = KeypairSlots()
    made.previous = keypair(1) if previous else None
    made.current = keypair(2) if current else None
    made.next = keypair(3) if unconfirmed else None
    return made


def indices(made: KeypairSlots[str]) -> list[int | None]:
    return [None if pair is None else pair.local_index for pair in (made.previous, made.current, made.next)]


@pytest.mark.parametrize("held", list(itertools.product((False, True), repeat=3)))
def test_initiator_rotation(held: tuple[bool, bool, bool]) -> None:
    """previous = next if there is one, else the old current; current = new; next is empty."""
    made = slots(previous=held[0], current=held[1], unconfirmed=held[2])
    gone = [pair.local_index for pair in made.install_current(keypair(9))]
    kept = 3 if held[2] else (2 if held[1] else None)
    assert indices(made) == [kept, 9, None]
    expected = [1] if held[0] else []
    if held[2] and held[1]:
        expected.append(2)
    assert gone == expected


@pytest.mark.parametrize("held", list(itertools.product((False, True), repeat=3)))
def test_responder_rotation(held: tuple[bool, bool, bool]) -> None:
    """next = new; current stays in use; previous and an unconfirmed next go."""
    made = slots(previous=held[0], current=held[1], unconfirmed=held[2])
    gone = [pair.local_index for pair in made.install_next(keypair(9))]
    assert indices(made) == [None, 2 if held[1] else None, 9]
    assert gone == [index for index, there in ((1, held[0]), (3, held[2])) if there]


@pytest.mark.parametrize("held", list(itertools.product((False, True), repeat=2)))
def test_confirmation(held: tuple[bool, bool]) -> None:
    made = slots(previous=held[0], current=held[1], unconfirmed=True)
    gone = [pair.local_index for pair in made.confirm_next()]
    assert indices(made) == [2 if held[1] else None, 3, None]
    assert gone == ([1] if held[0] else [])


def test_no_history_loses_or_invents_a_keypair() -> None:
    """All histories of five steps: what was let go of and what is held is what was put in, each once."""
    for history in itertools.product(("current", "next", "confirm", "drop"), repeat=5):
        made: KeypairSlots[str] = KeypairSlots()
        gone: list[int] = []
        put_in = 0
        for step in history:
            if step == "current":
                put_in += 1
                released = made.install_current(keypair(put_in))
            elif step == "next":
                put_in += 1
                released = made.install_next(keypair(put_in))
            elif step == "confirm" and made.next is not None:
                released = made.confirm_next()
            elif step == "drop":
                released = made.drop()
            else:
                continue
            gone += [pair.local_index for pair in released]
        held = [index for index in indices(made) if index is not None]
        assert sorted(gone + held) == list(range(1, put_in + 1)), history


def test_key_change_stops_sending_under_all_but_receives() -> None:
    made = slots(previous=True, current=True, unconfirmed=True)
    made.expire_sending()
    assert made.current is not None
    assert made.next is not None
    assert not made.current.may_send
    assert not made.next.may_send
    assert indices(made) == [1, 2, 3]


def test_after_a_key_change_no_rekey_is_wanted_for_what_comes_in() -> None:
    """The new handshake was asked for by the key change itself (kernel keep_key_fresh)."""
    pair = keypair()
    pair.may_send = False
    assert not pair.wants_rekey_after_receiving(BORN + LIMITS.rekey_after_time_receiving, LIMITS)
