"""Names of endpoints: which failures are final, and how long we try again after the others."""

import errno
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pywg.config.model import COMMAND_LINE, ConfigError, HostPort
from pywg.endpoint import Endpoint
from pywg.net import resolve
from pywg.net.resolve import ResolveError, look_up, resolver, retries_wanted

HOST = HostPort("vpn.example", "51820", line=7)
FOUND = [(socket.AF_INET, socket.SOCK_DGRAM, 17, "", ("192.0.2.1", 51820))]


class Resolver:
    """Stands in for the system's: fails with the given errors, one a call, then finds."""

    def __init__(self, *errors: Exception) -> None:
        self.calls: list[tuple[object, ...]] = []
        self._errors: Iterator[Exception] = iter(errors)

    def __call__(self, *arguments: object, **_: object) -> list[Any]:
        self.calls.append(arguments)
        for error in self._errors:
            raise error
        return FOUND


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Resolver]:
    def install(*errors: Exception) -> Resolver:
        made = Resolver(*errors)
        monkeypatch.setattr(socket, "getaddrinfo", made)
        return made

    return install


def again() -> socket.gaierror:
    return socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


@pytest.mark.parametrize(
    ("host", "port", "expected"),
    [
        ("192.0.2.1", "5", Endpoint("192.0.2.1", 5)),
        ("2001:DB8::1", "5", Endpoint("2001:db8::1", 5)),
        ("127.1", "0", Endpoint("127.0.0.1", 0)),
        ("fe80::1%lo", "5", Endpoint("fe80::1", 5, socket.if_nametoindex("lo"))),
        ("::ffff:192.0.2.1", "5", Endpoint.parse("[::ffff:192.0.2.1]:5")),
        ("192.0.2.1", "domain", Endpoint("192.0.2.1", 53)),
        ("localhost", "5", look_up(HostPort("localhost", "5"))[0]),
    ],
)
def test_what_needs_no_name_server(host: str, port: str, expected: Endpoint) -> None:
    assert resolve.resolve(HostPort(host, port), 0, tell=pytest.fail) == expected


def test_the_first_address_counts(system: Callable[..., Resolver]) -> None:
    asked = system()
    assert resolver(tell=print, environ={})(HOST) == Endpoint("192.0.2.1", 51820)
    assert asked.calls == [(b"vpn.example", "51820")]


def test_pauses_grow_to_20_seconds_and_the_last_failure_is_told(system: Callable[..., Resolver]) -> None:
    asked = system(*(again() for _ in range(100)))
    pauses: list[float] = []
    told: list[str] = []
    with pytest.raises(ResolveError) as failed:
        resolver("/etc/wireguard/wg0.conf", environ={}, tell=told.append, sleep=pauses.append)(HOST)
    assert str(failed.value) == (
        "/etc/wireguard/wg0.conf:7: Endpoint 'vpn.example:51820': Temporary failure in name resolution; "
        "expected a name server that answers; is the network up?"
    )
    assert len(asked.calls) == 16
    assert pauses == pytest.approx([*(1.2**n for n in range(15))], rel=1e-9)
    assert told[1] == (
        "Endpoint 'vpn.example:51820': Temporary failure in name resolution; trying again in 1.20 seconds"
    )


def test_no_pause_is_longer_than_20_seconds_and_infinity_does_not_end(
    system: Callable[..., Resolver],
) -> None:
    system(*(again() for _ in range(60)))
    pauses: list[float] = []
    wanted = {"WG_ENDPOINT_RESOLUTION_RETRIES": "infinity"}
    found = resolver(environ=wanted, tell=lambda _: None, sleep=pauses.append)(HOST)
    assert found == Endpoint("192.0.2.1", 51820)
    assert len(pauses) == 60
    assert pauses[16:] == [pytest.approx(1.2**16), *[20.0] * 43]


