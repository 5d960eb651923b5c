"""What `pywg doctor` says: codes that stay the same, in the order in which things are to be mended.

In: nothing. Out: `Finding` and the vocabulary of its code, and which finding explains which other. No I/O.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Severity(Enum):
    """How bad it is. The value is the mark in front of the sentence, and the word in the JSON."""

    OK = "ok"
    WARNING = "warning"
    """It may hurt, or hurts something else than the tunnel."""
    PROBLEM = "problem"
    """As long as it is so, something does not get through."""


class Code(Enum):
    """Everything doctor can say. The value is the name in the JSON; the order is that of mending."""

    # Could it look?
    NOT_ROOT = "not-root"
    ACCESS_DENIED = "access-denied"

    # The machine.
    NO_TUN_DEVICE = "no-tun-device"
    NO_ENGINE = "no-engine"
    CLOCK_UNSET = "clock-unset"
    LEFT_BEHIND = "left-behind"
    NO_INTERFACE = "no-interface"

    # An interface.
    CONFIG_WRONG = "config-wrong"
    NAME_CLASH = "name-clash"
    NOT_WIREGUARD = "not-wireguard"
    DAEMON_SILENT = "daemon-silent"
    NO_PRIVATE_KEY = "no-private-key"
    OWN_KEY_AS_PEER = "own-key-as-peer"
    PORT_TAKEN = "port-taken"
    NO_SOCKET = "no-socket"
    NO_PEERS = "no-peers"
    INTERFACE_MISSING = "interface-missing"
    INTERFACE_DOWN = "interface-down"
    MADE_FOR_ANOTHER_KEY = "made-for-another-key"
    UNKNOWN_KEY = "unknown-key"
    UNDER_LOAD = "under-load"
    RATE_LIMITED = "rate-limited"
    NO_ADDRESS = "no-address"
    DESTINATION_NOT_ALLOWED = "destination-not-allowed"
    NOT_FORWARDING = "not-forwarding"
    NOT_WHAT_ITS_FILE_SAYS = "not-what-its-file-says"
    CONFIG_DOUBTFUL = "config-doubtful"
    CONFIG_EXPOSED = "config-exposed"

    # A peer: it cannot even be tried.
    BAD_PUBLIC_KEY = "bad-public-key"
    NAME_UNRESOLVED = "name-unresolved"
    NO_ENDPOINT = "no-endpoint"
    FAMILY_UNAVAILABLE = "family-unavailable"
    NO_ROUTE_TO_ENDPOINT = "no-route-to-endpoint"
    ROUTING_LOOP = "routing-loop"

    # A peer: handshakes come to nothing.
    WRONG_KEY = "wrong-key"
    STALE_TIMESTAMP = "stale-timestamp"
    NEVER_CONFIRMED = "never-confirmed"
    ENDPOINT_OUTDATED = "endpoint-outdated"
    PORT_CLOSED = "port-closed"
    HOST_UNREACHABLE = "host-unreachable"
    NETWORK_UNREACHABLE = "network-unreachable"
    PROHIBITED = "prohibited"
    SEND_REFUSED = "send-refused"
    PEER_UNDER_LOAD = "peer-under-load"
    NOTHING_CAME_BACK = "nothing-came-back"
    GONE_SILENT = "gone-silent"
    HANDSHAKE_PENDING = "handshake-pending"
    CLOCK_WENT_BACK = "clock-went-back"

    # A peer: packets do not get through.
    NO_ALLOWED_IPS = "no-allowed-ips"
    OWN_ADDRESS_AT_PEER = "own-address-at-peer"
    SOURCE_NOT_ALLOWED = "source-not-allowed"
    ROUTE_ELSEWHERE = "route-elsewhere"
    MTU_TOO_LARGE = "mtu-too-large"

    # Nothing to mend.
    MACHINE_READY = "machine-ready"
    TELLS_LESS = "tells-less"
    LINK_ELSEWHERE = "link-elsewhere"
    INTERFACE_READY = "interface-ready"
    WAITING_FOR_PEER = "waiting-for-peer"
    NOT_CONFIRMED_YET = "not-confirmed-yet"
    IDLE = "idle"
    WELL = "well"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence, and one on what to do."""

    code: Code
    severity: Severity
    sentence: str
    advice: str = ""
    """Empty: nothing is to be done."""
    interface: str = ""
    """Empty: it is about the machine."""
    peer: bytes | None = None
    """Its public key. None: it is about the interface."""
    endpoint: str = ""
    """Where the peer is, as text; empty: not known."""


def ok(code: Code, sentence: str, advice: str = "") -> Finding:
    """All is well, or it is at least nobody's fault."""
    return Finding(code, Severity.OK, sentence, advice)


def sentence(text: str) -> str:
    """`text` with a full stop, unless it ends a sentence already."""
    return text if text.endswith((".", "?", "!")) else f"{text}."


def warning(code: Code, sentence: str, advice: str) -> Finding:
    """Something that may hurt."""
    return Finding(code, Severity.WARNING, sentence, advice)


def problem(code: Code, sentence: str, advice: str) -> Finding:
    """Something that hurts."""
    return Finding(code, Severity.PROBLEM, sentence, advice)


