"""pywg/monitor/units.py: numbers, ages and foreign text in columns."""

import math
from base64 import b64encode

import pytest

from pywg.endpoint import Endpoint
from pywg.monitor.units import (
    COUNT_WIDTH,
    SIZE_WIDTH,
    age,
    clean,
    quantity,
    short_endpoint,
    short_key,
    short_prefixes,
    size,
)
from pywg.uapi import values


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (0.3, "<1 B"),
        (532, "532 B"),
        (1023, "1023 B"),
        (1023.6, "1.00 KiB"),
        (1024, "1.00 KiB"),
        (10_234, "9.99 KiB"),
        (10_240, "10.0 KiB"),
        (102_400, "100 KiB"),
        (1023.4 * 1024, "1023 KiB"),
        (1024 * 1024 - 1, "1.00 MiB"),
        (3 << 30, "3.00 GiB"),
        (2**64 - 1, "16.0 EiB"),
    ],
)
def test_size(count: float, text: str) -> None:
    assert size(count) == text


def test_no_size_is_wider_than_its_column() -> None:
    counts = [math.exp(step / 100) for step in range(4437)]
    assert max(len(size(count)) for count in counts) == SIZE_WIDTH
    assert max(len(quantity(count)) for count in counts) == COUNT_WIDTH


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0"), (999, "999"), (1000, "1.00k"), (12_345, "12.3k"), (35e6, "35.0M")]
)
def test_quantity(count: float, text: str) -> None:
    assert quantity(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (179.9, "179 s"),
        (180, "3 min"),
        (7199, "119 min"),
        (7200, "2 h"),
        (2 * 86400 - 1, "47 h"),
        (2 * 86400, "2 d"),
        (20_000 * 86400, "20.0k d"),
    ],
)
def test_age(seconds: float, text: str) -> None:
    assert age(int(seconds * 1e9)) == text


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain [bold]text[/]", "plain [bold]text[/]"),
        ("\x1b[2J\x07\x9b\x7f\r\n\t", "?[2J??????"),
        ("\u202egnihtyreve\u200b\u0301", "?gnihtyreve??"),
        ("\U0001f389\udcff", "??"),
        ("x" * 300, "x" * 200),
    ],
)
def test_clean(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


def test_a_key_is_known_by_its_beginning() -> None:
    key = bytes(range(32))
    assert short_key(key, "…") == b64encode(key).decode()[:8] + "…"


@pytest.mark.parametrize(
    ("endpoint", "width", "text"),
    [
        (None, 16, "(none)"),
        (Endpoint("192.0.2.1", 51820), 16, "192.0.2.1:51820"),
        (Endpoint("198.51.100.138", 51820), 16, "198.5….138:51820"),
        (Endpoint("2001:db8:1:2:3:4:5:6", 51820), 21, "[2001:d…:4:5:6]:51820"),
    ],
)
def test_an_endpoint_loses_its_middle(endpoint: Endpoint | None, width: int, text: str) -> None:
    assert short_endpoint(endpoint, width, "…") == text


PREFIXES = tuple(values.prefix(text) for text in ("10.0.0.2/32", "10.1.0.0/16", "fd00::2/128"))


@pytest.mark.parametrize(
    ("count", "width", "text"),
    [
        (0, 16, "(none)"),
        (1, 16, "10.0.0.2/32"),
        (2, 24, "10.0.0.2/32, 10.1.0.0/16"),
        (2, 23, "10.0.0.2/32 +1"),
        (3, 16, "10.0.0.2/32 +2"),
        (3, 27, "10.0.0.2/32, 10.1.0.0/16 +1"),
        (3, 12, "10.0.0.2… +2"),
        (3, 100, "10.0.0.2/32, 10.1.0.0/16, fd00::2/128"),
    ],
)
def test_prefixes(count: int, width: int, text: str) -> None:
    assert short_prefixes(PREFIXES[:count], width, "…") == text
