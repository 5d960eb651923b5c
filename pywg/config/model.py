"""What a configuration says, typed and without I/O: files of wg(8) and wg-quick(8), and the words of `set`.

In: nothing. Out: frozen results that parse, change, write and quick share. Rules kept: a key is never part of
a `repr`; a name is kept as it was written, for resolving it is I/O and somebody else's.
"""

from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Interface, IPv6Interface
from pathlib import Path
from typing import Final

from pywg.uapi.model import PrefixChange

COMMAND_LINE: Final = "command line"
"""The source of what was not in a file."""

WG_INTERFACE_SETTINGS: Final = ("PrivateKey", "ListenPort", "FwMark")
QUICK_SETTINGS: Final = (
    "Address",
    "DNS",
    "MTU",
    "Table",
    "PreUp",
    "PostUp",
    "PreDown",
    "PostDown",
    "SaveConfig",
)
"""Of [Interface] too, but for wg-quick(8) only."""
PEER_SETTINGS: Final = ("PublicKey", "PresharedKey", "AllowedIPs", "Endpoint", "PersistentKeepalive")


class Section(Enum):
    """Where in a file a line stands."""

    NONE = "no section"
    INTERFACE = "[Interface]"
    PEER = "[Peer]"


class ConfigError(Exception):
    """What was found where, and what was expected: one line, without secrets.

    ``/etc/wireguard/wg0.conf:7: Endpoint 'host': expected HOST:PORT``
    """

    def __init__(self, source: str, line: int | None, problem: str) -> None:
        """`source`: path or `COMMAND_LINE`. `line`: from 1; None if it is of the whole."""
        super().__init__(f"{source}:{line}: {problem}" if line else f"{source}: {problem}")
        self.source = source
        self.line = line
        self.problem = problem


@dataclass(frozen=True, slots=True)
class HostPort:
    """An endpoint as it was written: a name or an address, and a port or a service's name."""

    host: str
    """Without brackets."""
    port: str
    line: int = field(default=0, compare=False)
    """Where it stood; 0 on a command line."""

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class PeerConfig:
    """A [Peer] section, or what follows ``peer`` in ``set``. None: not mentioned."""

    public_key: bytes
    line: int = field(default=0, compare=False)
    remove: bool = False
    """``set ... peer KEY remove``."""
    preshared_key: bytes | None = field(default=None, repr=False)
    endpoint: HostPort | None = None
    other_endpoints: tuple[HostPort, ...] = ()
    """Those before it, which do not count; and yet each must be one that resolves, as with wg."""
    persistent_keepalive: int | None = None
    """Seconds; 0 is off."""
    replace_allowed_ips: bool = False
    """Take away what the peer has before `allowed_ips` is applied."""
    allowed_ips: tuple[PrefixChange, ...] = ()


@dataclass(frozen=True, slots=True)
class WgConfig:
    """What wg(8) understands: a file's sections, or the words of ``set``. None: not mentioned."""

    private_key: bytes | None = field(default=None, repr=False)
    listen_port: int | None = None
    fwmark: int | None = None
    peers: tuple[PeerConfig, ...] = ()
    warnings: tuple[str, ...] = field(default=(), compare=False)
    """What was taken, but hardly as it was meant: sentences for the user, with file and line."""


class Table(Enum):
    """Values of ``Table`` that are not a routing table."""

    AUTO = "auto"
    """The main table; a default route goes into a table of its own, with rules and a firewall."""
    OFF = "off"
    """No routes."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """The user's own commands, as written, `%i` not yet replaced."""

    pre_up: tuple[str, ...] = ()
    post_up: tuple[str, ...] = ()
    pre_down: tuple[str, ...] = ()
    post_down: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QuickConfig:
    """A file of wg-quick(8)."""

    name: str
    """The interface's: the file's without ``.conf``."""
    path: Path
    """Absolute, links followed."""
    wg: WgConfig
    """The part for wg(8)."""
    addresses: tuple[IPv4Interface | IPv6Interface, ...] = ()
    dns: tuple[str, ...] = ()
    """Addresses of servers."""
    dns_search: tuple[str, ...] = ()
    mtu: int | None = None
    table: Table | int = Table.AUTO
    table_text: str | None = None
    """As written, for ``save``; None if it was not."""
    hooks: Hooks = field(default=Hooks(), repr=False)
    """They may hold a key."""
    save_config: bool = False