_ICMP: Final = frozenset({Code.PORT_CLOSED, Code.HOST_UNREACHABLE, Code.NETWORK_UNREACHABLE, Code.PROHIBITED})
_UNANSWERED: Final = frozenset({Code.NOTHING_CAME_BACK, Code.GONE_SILENT, Code.HANDSHAKE_PENDING})
_FAILED: Final = _ICMP | _UNANSWERED | {Code.SEND_REFUSED, Code.NEVER_CONFIRMED, Code.PEER_UNDER_LOAD}
_NO_EVENT: Final = frozenset({Code.IDLE, Code.WAITING_FOR_PEER, Code.NOT_CONFIRMED_YET})
_HANDSHAKES: Final = (
    _FAILED | _NO_EVENT | {Code.WRONG_KEY, Code.STALE_TIMESTAMP, Code.ENDPOINT_OUTDATED, Code.NO_ENDPOINT}
)
_OUTSIDE: Final = frozenset(
    {Code.NO_ROUTE_TO_ENDPOINT, Code.ROUTING_LOOP, Code.FAMILY_UNAVAILABLE, Code.MTU_TOO_LARGE}
)
_ARRIVALS: Final = frozenset(
    {Code.MADE_FOR_ANOTHER_KEY, Code.UNKNOWN_KEY, Code.UNDER_LOAD, Code.RATE_LIMITED, Code.SOURCE_NOT_ALLOWED}
)
_NO_SOCKET: Final = _HANDSHAKES | _OUTSIDE | _ARRIVALS | {Code.WELL}
_NO_LINK: Final = _NO_SOCKET | {Code.ROUTE_ELSEWHERE, Code.DESTINATION_NOT_ALLOWED}

EXPLAINS: Final[dict[Code, frozenset[Code]]] = {
    Code.NO_TUN_DEVICE: frozenset({Code.NO_INTERFACE, Code.INTERFACE_MISSING}),
    Code.NO_ENGINE: frozenset({Code.NO_INTERFACE, Code.INTERFACE_MISSING}),
    # The interface is not up because it cannot come up.
    Code.CONFIG_WRONG: frozenset({Code.INTERFACE_MISSING}),
    Code.ACCESS_DENIED: frozenset({Code.INTERFACE_MISSING}),
    Code.CLOCK_UNSET: _UNANSWERED | {Code.CLOCK_WENT_BACK},
    # Without a key no MAC1 is right, no handshake is sent, and nothing else can be judged.
    Code.NO_PRIVATE_KEY: _NO_LINK | {Code.NAME_UNRESOLVED, Code.BAD_PUBLIC_KEY, Code.NO_ADDRESS},
    Code.OWN_KEY_AS_PEER: frozenset({Code.NO_PEERS}),
    Code.NO_PEERS: frozenset({Code.DESTINATION_NOT_ALLOWED}),
    Code.PORT_TAKEN: _NO_SOCKET | {Code.INTERFACE_MISSING, Code.NOT_WHAT_ITS_FILE_SAYS},
    Code.NO_SOCKET: _NO_SOCKET,
    Code.INTERFACE_DOWN: _NO_LINK,
    Code.BAD_PUBLIC_KEY: _HANDSHAKES | _OUTSIDE,
    Code.NAME_UNRESOLVED: _UNANSWERED
    | _NO_EVENT
    | {Code.NO_ENDPOINT, Code.ENDPOINT_OUTDATED, Code.INTERFACE_MISSING},
    Code.NO_ENDPOINT: _FAILED | _NO_EVENT | _OUTSIDE,
    Code.FAMILY_UNAVAILABLE: _FAILED | _NO_EVENT | {Code.NO_ROUTE_TO_ENDPOINT},
    Code.NO_ROUTE_TO_ENDPOINT: _FAILED | _NO_EVENT | {Code.MTU_TOO_LARGE},
    Code.ROUTING_LOOP: _FAILED | _NO_EVENT | {Code.MTU_TOO_LARGE},
    Code.WRONG_KEY: _FAILED | _NO_EVENT | {Code.ENDPOINT_OUTDATED},
    Code.STALE_TIMESTAMP: _FAILED | _NO_EVENT | {Code.ENDPOINT_OUTDATED},
    # The peer was heard, and the errors may be about an answer it did not wait for.
    Code.NEVER_CONFIRMED: _UNANSWERED | _NO_EVENT | {Code.ENDPOINT_OUTDATED},
    Code.ENDPOINT_OUTDATED: _UNANSWERED | _ICMP,
    **dict.fromkeys(_ICMP, _UNANSWERED | _NO_EVENT | {Code.SEND_REFUSED, Code.NEVER_CONFIRMED}),
    Code.SEND_REFUSED: _UNANSWERED | _NO_EVENT | {Code.NEVER_CONFIRMED},
    Code.PEER_UNDER_LOAD: _UNANSWERED,
    Code.NO_ALLOWED_IPS: frozenset({Code.SOURCE_NOT_ALLOWED}),
}
"""Finding -> what need not be said beside it, of the same peer or, if it is the interface's, of its peers."""


def unexplained(findings: Iterable[Finding]) -> list[Finding]:
    """Those no other one explains, in the order of mending."""
    found = sorted(findings, key=rank)
    explained = {
        (narrower, code)
        for finding in found
        for code in EXPLAINS.get(finding.code, ())
        for narrower in _scopes_of(found, finding)
    }
    return [finding for finding in found if (_scope(finding), finding.code) not in explained]


def rank(finding: Finding) -> int:
    """Its place in the order of mending."""
    return _RANK[finding.code]


_Scope = tuple[str, bytes | None]
_RANK: Final = {code: place for place, code in enumerate(Code)}


def _scope(finding: Finding) -> _Scope:
    return finding.interface, finding.peer


def _scopes_of(findings: Iterable[Finding], wide: Finding) -> set[_Scope]:
    """The scope of a finding and all that are within it."""
    return {
        _scope(finding)
        for finding in findings
        if wide.interface in {"", finding.interface} and wide.peer in {None, finding.peer}
    }
