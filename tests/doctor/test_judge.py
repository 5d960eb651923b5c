"""The judgement as a table: facts in, one finding out, and nothing beside it that it explains."""

import itertools
import re
from dataclasses import replace
from ipaddress import ip_network

import pytest

from pywg.doctor.facts import (
    ConfigFacts,
    Facts,
    ForwardingFacts,
    InterfaceFacts,
    LinkFacts,
    MachineFacts,
    RouteFacts,
    Runner,
)
from pywg.doctor.findings import EXPLAINS, Code, Finding, Severity
from pywg.doctor.judge import ILL, NOT_LOOKED, WELL, exit_status, judge
from pywg.endpoint import Endpoint
from pywg.uapi.model import StrangerStatus
from tests.doctor.cases import CASES
from tests.doctor.patients import (
    ENDPOINT,
    MACHINE,
    OTHER,
    STRANGER,
    THEIRS,
    TRIED,
    Case,
    interface,
    of,
    of_peer,
    peer,
    recent,
    told,
)
from tests.doctor.patients import WELL as WELL_PEER

COMMAND_AT_THE_END = re.compile(r"(?:: |-> |^)(?:pywg|sudo|ip|sysctl|chmod|modprobe) [^:;.]*\.$")
"""With a full stop, which would be copied with it."""


def codes(findings: list[Finding]) -> list[Code]:
    return [finding.code for finding in findings]


def ill(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity is not Severity.OK]


def facts_of(code: Code, number: int = 0) -> Facts:
    return [case.facts for case in CASES if case.code is code][number]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.code.value}: {case.says[:30]}")
def test_case(case: Case) -> None:
    findings = judge(case.facts)
    (found,) = [finding for finding in findings if finding.code is case.code]
    assert found.severity is case.severity
    assert case.says in found.sentence
    assert case.advises in found.advice
    assert bool(case.advises) is bool(found.advice)
    if case.alone and case.severity is not Severity.OK:
        assert ill(findings) == [found]
    if case.severity is Severity.OK:
        assert ill(findings) == []


def test_every_code_has_a_case() -> None:
    assert {case.code for case in CASES} == set(Code)


def test_sentences_are_sentences() -> None:
    """One line, from a capital to a full stop; what is to be done does not end in the middle."""
    for case in CASES:
        for finding in judge(case.facts):
            assert finding.sentence.endswith((".", "?")), finding
            assert not COMMAND_AT_THE_END.search(finding.advice), finding
            assert (finding.sentence + finding.advice).isprintable()
            assert "  " not in finding.sentence + finding.advice, finding
            assert len(finding.sentence) < 300, finding


def test_names_are_kebab_case() -> None:
    for code in Code:
        assert code.value == code.name.lower().replace("_", "-")


def test_no_two_findings_explain_each_other_away() -> None:
    for code, explained in EXPLAINS.items():
        assert code not in explained
        for other in explained:
            assert code not in EXPLAINS.get(other, frozenset()), f"{code} and {other}"


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        (of(interface(WELL_PEER)), WELL),
        (of_peer(endpoint=None), WELL),
        (of_peer(recent=TRIED), ILL),
        (of(interface(WELL_PEER, link=LinkFacts(addresses=()))), ILL),
        (of(), ILL),
        (facts_of(Code.ACCESS_DENIED), NOT_LOOKED),
    ],
)
def test_exit_status(facts: Facts, status: int) -> None:
    assert exit_status(judge(facts)) == status


def test_order_is_machine_interface_peers_and_the_worst_peer_first() -> None:
    silent = peer(recent=TRIED, public_key=b"\1" * 32)
    wrong = peer(recent=recent(initiations_sent=3, responses_refused=2), public_key=b"\2" * 32)
    well = peer(handshake_age=5, public_key=b"\3" * 32)
    findings = judge(of(interface(well, silent, wrong, link=LinkFacts(addresses=()))))
    assert codes(findings) == [
        Code.MACHINE_READY,
        Code.NO_ADDRESS,
        Code.INTERFACE_READY,
        Code.WRONG_KEY,
        Code.NOTHING_CAME_BACK,
        Code.WELL,
    ]
    assert [finding.peer for finding in findings[3:]] == [b"\2" * 32, b"\1" * 32, b"\3" * 32]
    assert {finding.interface for finding in findings} == {"", "wg0"}
    assert findings[3].endpoint == str(ENDPOINT)


def test_an_interfaces_cause_says_nothing_of_another_interface() -> None:
    other = replace(interface(peer(recent=TRIED)), name="wg1")
    findings = judge(of(interface(peer(recent=TRIED), public_key=None), other))
    assert [(finding.interface, finding.code) for finding in ill(findings)] == [
        ("wg0", Code.NO_PRIVATE_KEY),
        ("wg1", Code.NOTHING_CAME_BACK),
    ]


def test_a_stranger_of_old_is_not_told() -> None:
    old = replace(STRANGER, seconds_ago=3600)
    assert ill(judge(of(interface(WELL_PEER, status=told(stranger=old))))) == []


