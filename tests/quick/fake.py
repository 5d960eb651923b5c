"""A host that lives in memory: links, addresses, routes, rules, firewall, name servers, a WireGuard device.

In: what `up` and `down` ask. Out: an echo like the system's, and a picture that can be compared. It can be
made to fail, or to be interrupted, at the n-th change.
"""

import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pywg.config.model import HostPort
from pywg.control import Control
from pywg.endpoint import Endpoint
from pywg.net.full_tunnel_linux import LinuxFullTunnel
from pywg.net.system import (
    AddDefault,
    DnsSettings,
    FullTunnel,
    IpAddress,
    IpInterface,
    NetworkError,
    OwnDatagrams,
    Register,
    Step,
    System,
)
from pywg.protocol.allowed_ips import Prefix
from pywg.quick.host import Host
from pywg.quick.interruption import Interruption
from pywg.uapi.client import NoSuchInterfaceError
from pywg.uapi.model import DeviceChange, DeviceState, PeerState, Status


@dataclass
class FakeHost:
    """Links, Routes, Rules and Firewall, and the picture of all."""

    links: set[str] = field(default_factory=lambda: {"lo", "eth0"})
    up_links: dict[str, int] = field(default_factory=dict)
    addressed: list[tuple[str, IpInterface]] = field(default_factory=list)
    routes: set[tuple[str, str, int]] = field(default_factory=set)
    rules: list[tuple[int, int]] = field(default_factory=list)
    walls: set[tuple[str, int, int]] = field(default_factory=set)
    name_servers: dict[str, DnsSettings] = field(default_factory=dict)
    devices: dict[str, DeviceState] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    path_mtus: dict[str, int] = field(default_factory=dict)
    default: int | None = 1500
    busy_tables: frozenset[int] = frozenset()
    fail_at: int | None = None
    """Which change is refused, from 0."""
    refused: set[str] = field(default_factory=set)
    """Changes that are refused, by their words."""
    refusal: type[Exception] = NetworkError
    interrupt_at: int | None = None
    """At which change a SIGTERM comes."""
    changes: int = 0
    socket_error: dict[str, str] | None = None
    """What the device says of its sockets; None: it does not tell, like the kernel."""
    around: dict[str, list[str]] = field(default_factory=dict)
    """Routes to endpoints, of an interface."""
    has_marks: bool = True
    """Else it needs routes around the tunnel (macOS)."""
    unresolved: Callable[[HostPort], Endpoint] | None = None

    def picture(self) -> str:
        """What is there now."""
        return str(
            [sorted(self.links), self.up_links, self.addressed, sorted(self.routes), self.rules, self.walls,
             self.name_servers, self.devices, self.around]
        )  # fmt: skip

    def host(self, interruption: Interruption | None = None, sockets: Path = Path("/nonexistent")) -> Host:
        """To be given to `up` and `down`."""
        return Host(
            system=System(self, self, self._full_tunnel(), _FakeDns(self), close=lambda: None),
            open_control=self.open_control,
            resolve=self.resolve,
            echo=self.said.append,
            tell=self.told.append,
            interruption=interruption or Interruption(),
            sockets=sockets,
        )

    def _full_tunnel(self) -> FullTunnel:
        return LinuxFullTunnel(self, self, self, self) if self.has_marks else _FullTunnelWithoutMarks(self)

    def open_control(self, name: str) -> Control:
        """Whoever asks for an interface of no device is told so."""
        if name not in self.devices:
            raise NoSuchInterfaceError(f"{name}: no such interface")
        return _FakeControl(self, name)

    def resolve(self, asked: HostPort) -> Endpoint:
        """Addresses are themselves."""
        return self.unresolved(asked) if self.unresolved else Endpoint(asked.host, int(asked.port))

    def change(self, words: str) -> None:
        self.said.append(words)
        number, self.changes = self.changes, self.changes + 1
        if number == self.interrupt_at:
            signal.raise_signal(signal.SIGTERM)
        if number == self.fail_at or words in self.refused:
            raise self.refusal(f"{words}: refused, for a test")

    # Links, Routes, Rules

    def has_link(self, name: str) -> bool:
        return name in self.links

    def add_wireguard_link(self, name: str) -> None:
        self.change(f"ip link add dev {name} type wireguard")
        self.links.add(name)
        self.devices[name] = DeviceState()

    def delete_link(self, name: str) -> None:
        self.change(f"ip link delete dev {name}")
        self.links.discard(name)
        self.up_links.pop(name, None)
        self.devices.pop(name, None)
        self.addressed = [entry for entry in self.addressed if entry[0] != name]
        self.routes = {route for route in self.routes if route[0] != name}

    def set_up(self, name: str, mtu: int) -> None:
        self.change(f"ip link set mtu {mtu} up dev {name}")
        self.up_links[name] = mtu

    def mtu(self, name: str) -> int:
        return self.up_links[name]

    def add_address(self, name: str, address: IpInterface) -> None:
        self.change(f"ip -{address.version} address add {address} dev {name}")
        self.addressed.append((name, address))
        self.routes.add((name, str(address.network), 254))

    def addresses(self, name: str) -> list[IpInterface]:
        return [address for owner, address in self.addressed if owner == name]

    def path_mtu(self, destination: IpAddress) -> int | None:
        return self.path_mtus.get(str(destination))

    def default_mtu(self) -> int | None:
        return self.default

    def has_route(self, name: str, prefix: Prefix) -> bool:
        supernets = {str(prefix.supernet(new_prefix=length)) for length in range(prefix.prefixlen + 1)}
        return any((name, supernet, 254) in self.routes for supernet in supernets)

    def add_route(self, name: str, prefix: Prefix, table: int | None = None) -> None:
        where = "" if table is None else f" table {table}"
        self.change(f"ip -{prefix.version} route add {prefix} dev {name}{where}")
        self.routes.add((name, str(prefix), table or 254))

    def table_is_empty(self, table: int) -> bool:
        return table not in self.busy_tables and all(route[2] != table for route in self.routes)

    def add_default_rules(self, family: int, table: int) -> None:
        self.change(f"ip -{family} rule add not fwmark {table} table {table}")
        self.rules.append((family, table))

    def remove_default_rules(self, table: int) -> None:
        self.change(f"ip rule delete table {table}")
        self.rules = [rule for rule in self.rules if rule[1] != table]

    # Firewall

    def add(self, name: str, family: int, addresses: Sequence[IpInterface], mark: int) -> None:
        self.change(f"nft add {name} {family}")
        self.walls.add((name, family, mark))

    def mark(self, name: str) -> int | None:
        return next((mark for owner, _, mark in self.walls if owner == name), None)

    def remove(self, name: str) -> None:
        self.change(f"nft delete {name}")
        self.walls = {wall for wall in self.walls if wall[0] != name}


