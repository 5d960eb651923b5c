"""Finding the facts: asks the machine, the interfaces and the configuration, and judges nothing.

In: what was named on the command line. Out: `Facts`. Rules kept: nothing is changed; every wait has an end;
what cannot be found out is None or empty, and is not guessed at.
"""

import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

from pywg.config import locate
from pywg.config.model import ConfigError, QuickConfig, Table
from pywg.control import interfaces, open_control
from pywg.doctor.facts import (
    Astray,
    ConfigFacts,
    Facts,
    InterfaceFacts,
    LinkFacts,
    MachineFacts,
    NameFacts,
    PeerFacts,
    RouteFacts,
    Runner,
)
from pywg.doctor.names import look_up_names
from pywg.engine.choose import EngineUnavailableError, describe_choice
from pywg.interface_name import is_interface_name
from pywg.protocol.allowed_ips import Prefix
from pywg.uapi.client import AccessDeniedError, NoSuchInterfaceError, NotRunningError, UapiClient, UapiError
from pywg.uapi.model import UNSET_KEY, PeerStatus, Status

TUN_DEVICE: Final = Path("/dev/net/tun")
MOST_ROUTES: Final = 4096
"""Allowed prefixes whose route is asked for, per interface: some thousandths of a second a hundred."""


class NetworkQuestions(Protocol):
    """Questions to the network namespace we are in."""

    def link(self, name: str) -> LinkFacts | None:
        """None: there is no interface of that name."""

    def route(self, address: bytes, mark: int = 0, scope_id: int = 0) -> RouteFacts:
        """The way of a packet to an address of 4 or 16 bytes."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """An interface to look at."""

    name: str
    file: str
    """What to find its configuration by: its name, or a path."""


def look(word: str | None) -> Facts:
    """Everything about one interface, given by name or by configuration file, or about all there are.

    Raises ConfigError if `word` is a path that leads nowhere, UapiError if interfaces may not be listed.
    """
    machine = _machine()
    with ExitStack() as stack:
        network: NetworkQuestions | None = None
        if sys.platform.startswith("linux"):
            from pywg.doctor.network_linux import LinuxNetworkQuestions  # noqa: PLC0415 (no other system has netlink)

            network = stack.enter_context(LinuxNetworkQuestions())
        return Facts(machine, tuple(_interface(wanted, network) for wanted in _wanted(word)))


def _wanted(word: str | None) -> list[_Wanted]:
    if word is None:
        return [_Wanted(name, name) for name in interfaces()]
    if is_interface_name(word) and not Path(word).is_file():
        return [_Wanted(word, word)]
    return [_Wanted(locate.find_config(word).name, word)]


def _machine() -> MachineFacts:
    try:
        engine, why = describe_choice(os.environ.get("PYWG_ENGINE") or "auto")
    except EngineUnavailableError as error:
        engine, why = "", str(error)
    return MachineFacts(
        is_root=os.geteuid() == 0,
        wall_ns=time.time_ns(),
        tun_problem=_tun_problem(),
        engine=engine,
        engine_reason=why,
        other_configs=_configs(),
        sees_links=sys.platform.startswith("linux"),
    )


def _tun_problem() -> str | None:
    """Opening it makes no interface yet."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        os.close(os.open(TUN_DEVICE, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return f"{TUN_DEVICE}: {error.strerror}"
    return None


def _configs() -> tuple[str, ...]:
    try:
        files = sorted(locate.DIRECTORY.glob("*.conf"))
    except OSError:
        return ()
    return tuple(file.stem for file in files if is_interface_name(file.stem))


def _interface(wanted: _Wanted, network: NetworkQuestions | None) -> InterfaceFacts:
    name = wanted.name
    link = None if network is None else network.link(name)
    config, quick = _config(wanted.file)
    facts = replace(_asked(name, link), link=link, config=config)
    names = {} if quick is None else look_up_names(quick.wg.peers)
    if facts.config is not None:
        facts = replace(facts, config=replace(facts.config, names=tuple(names.values())))
    if facts.runner is Runner.NOT_WIREGUARD:
        return replace(facts, tun_holder=_holder_of_tun(name))
    port = _port_in_doubt(facts)
    if port:
        facts = replace(facts, port_holder=_holder_of_port(port))
    wants_routes = config is None or config.routes_wanted
    return replace(facts, peers=_peers(facts, names, network, wants_routes=wants_routes))


