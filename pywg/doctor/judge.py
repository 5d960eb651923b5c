"""Facts in, findings out: what is wrong, what to mend first, nothing that follows from something said.

No I/O and no clock: the same facts give the same findings.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from pywg.doctor.facts import Facts, InterfaceFacts, PeerFacts
from pywg.doctor.findings import Code, Finding, Severity, rank, unexplained
from pywg.doctor.judge_interface import judge_interface, judge_machine, no_interface
from pywg.doctor.judge_peer import judge_peer

WELL: Final = 0
ILL: Final = 1
NOT_LOOKED: Final = 2

_READY: Final = frozenset({Code.MACHINE_READY, Code.INTERFACE_READY})
"""Said of what has no problem of its own."""
_SEEMS_SILENT: Final = frozenset({Code.NOTHING_CAME_BACK, Code.GONE_SILENT, Code.HANDSHAKE_PENDING})


def judge(facts: Facts) -> list[Finding]:
    """All findings: of the machine, then interface by interface with its peers, in the order of mending."""
    machine = list(judge_machine(facts.machine))
    if not facts.interfaces:
        machine.append(no_interface(facts.machine))
    found = machine + [finding for one in facts.interfaces for finding in _of_interface(one, facts)]
    left = _without_praise(unexplained(found))
    if any(one.code is Code.ACCESS_DENIED for one in left):  # It says the same, and of what.
        left = [one for one in left if one.code is not Code.NOT_ROOT]
    names = ["", *(one.name for one in facts.interfaces)]
    return [
        finding for name in names for finding in _in_order([one for one in left if one.interface == name])
    ]


def exit_status(findings: Iterable[Finding]) -> int:
    """0: nothing is wrong. 1: something is, or may be. 2: something could not be looked at."""
    found = list(findings)
    if any(finding.code is Code.ACCESS_DENIED for finding in found):
        return NOT_LOOKED
    return WELL if all(finding.severity is Severity.OK for finding in found) else ILL


def _of_interface(interface: InterfaceFacts, facts: Facts) -> Iterator[Finding]:
    own = [replace(one, interface=interface.name) for one in judge_interface(interface, facts.machine)]
    yield from own
    for peer in interface.peers:
        for finding in judge_peer(interface, peer, facts.machine.wall_ns):
            if not _is_same_story(finding, own, interface, peer):
                endpoint = peer.state.endpoint
                yield replace(
                    finding,
                    interface=interface.name,
                    peer=peer.state.public_key,
                    endpoint="" if endpoint is None else str(endpoint),
                )


def _is_same_story(
    finding: Finding, own: Sequence[Finding], interface: InterfaceFacts, peer: PeerFacts
) -> bool:
    """The peer seems silent, and initiations with an unknown key come from its very host."""
    status, endpoint = interface.status, peer.state.endpoint
    return (
        finding.code in _SEEMS_SILENT
        and any(one.code is Code.UNKNOWN_KEY for one in own)
        and status is not None
        and status.stranger is not None
        and endpoint is not None
        and _host(status.stranger.source) == _host(str(endpoint))
    )


def _host(endpoint: str) -> str:
    return endpoint.rpartition(":")[0]


def _without_praise(findings: Sequence[Finding]) -> list[Finding]:
    ill = {(one.interface, one.peer) for one in findings if one.severity is Severity.PROBLEM}
    return [one for one in findings if one.code not in _READY or (one.interface, one.peer) not in ill]


def _in_order(findings: Sequence[Finding]) -> list[Finding]:
    """What is of the interface first, then peer by peer, the one with most to mend first."""
    peers: dict[bytes | None, list[Finding]] = {}
    for finding in sorted(findings, key=rank):
        peers.setdefault(finding.peer, []).append(finding)
    groups = sorted(peers.values(), key=lambda group: (group[0].peer is not None, rank(group[0])))
    return [finding for group in groups for finding in group]