@dataclass
class _FakeDns:
    host: FakeHost

    def set(self, name: str, settings: DnsSettings) -> None:
        self.host.change(f"resolvconf -a {name}")
        self.host.name_servers[name] = settings

    def unset(self, name: str) -> None:
        self.host.change(f"resolvconf -d {name}")
        self.host.name_servers.pop(name, None)

    def servers(self, name: str) -> list[str]:
        settings = self.host.name_servers.get(name)
        return list(settings.servers) if settings else []


@dataclass
class _FullTunnelWithoutMarks:
    host: FakeHost

    def begin(self, name: str, own: OwnDatagrams, register: Register) -> AddDefault:
        for step in self.undo_routing(name, None):
            register(step)
        self.host.change(f"route add {' '.join(map(str, own.endpoints))}")
        self.host.around[name] = [str(endpoint) for endpoint in own.endpoints]
        return lambda prefix: self.host.change(f"route add {prefix} through {name}")

    def mark(self, name: str) -> int | None:
        return None

    def undo_routing(self, name: str, mark: int | None) -> list[Step]:
        return [Step(f"remove the routes around {name}", lambda: self._remove(name))]

    def undo_firewall(self, name: str) -> list[Step]:
        return []

    def _remove(self, name: str) -> None:
        self.host.change(f"route delete for {name}")
        self.host.around.pop(name, None)


@dataclass
class _FakeControl:
    host: FakeHost
    name: str

    def get(self) -> DeviceState:
        return self.host.devices[self.name]

    def set(self, change: DeviceChange) -> None:
        """What `up` sets: device keys, and peers that are new."""
        state = self.get()
        for key in ("private_key", "listen_port", "fwmark"):
            value = getattr(change, key)
            state = state if value is None else replace(state, **{key: value})
        peers = tuple(
            PeerState(
                block.public_key,
                endpoint=block.endpoint,
                persistent_keepalive_interval=block.persistent_keepalive_interval or 0,
                allowed_ips=tuple(step.prefix for step in block.allowed_ips),
            )
            for block in change.peers
        )
        self.host.devices[self.name] = replace(state, peers=state.peers + peers)

    def status(self) -> Status | None:
        if self.host.socket_error is None:
            return None
        sockets = {"link": "up", "v4": "open", "v6": "open"}
        return Status("python", "for a test", sockets=sockets | self.host.socket_error)