def test_rubbish_does_not_make_a_healthy_server_ill() -> None:
    assert ill(judge(of(interface(WELL_PEER, status=told(drops={"bad_mac1": 10**6}))))) == []


def test_load_of_old_is_not_told() -> None:
    status = told(handshake_failures={"cookie": 5}, handshake_failure_ages={"cookie": 600})
    assert ill(judge(of(interface(WELL_PEER, status=status)))) == []


def test_a_stranger_explains_the_peer_at_its_host_and_no_other() -> None:
    """Anybody can send such initiations, from any other host: they must not hide what is wrong."""
    here = StrangerStatus(OTHER, f"{ENDPOINT.host}:7", 1)
    elsewhere = peer(recent=TRIED, public_key=b"\7" * 32, endpoint=Endpoint("192.0.2.7", 7))
    findings = ill(judge(of(interface(peer(recent=TRIED), elsewhere, status=told(stranger=here)))))
    assert [(finding.code, finding.peer) for finding in findings] == [
        (Code.UNKNOWN_KEY, None),
        (Code.NOTHING_CAME_BACK, b"\7" * 32),
    ]


@pytest.mark.parametrize("is_told", [True, False])
def test_every_peer_gets_a_line(is_told: bool) -> None:
    for age, tries, answers, sent, endpoint in itertools.product(
        (None, -60, 5, 125, 400), (0, 1, 3), (0, 1, 2), (0, 1, 3, 60), (ENDPOINT, None)
    ):
        counts = recent(initiations_sent=tries, initiations_received=answers, responses_sent=answers)
        one = peer(
            handshake_age=age,
            recent=counts,
            traffic={"sent": sent},
            told=is_told,
            endpoint=endpoint,
            tx_bytes=148 * tries + 92 * answers,
            rx_bytes=148 * answers,
        )
        findings = judge(of(interface(one, status=told() if is_told else None)))
        assert THEIRS in {finding.peer for finding in findings}, (age, tries, answers, sent, endpoint)


def test_multicast_and_strangers_packets_do_not_make_a_tunnel_ill() -> None:
    """What the machine sends by itself, and what falls off while some peer has a session."""
    lost = told(drops={"no_route": 2})
    assert ill(judge(of(interface(peer(), status=lost, multicasts=2)))) == []
    assert ill(judge(of(interface(WELL_PEER, peer(public_key=b"\7" * 32), status=lost)))) == []


def test_forwarding_that_nobody_asked_for_is_not_missed() -> None:
    off = ForwardingFacts(4, is_on=False), ForwardingFacts(6, is_on=False)
    assert Code.NOT_FORWARDING not in codes(judge(of(interface(WELL_PEER, forwarding=off))))
    on = (ForwardingFacts(4, is_wanted=True, refused=9),)
    assert Code.NOT_FORWARDING not in codes(judge(of(interface(WELL_PEER, forwarding=on))))


def test_without_root_one_finding_says_so() -> None:
    hidden = InterfaceFacts(
        "wg0", Runner.HIDDEN, error="wg0: permission denied", config=ConfigFacts("f", is_closed=True)
    )
    (found,) = ill(judge(of(hidden, machine=replace(MACHINE, is_root=False))))
    assert found.code is Code.ACCESS_DENIED


def test_a_warning_does_not_hide_what_the_interface_is() -> None:
    exposed = ConfigFacts("wg0.conf", is_exposed=True)
    findings = judge(of(interface(WELL_PEER, config=exposed)))
    assert codes(findings) == [Code.MACHINE_READY, Code.CONFIG_EXPOSED, Code.INTERFACE_READY, Code.WELL]
    assert "chmod" not in findings[1].sentence


def test_what_a_daemon_does_not_tell_is_said_to_be_unknown() -> None:
    facts = facts_of(Code.NOTHING_CAME_BACK, 2)
    (found,) = [finding for finding in judge(facts) if finding.code is Code.NOTHING_CAME_BACK]
    assert "cannot be known from this daemon" in found.sentence


def test_no_links_no_verdict_on_them() -> None:
    """Of a system without netlink nothing is said of addresses and routes."""
    machine: MachineFacts = replace(MACHINE, sees_links=False)
    assert codes(judge(of(interface(WELL_PEER, link=None), machine=machine))) == [
        Code.MACHINE_READY,
        Code.INTERFACE_READY,
        Code.WELL,
    ]


@pytest.mark.parametrize(
    ("mtu", "endpoint", "fits"),
    [(1480, ENDPOINT, True), (1479, ENDPOINT, False), (1500, Endpoint("2001:db8::1", 5), True)],
)
def test_mtu_to_the_byte(mtu: int, endpoint: Endpoint, fits: bool) -> None:
    facts = of_peer(handshake_age=5, endpoint=endpoint, route=RouteFacts("eth0", mtu))
    assert (ill(judge(facts)) == []) is fits


def test_no_secret_is_said() -> None:
    secret = bytes(range(200, 232))
    facts = of_peer(recent=TRIED, preshared_key=secret, allowed_ips=(ip_network("10.0.0.0/8"),))
    assert secret.hex() not in repr(facts)
    assert "yMnKy8zNzs" not in repr(facts) + repr(judge(facts))
