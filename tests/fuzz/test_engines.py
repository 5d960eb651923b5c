"""Hostile datagrams on real sockets, against a device with either engine."""

import socket
from collections.abc import Iterator
from random import Random

import pytest

from pywg.endpoint import Endpoint
from pywg.protocol.constants import COOKIE_REPLY_SIZE, INITIATION_SIZE, RESPONSE_SIZE, MessageType
from pywg.protocol.cookie import mac1_key
from tests.device.host import Host, passes, wait
from tests.fuzz.test_udp import with_mac1
from tests.needs import ENGINES, need_engine

DATAGRAMS = 60_000
BURST = 200


@pytest.fixture(params=ENGINES)
def hosts(request: pytest.FixtureRequest) -> Iterator[tuple[Host, Host]]:
    need_engine(request.param)
    one, two = (Host(request.param, number) for number in (1, 2))
    one.knows(two)
    two.knows(one, endpoint=False)
    yield one, two
    for host in (one, two):
        host.close()


def hostile(random: Random, key: bytes) -> bytes:
    """A datagram as anybody can make it who knows the public key `key` is of."""
    kind, size = random.choice(
        ((MessageType.INITIATION, INITIATION_SIZE), (MessageType.RESPONSE, RESPONSE_SIZE))
    )
    match random.randrange(6):
        case 0:
            return with_mac1(key, bytes([kind, 0, 0, 0]) + random.randbytes(size - 36))
        case 1:
            return bytes([kind, 0, 0, 0]) + random.randbytes(size - 4)
        case 2:
            return bytes([3, 0, 0, 0]) + random.randbytes(COOKIE_REPLY_SIZE - 4)
        case 3:
            return bytes([4, 0, 0, 0]) + random.randbytes(random.choice((28, 44, 1_400)))
        case 4:
            return bytes([random.randrange(256), *random.randbytes(3)]) + random.randbytes(
                random.randrange(200)
            )
        case _:
            return random.randbytes(random.randrange(1_500))


def test_a_device_stays_up_and_counts_everything(hosts: tuple[Host, Host]) -> None:
    _, two = hosts
    passes(hosts)
    random, key = Random(7), mac1_key(two.public_key)
    told = two.device.get_status
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as attacker:
        attacker.bind(("127.0.0.1", 0))
        attacker.connect(("127.0.0.1", two.port))
        attacker.setblocking(False)
        answered = 0
        for sent in range(BURST, DATAGRAMS + 1, BURST):
            for _ in range(BURST):
                attacker.send(hostile(random, key))

            def handled(count: int = sent) -> bool:
                status = told()
                refused = sum(
                    count for name, count in status.handshake_failures.items() if name != "queue_full"
                )
                return sum(status.drops.values()) + refused >= count

            wait(hosts, handled)
            answered += assert_cookies(attacker)
        status = told()
        assert answered <= status.handshake_failures.get("cookie", 0)
    (peer,) = two.device.get_state().peers
    assert peer.endpoint == Endpoint("127.0.0.1", hosts[0].port)
    assert not two.log.error_lines
    assert two.device._handshakes.indices_in_use == 1
    passes(hosts)


def assert_cookies(attacker: socket.socket) -> int:
    """What came back are cookie replies; returns how many."""
    count = 0
    while True:
        try:
            answer = attacker.recv(65_536)
        except BlockingIOError:
            return count
        assert (len(answer), answer[0]) == (COOKIE_REPLY_SIZE, MessageType.COOKIE_REPLY)
        count += 1
