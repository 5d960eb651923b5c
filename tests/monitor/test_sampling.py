"""pywg/monitor/sampling.py: devices that answer, fail, keep silent and come and go; and no secrets."""

import os
import threading
import time
from collections.abc import Iterator

import pytest

from pywg.monitor.sample import Look, Reading, make_sample
from pywg.monitor.sampling import NothingToSeeError, Sampler
from pywg.uapi.client import AccessDeniedError, NotRunningError, UapiError
from pywg.uapi.model import DeviceChange, DeviceState, PeerState, PeerStatus, Status

PATIENCE = 5.0


class Device:
    """A `pywg.control.Control` that does as it is told."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.state = DeviceState(listen_port=1)
        self.reply: Status | None = None
        self.error: Exception | None = None
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.asked: list[str] = []

    def get(self) -> DeviceState:
        self.asked.append("get")
        self.may_answer.wait(60)
        if self.error is not None:
            raise self.error
        return self.state

    def status(self) -> Status | None:
        self.asked.append("status")
        return self.reply

    def set(self, change: DeviceChange) -> None:
        raise AssertionError("a monitor changes nothing")


class Machine:
    """Devices by name."""

    def __init__(self, *names: str) -> None:
        self.devices = {name: Device(name) for name in names}
        self.opened: list[str] = []
        self.error: Exception | None = None

    def find(self) -> list[str]:
        if self.error is not None:
            raise self.error
        return sorted(self.devices)

    def open(self, name: str) -> Device:
        self.opened.append(name)
        return self.devices[name]

    def sampler(self, *names: str, rest: float = 0) -> Sampler:
        return Sampler(names, rest=rest, find=self.find, open_control=self.open)


@pytest.fixture
def machine() -> Iterator[Machine]:
    made = Machine("wg0", "wg1")
    yield made
    for device in made.devices.values():
        device.may_answer.set()


def reading(look: Look, name: str) -> Reading:
    return next(each for each in look.readings if each.name == name)


def test_all_there_are_or_those_that_were_named(machine: Machine) -> None:
    assert [each.name for each in machine.sampler().look(PATIENCE).readings] == ["wg0", "wg1"]
    assert [each.name for each in machine.sampler("wg1", "wg1").look(PATIENCE).readings] == ["wg1"]


def test_interfaces_come_and_go(machine: Machine) -> None:
    sampler = machine.sampler()
    sampler.look(PATIENCE)
    machine.devices["wg2"] = Device("wg2")
    del machine.devices["wg0"]
    look = sampler.look(PATIENCE)
    assert [each.name for each in look.readings] == ["wg1", "wg2"]
    assert all(each.sample is not None for each in look.readings)


def test_a_silent_device_holds_up_nobody_and_is_asked_once(machine: Machine) -> None:
    sampler, stuck = machine.sampler(), machine.devices["wg0"]
    sampler.look(PATIENCE)
    stuck.may_answer.clear()
    sampler.look(1)
    began = time.monotonic()
    for _ in range(3):
        look = sampler.look(PATIENCE)
    assert time.monotonic() - began < PATIENCE, "only who is asked anew is waited for"
    assert stuck.asked.count("get") == 2
    silent, other = reading(look, "wg0"), reading(look, "wg1")
    assert silent.waiting > 0
    assert silent.sample is not None, "the last answer is kept"
    assert (other.waiting, other.problem) == (0, "")
    assert machine.devices["wg1"].asked.count("get") == 5
    stuck.may_answer.set()
    deadline = time.monotonic() + PATIENCE
    while sampler.look(0.1).readings[0].waiting and time.monotonic() < deadline:
        time.sleep(0.01)
    assert reading(sampler.look(PATIENCE), "wg0").waiting == 0


def test_a_failure_is_told_and_the_device_opened_anew(machine: Machine) -> None:
    sampler, dying = machine.sampler("wg0"), machine.devices["wg0"]
    sampler.look(PATIENCE)
    dying.error = NotRunningError("wg0: not running")
    look = sampler.look(PATIENCE)
    assert reading(look, "wg0").problem == "wg0: not running"
    dying.error = None
    assert reading(sampler.look(PATIENCE), "wg0").problem == ""
    assert machine.opened == ["wg0", "wg0"]


def test_a_fault_of_ours_is_told_and_is_not_the_end(machine: Machine) -> None:
    machine.devices["wg0"].error = ZeroDivisionError("never show what may hold a secret")
    look = machine.sampler().look(PATIENCE)
    assert reading(look, "wg0").problem.startswith("unforeseen: ZeroDivisionError")
    assert reading(look, "wg1").sample is not None


def test_who_does_not_tell_its_status_is_asked_for_it_once(machine: Machine) -> None:
    """wireguard-go writes every operation that it does not know to its log."""
    sampler = machine.sampler("wg0", "wg1")
    machine.devices["wg1"].reply = Status("native", "")
    for _ in range(3):
        sampler.look(PATIENCE)
    assert machine.devices["wg0"].asked == ["status", "get", "get", "get"]
    assert machine.devices["wg1"].asked == ["status", "get"] * 3


def test_asking_what_costs_much_is_done_less_often(machine: Machine) -> None:
    sampler = machine.sampler("wg0", rest=10**6)
    for _ in range(5):
        look = sampler.look(PATIENCE)
    assert machine.devices["wg0"].asked.count("get") == 1
    assert look.readings[0].sample is not None


def test_who_may_see_nothing_is_told_so(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    for device in machine.devices.values():
        device.error = AccessDeniedError(f"{device.name}: permission denied; try again as root")
    sampler = machine.sampler()
    sampler.look(PATIENCE)
    with pytest.raises(NothingToSeeError, match="wg0: permission denied"):
        sampler.check()
    machine.devices["wg1"].error = None
    sampler.look(PATIENCE)
    sampler.check()

    machine.devices.clear()
    sampler.look(PATIENCE)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(NothingToSeeError, match="try again as root"):
        sampler.check()


def test_what_cannot_be_found_is_told(machine: Machine) -> None:
    sampler = machine.sampler()
    machine.error = UapiError("cannot read the directory")
    assert sampler.look(PATIENCE).problem == "cannot read the directory"
    sampler.check()
    machine.error = AccessDeniedError("cannot read the directory: permission denied")
    sampler.look(PATIENCE)
    with pytest.raises(NothingToSeeError, match="permission denied"):
        sampler.check()


def test_no_secret_is_kept() -> None:
    private, preshared, public = os.urandom(32), os.urandom(32), os.urandom(32)
    state = DeviceState(private_key=private, peers=(PeerState(public, preshared_key=preshared),))
    status = Status("native", "", peers=(PeerStatus(public, drops={"replay": 1}),))
    kept = repr(make_sample(state, status, 0.0))
    assert repr(public) in kept, "repr shows all there is"
    assert repr(private) not in kept
    assert repr(preshared) not in kept


def test_counts_of_peers_and_of_the_device_are_one() -> None:
    key, other = bytes(32), bytes([1] * 32)
    status = Status(
        "native",
        "",
        drops={"no_route": 1, "aead_failure": 2},
        peers=(
            PeerStatus(key, drops={"aead_failure": 3}, handshake_failures={"aead_failure": 4}),
            PeerStatus(other, icmp_errors={111: 5, 9999: 6}),
        ),
    )
    sample = make_sample(DeviceState(peers=(PeerState(key), PeerState(other))), status, 0.0)
    assert sample.status is not None
    assert sample.status.drops == {"no_route": 1, "aead_failure": 5}
    assert sample.status.handshake_failures == {"aead_failure": 4}
    assert [peer.troubles for peer in sample.peers] == [
        {"aead_failure": 3, "handshake:aead_failure": 4},
        {"ECONNREFUSED": 5, "E9999": 6},
    ]


def test_a_device_that_tells_endless_causes_is_cut_short() -> None:
    status = Status("native", "", drops={f"cause{number}": 1 for number in range(10_000)})
    sample = make_sample(DeviceState(), status, 0.0)
    assert sample.status is not None
    assert len(sample.status.drops) < 100