def test_it_may_come_right(system: Callable[..., Resolver]) -> None:
    system(again(), OSError(errno.ENETUNREACH, "Network is unreachable"))
    assert resolve.resolve(HOST, 2, tell=lambda _: None, sleep=lambda _: None).port == 51820


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            "Name or service not known; expected an address or a name that the name servers know",
        ),
        (
            socket.gaierror(socket.EAI_NODATA, "No address"),
            "No address; expected an address or a name that the name servers know",
        ),
        (
            socket.gaierror(socket.EAI_FAIL, "Failed"),
            "Failed; expected an address or a name that the name servers know",
        ),
        (
            socket.gaierror(socket.EAI_SERVICE, "Servname"),
            "Servname; expected a port's number or the name of a UDP service after the last colon",
        ),
        (
            UnicodeEncodeError("utf-8", "x", 0, 1, "no"),
            "this cannot be a name; expected an address or a name that the name servers know",
        ),
    ],
)
def test_errors_that_are_final(system: Callable[..., Resolver], error: Exception, problem: str) -> None:
    asked = system(error)
    with pytest.raises(ResolveError) as failed:
        resolve.resolve(HostPort("a", "b"), None, tell=pytest.fail, sleep=lambda _: pytest.fail("waited"))
    assert str(failed.value) == f"{COMMAND_LINE}: Endpoint 'a:b': {problem}"
    assert len(asked.calls) == 1


def test_other_errors_are_not_final(system: Callable[..., Resolver]) -> None:
    for error in (socket.gaierror(socket.EAI_MEMORY, "x"), OSError(errno.EMFILE, "x"), again()):
        asked = system(error)
        assert resolve.resolve(HOST, 1, tell=lambda _: None, sleep=lambda _: None)
        assert len(asked.calls) == 2


@pytest.mark.parametrize("host", ["a\0b", "\udcff", "x" * 300, ""])
def test_what_cannot_be_a_name_is_refused_at_once(host: str) -> None:
    with pytest.raises(ResolveError):
        resolve.resolve(HostPort(host, "5"), 0, tell=pytest.fail)


def test_other_letters_are_left_as_they_are(system: Callable[..., Resolver]) -> None:
    """Python would translate them (IDNA), wg does not."""
    asked = system()
    resolve.resolve(HostPort("bücher.example", "5"), 0, tell=pytest.fail)
    assert asked.calls[0][0] == "bücher.example".encode()


@pytest.mark.parametrize(
    ("host", "is_shown"),
    [
        ("yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=", False),
        ("yAnz5TF+lXXJte14tji3zlMN", False),
        ("yAnz5TF-lXXJte14tji3zlMNq-hd2rYUIgJBgB3f_mk=", False),
        ("ab" * 32, False),
        ("the-router-in-the-cellar-behind-the-mountains.example", True),
        ("the-router-in-the-cellar.my-home.example", True),
        ("myserverbehindthemountains.dyndns.example", True),
        ("MYSERVERBEHINDTHEMOUNTAINS.example", True),
    ],
)
def test_a_wrong_name_is_shown_unless_it_may_be_a_key(
    system: Callable[..., Resolver], host: str, is_shown: bool
) -> None:
    system(socket.gaierror(socket.EAI_NONAME, "Name or service not known"))
    with pytest.raises(ResolveError) as failed:
        resolve.resolve(HostPort(host, "5"), 0, tell=pytest.fail)
    assert (host in str(failed.value)) == is_shown
    assert (host[:8] in str(failed.value)) == is_shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, 15),
        ("0", 0),
        ("3", 3),
        ("infinity", None),
        ("2147483647", 2147483647),
        # As strtoul(3), which wg asks.
        ("", 0),
        ("+3", 3),
        (" \t\n\v\f\r3", 3),
        ("-0", 0),
        ("0000000000003", 3),
    ],
)
def test_how_often(text: str | None, expected: int | None) -> None:
    assert retries_wanted({} if text is None else {"WG_ENDPOINT_RESOLUTION_RETRIES": text}) == expected


@pytest.mark.parametrize(
    "text", ["x", "-1", "1.5", "Infinity", "2147483648", "9" * 5000, " ", "+", "3 ", "+ 3", "\u0663"]
)
def test_how_often_is_no_number(text: str, system: Callable[..., Resolver]) -> None:
    asked = system()
    with pytest.raises(
        ConfigError, match=r"^WG_ENDPOINT_RESOLUTION_RETRIES: .*expected a number or infinity$"
    ):
        resolver(tell=print, environ={"WG_ENDPOINT_RESOLUTION_RETRIES": text})(HOST)
    assert asked.calls == []
