"""What `pywg doctor` has found out, typed: all that its judgement may know.

In: nothing. Out: the frozen results that `look` fills and `judge` reads. Rules kept: "not known" is None
and never a guess; no private or preshared key is part of a `repr`. No I/O.
"""

from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Interface, IPv6Interface
from typing import Final

from pywg.config.model import HostPort
from pywg.endpoint import Endpoint
from pywg.protocol.allowed_ips import Prefix
from pywg.uapi.model import DeviceState, PeerState, PeerStatus, Status


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """What holds for every interface."""

    is_root: bool = True
    wall_ns: int = 0
    """Unix time, nanoseconds."""
    tun_problem: str | None = None
    """Why a TUN device cannot be opened here; None: it can."""
    engine: str = "native"
    """What would carry packets of a daemon started now; empty if none can."""
    engine_reason: str = ""
    """Why that one, or why none."""
    sees_links: bool = True
    """Whether links, addresses and routes can be asked for on this system."""
    other_configs: tuple[str, ...] = ()
    """Names of the interfaces that /etc/wireguard has a file for."""
    leftovers: tuple["Leftover", ...] = ()


@dataclass(frozen=True, slots=True)
class Leftover:
    """What an interface that is gone has left behind: its daemon died, or its link was deleted."""

    name: str
    """The interface's; empty: rules do not tell."""
    tables: tuple[str, ...] = ()
    """Of nft, as nft names them."""
    rules: tuple["LeftoverRule", ...] = ()


@dataclass(frozen=True, slots=True)
class LeftoverRule:
    """``not fwmark T lookup T``, and there is no route in table T."""

    version: int
    """4 or 6."""
    table: int

    @property
    def words(self) -> str:
        """As ``ip rule`` takes and prints it."""
        return f"not fwmark {self.table:#x} lookup {self.table}"

    def __str__(self) -> str:
        return f"'{self.words}' of IPv{self.version}"


class Runner(Enum):
    """Who runs an interface."""

    PYWG = "pywg"
    OTHER = "another daemon"
    """It has a UAPI socket and does not know ``get_status``: wireguard-go and others."""
    KERNEL = "the kernel"
    NOBODY = "nobody"
    """There is no interface of that name."""
    SILENT = "a daemon that does not answer"
    HIDDEN = "somebody we may not ask"
    NOT_WIREGUARD = "not WireGuard"
    """There is a link of that name, and it is something else or has lost its daemon."""


RUNS: Final = frozenset({Runner.PYWG, Runner.OTHER, Runner.KERNEL})
"""Who answers for an interface that can be judged."""


@dataclass(frozen=True, slots=True)
class LinkFacts:
    """The interface as the network namespace we are in has it."""

    is_up: bool = True
    mtu: int = 1420
    kind: str = "tun"
    """As ``ip -d link`` names it: ``tun``, ``wireguard``, ``dummy``; empty if it has none."""
    addresses: tuple[IPv4Interface | IPv6Interface, ...] = ()
    """Without those of scope link (fe80::), which carry nothing through a tunnel."""


@dataclass(frozen=True, slots=True)
class ForwardingFacts:
    """Whether packets of one IP version that come out of the interface are passed on, and need be."""

    version: int
    """4 or 6."""
    is_on: bool = True
    is_wanted: bool = False
    """Hooks of the file forward or masquerade."""
    refused: int = 0
    """Packets for others that came and were dropped since the machine, or the interface, came up. Of IPv6
    those that came by the interface; of IPv4 the kernel counts them for all interfaces together."""


@dataclass(frozen=True, slots=True)
class RouteFacts:
    """Where a packet to some address would go."""

    interface: str = ""
    """Name of the interface it leaves by; empty: none, there is no route."""
    mtu: int | None = None
    """Largest packet that way, in bytes: of the route, else of the link."""
    is_local: bool = False
    """The address is one of this machine's own."""


@dataclass(frozen=True, slots=True)
class Astray:
    """An allowed prefix whose packets do not go to the interface."""

    prefix: Prefix
    via: str
    """The interface they leave by; empty: there is no route at all."""


@dataclass(frozen=True, slots=True)
class NameFacts:
    """The endpoint's name as the configuration has it, looked up now."""

    written: HostPort
    resolved: tuple[Endpoint, ...] = ()
    error: str = ""
    """Why it does not resolve; one line. Empty: it does."""


@dataclass(frozen=True, slots=True)
class PeerFacts:
    """One peer of an interface that runs."""

    state: PeerState
    status: PeerStatus | None = None
    """None: the daemon does not tell."""
    name: NameFacts | None = None
    """None: no configuration, or an address and no name in it."""
    endpoint_route: RouteFacts | None = None
    astray: tuple[Astray, ...] = ()
    own: tuple[Prefix, ...] = ()
    """Of its allowed IPs the single addresses that are this machine's own."""


@dataclass(frozen=True, slots=True)
class ConfigFacts:
    """A configuration file, read for an interface that is up or is to be."""

    path: str
    word: str = ""
    """What a command finds it by: the interface's name, else the path."""
    problem: str = ""
    """What is wrong with it, one line that names file and line; empty: nothing."""
    problem_line: int = 0
    """0: of no line, but of the whole."""
    is_closed: bool = False
    """We may not read it; nothing else is known of it then."""
    is_exposed: bool = False
    """Others may read it."""
    warnings: tuple[str, ...] = ()
    """What was taken, but hardly as it was meant, each with file and line (`WgConfig.warnings`)."""
    difference: str = ""
    """The first thing the interface has not as the file says; empty: none, or not to be told."""
    own_key_line: int = 0
    """Of a [Peer] that has the interface's own public key; 0: there is none."""
    has_private_key: bool = True
    peers: int = 1
    names: tuple[NameFacts, ...] = ()
    routes_wanted: bool = True
    """False: ``Table = off``."""
    listen_port: int | None = None


@dataclass(frozen=True, slots=True)
class InterfaceFacts:
    """One interface, running or not."""

    name: str
    runner: Runner = Runner.PYWG
    error: str = ""
    """Why it could not be asked; one line."""
    state: DeviceState = field(default_factory=DeviceState)
    public_key: bytes | None = None
    """Ours; None: there is no private key."""
    status: Status | None = None
    link: LinkFacts | None = None
    """None: not in this network namespace, or not known."""
    peers: tuple[PeerFacts, ...] = ()
    forwarding: tuple[ForwardingFacts, ...] = ()
    """Of each IP version the peers have allowed IPs of."""
    multicasts: int = 0
    """Multicast packets that this machine sent into it by itself: no peer need have them."""
    config: ConfigFacts | None = None
    port_holder: str = ""
    """Which process has the port that is wanted, ``sshd (pid 12)``; empty: nobody else, or not known."""
    tun_holder: str = ""
    """Which process has the TUN device of that name, where its socket does not answer."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything."""

    machine: MachineFacts
    interfaces: tuple[InterfaceFacts, ...] = ()