def _asked(name: str, link: LinkFacts | None) -> InterfaceFacts:
    """What its daemon, or the kernel, says."""
    try:
        control = open_control(name)
        state, status = control.get(), control.status()
    except AccessDeniedError as error:
        return InterfaceFacts(name, Runner.HIDDEN, error=str(error))
    except (NoSuchInterfaceError, NotRunningError):
        return InterfaceFacts(name, Runner.NOBODY if link is None else Runner.NOT_WIREGUARD)
    except UapiError as error:
        return InterfaceFacts(name, Runner.SILENT, error=str(error))
    if isinstance(control, UapiClient):
        runner = Runner.OTHER if status is None else Runner.PYWG
    else:
        runner = Runner.KERNEL
    return InterfaceFacts(name, runner, state=state, status=status, public_key=state.public_key)


def _config(file: str) -> tuple[ConfigFacts | None, QuickConfig | None]:
    """The file that belongs to the interface, if there is one that we may see."""
    try:
        if is_interface_name(file) and not (locate.DIRECTORY / f"{file}.conf").exists():
            return None, None
        located = locate.find_config(file)
        quick = locate.read_config(located)
    except PermissionError:
        return None, None
    except ConfigError as error:
        return ConfigFacts(error.source, problem=str(error)), None
    facts = ConfigFacts(
        str(located.path),
        warning=located.warning or "",
        has_private_key=quick.wg.private_key not in {None, UNSET_KEY},
        peers=len(quick.wg.peers),
        routes_wanted=quick.table is not Table.OFF,
        listen_port=quick.wg.listen_port,
    )
    return facts, quick


def _port_in_doubt(facts: InterfaceFacts) -> int:
    """The port that somebody else may have; 0: none."""
    if facts.runner is Runner.NOBODY and facts.config is not None:
        return facts.config.listen_port or 0
    if facts.status is not None and facts.status.sockets.get("error"):
        return facts.state.listen_port
    return 0


def _holder_of_port(port: int) -> str:
    if not sys.platform.startswith("linux"):
        return ""
    from pywg.doctor.processes_linux import holder_of_port  # noqa: PLC0415 (rarely needed)

    return holder_of_port(port)


def _holder_of_tun(name: str) -> str:
    if not sys.platform.startswith("linux"):
        return ""
    from pywg.doctor.processes_linux import holder_of_tun  # noqa: PLC0415 (rarely needed)

    return holder_of_tun(name)


def _peers(
    facts: InterfaceFacts,
    names: dict[bytes, NameFacts],
    network: NetworkQuestions | None,
    *,
    wants_routes: bool,
) -> tuple[PeerFacts, ...]:
    told = _by_key(facts.status)
    left = MOST_ROUTES if wants_routes and facts.link is not None and facts.link.is_up else 0
    peers = []
    for state in facts.state.peers:
        endpoint = state.endpoint
        way = None
        if network is not None and endpoint is not None:
            way = network.route(endpoint.address, facts.state.fwmark, endpoint.scope_id)
        prefixes = state.allowed_ips[:left]
        left -= len(prefixes)
        peers.append(
            PeerFacts(
                state,
                status=told.get(state.public_key),
                name=names.get(state.public_key),
                endpoint_route=way,
                astray=() if network is None else _astray(facts.name, prefixes, network),
            )
        )
    return tuple(peers)


def _by_key(status: Status | None) -> dict[bytes, PeerStatus]:
    return {} if status is None else {peer.public_key: peer for peer in status.peers}


def _astray(name: str, prefixes: Sequence[Prefix], network: NetworkQuestions) -> tuple[Astray, ...]:
    """A prefix is astray if no address of it that is tried leads to the interface.

    More specific routes may lead parts of it elsewhere, to the LAN or to this machine itself.
    """
    found = []
    for prefix in prefixes:
        routes = [network.route(address) for address in samples(prefix)]
        if not any(route.interface == name or route.is_local for route in routes):
            found.append(Astray(prefix, routes[0].interface))
    return tuple(found)


def samples(prefix: Prefix) -> list[bytes]:
    """Addresses to try: one in the middle, the first, the last; fewer where they are the same."""
    count = prefix.num_addresses
    chosen = (count // 2, min(1, count - 1), max(count - 2, 0))
    return [prefix[number].packed for number in dict.fromkeys(chosen)]
