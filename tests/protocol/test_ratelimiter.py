"""The token bucket of handshakes under load."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pywg.protocol.constants import SECOND, Limits
from pywg.protocol.ratelimiter import RateLimiter
from tests.vectors import load

KNOWN = load("ratelimiter")
START = 1_000 * SECOND
SOURCES = [ip_address(text).packed for text in ("192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8:0:1::1")]


def test_defaults_are_the_known_ones() -> None:
    limits = Limits()
    assert (limits.packets_per_second, limits.packets_burst) == (KNOWN["packets_per_second"], KNOWN["burst"])


def test_known_answers_for_each_source_on_its_own() -> None:
    limiter = RateLimiter(Limits())
    now = START
    for step in KNOWN["steps"]:
        now += step["wait_ns"]
        for source in SOURCES:
            assert [limiter.allow(source, now) for _ in step["allowed"]] == step["allowed"]


def test_one_bucket_for_a_slash_64() -> None:
    limiter = RateLimiter(Limits())
    network = ip_address("2001:db8:1:2::").packed[:8]
    # An odd factor spreads the hosts over all 64 bits and keeps them distinct.
    hosts = ((number * 0x9E3779B97F4A7C15) % 2**64 for number in range(1_000_000))
    allowed = sum(limiter.allow(network + host.to_bytes(8, "big"), START) for host in hosts)
    assert (allowed, len(limiter)) == (5, 1)


def test_neighbouring_slash_64_is_another_source() -> None:
    limiter = RateLimiter(Limits())
    for text in ("2001:db8::ffff:ffff:ffff:ffff", "2001:db8:0:1::"):
        assert [limiter.allow(ip_address(text).packed, START) for _ in range(6)] == [True] * 5 + [False]


def test_full_table_refuses_new_sources_only() -> None:
    limiter = RateLimiter(Limits(ratelimiter_entries=3))
    assert [limiter.allow(bytes([10, 0, 0, n]), START) for n in range(5)] == [True, True, True, False, False]
    assert limiter.allow(bytes([10, 0, 0, 0]), START)
    assert len(limiter) == 3


def test_idle_sources_are_dropped_after_a_second() -> None:
    limiter = RateLimiter(Limits(ratelimiter_entries=2))
    old, busy, new = (bytes([10, 0, 0, n]) for n in range(3))
    limiter.allow(busy, START)
    limiter.allow(old, START)
    limiter.allow(busy, START + SECOND // 2)
    assert not limiter.allow(new, START + SECOND)
    assert limiter.allow(new, START + SECOND + 1)
    assert len(limiter) == 2
    assert limiter.allow(bytes([10, 0, 0, 9]), START + 10 * SECOND)
    assert len(limiter) == 1


def test_refused_packets_keep_an_entry() -> None:
    """A source that floods on is not forgotten because all it sends is refused."""
    limiter = RateLimiter(Limits(packets_per_second=1, packets_burst=1))
    assert [limiter.allow(SOURCES[0], START + n) for n in range(100)] == [True] + [False] * 99
    assert not limiter.allow(SOURCES[0], START + SECOND - 1)


@pytest.mark.parametrize("per_second", [1, 2, 5])
def test_forgetting_hands_out_no_tokens(per_second: int) -> None:
    """With buckets that take longer than a second to fill, forgetting at one second would refill them."""
    limiter = RateLimiter(Limits(packets_per_second=per_second, packets_burst=10))
    for _ in range(10):
        assert limiter.allow(SOURCES[0], START)
    # Somebody else's packet is what cleans up.
    limiter.allow(SOURCES[1], START + SECOND + 1)
    regained = [limiter.allow(SOURCES[0], START + SECOND + 1) for _ in range(10)]
    assert regained == [True] * per_second + [False] * (10 - per_second)


@given(
    st.lists(
        st.tuples(
            st.integers(0, len(SOURCES) - 1), st.integers(0, SECOND // 10) | st.integers(0, 2 * SECOND)
        ),
        max_size=200,
    )
)
def test_never_more_than_burst_and_rate(packets: list[tuple[int, int]]) -> None:
    """For every source and every interval: at most 5 + 20/s; and a packet after 50 quiet ms passes."""
    limiter = RateLimiter(Limits())
    passed: dict[int, list[int]] = {}
    last: dict[int, int] = {}
    now = START
    for number, wait in packets:
        now += wait
        allowed = limiter.allow(SOURCES[number], now)
        if now - last.get(number, -SECOND) >= SECOND // 20:
            assert allowed
        last[number] = now
        if allowed:
            passed.setdefault(number, []).append(now)
    for times in passed.values():
        for begin, first in enumerate(times):
            for end in range(begin, len(times)):
                assert end - begin + 1 <= 5 + 20 * (times[end] - first) / SECOND
