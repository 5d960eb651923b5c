"""A fault of the native engine's own, in daemons that move packets: see tests/daemon/faulty_daemon.py.

Comes in: faults in either thread of either end, while TCP runs. Goes out: the same TCP with its hash, pings
afterwards, and what the log says. Rule: a fault costs a batch and one line, and the line tells no secret.
"""

import os
import re
import signal
from base64 import b64decode
from itertools import cycle

import pytest

from pywg.uapi.client import UapiClient
from tests.netns.daemon import Program, new_preshared_key
from tests.netns.lab import End, Lab, Tunnel
from tests.netns.traffic import Receiver, Sender, assert_pings, assert_transfers
from tests.netns.wait import until

SIZE = 10_000_000
FAULT_OF = {"helper": signal.SIGUSR1, "first": signal.SIGUSR2}
LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (\S+): ")
TOLD = "error: the engine met a fault of its own"


@pytest.fixture
def preshared_key() -> str:
    return new_preshared_key()


@pytest.fixture
def tunnel(lab_of_both: Lab, preshared_key: str) -> Tunnel:
    faulty = Program.FAULTY
    made = lab_of_both.tunnel(faulty, faulty, preshared_key=preshared_key, engines=("native", "native"))
    assert_pings(made.initiator.namespace, made.responder.addresses.inner4)
    return made


def told(end: End) -> int:
    return end.daemon.log().count(TOLD)


def meet_fault(end: End, number: signal.Signals) -> None:
    before = told(end)
    os.kill(end.daemon.process.pid, number)
    until(lambda: told(end) == before + 1, "the fault is told", seconds=15, every=0.01)


def test_tcp_survives_faults_of_all_threads(tunnel: Tunnel) -> None:
    """Ten in each thread of each end; what they cost is sent again, and keys and counters stay right."""
    one, two = tunnel.initiator, tunnel.responder
    address, port = two.addresses.inner4, 5001
    with (
        Receiver(two.namespace, address, port) as receiver,
        Sender(one.namespace, address, port, 100 * SIZE, per_second=SIZE // 2) as sender,
    ):
        wishes = cycle([(end, number) for end in (one, two) for number in FAULT_OF.values()])
        for (end, number), _ in zip(wishes, range(40), strict=False):
            meet_fault(end, number)
        sender.enough()
        sent, received = sender.end(30), receiver.end(30)
    assert (received.size, received.sha256) == (sent.size, sent.sha256)
    for source, target in ((one, two), (two, one)):
        assert_pings(source.namespace, target.addresses.inner6)
        assert_transfers(source.namespace, target.namespace, target.addresses.inner6, SIZE // 10)
    assert (told(one), told(two)) == (20, 20)


@pytest.mark.parametrize("thread", FAULT_OF)
def test_a_new_session_is_made_after_a_fault(tunnel: Tunnel, thread: str) -> None:
    """Sockets and all keys are new after it: the interface goes down and up."""
    one, two = tunnel.initiator, tunnel.responder
    for end in (one, two):
        meet_fault(end, FAULT_OF[thread])
    for state in ("down", "up"):
        one.namespace.ip("link", "set", one.daemon.interface, state)
        one.daemon.until_link_is(state)
    meet_fault(one, FAULT_OF[thread])
    assert_pings(one.namespace, two.addresses.inner4, count=10)
    assert_pings(two.namespace, one.addresses.inner4, count=10)


@pytest.mark.parametrize("thread", FAULT_OF)
def test_a_fault_is_one_line_without_secrets(tunnel: Tunnel, thread: str, preshared_key: str) -> None:
    """No report of Rust's runtime: writing it blocks where nobody reads, and its text may hold a value."""
    for end in (tunnel.initiator, tunnel.responder):
        before = end.daemon.log().splitlines()
        meet_fault(end, FAULT_OF[thread])
        assert_pings(end.namespace, end.addresses.inner4, count=1)
        after = end.daemon.log()
        added = after.splitlines()[len(before) :]
        ours = [line for line in added if (found := LINE.match(line)) and found[1] == end.daemon.interface]
        assert added == ours, "every line is of our log"
        assert [TOLD in line for line in added].count(True) == 1
        for secret in (end.keys.private, preshared_key):
            assert secret not in after
            assert b64decode(secret).hex() not in after.lower()
        status = UapiClient(end.daemon.interface).status()
        assert status is not None
        assert re.fullmatch(r"[\w/.-]+\.rs:\d+", status.details["last_fault"]), "where it was, and no more"
