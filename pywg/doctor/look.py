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
from pywg.config.model import QuickConfig
from pywg.control import interfaces, open_control
from pywg.doctor.facts import (
    RUNS,
    Astray,
    Facts,
    ForwardingFacts,
    InterfaceFacts,
    Leftover,
    LinkFacts,
    MachineFacts,
    NameFacts,
    PeerFacts,
    RouteFacts,
    Runner,
)
from pywg.doctor.hooks import forwarded_versions
from pywg.doctor.look_config import compared, look_at_config
from pywg.doctor.names import look_up_names
from pywg.engine.choose import EngineUnavailableError, describe_choice
from pywg.interface_name import is_interface_name
from pywg.protocol.allowed_ips import Prefix
from pywg.uapi.client import AccessDeniedError, NoSuchInterfaceError, NotRunningError, UapiClient, UapiError
from pywg.uapi.model import PeerStatus, Status
from pywg.uapi.path import has_live_socket

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
            machine = replace(machine, leftovers=_leftovers(network, machine))
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


def _leftovers(network: NetworkQuestions, machine: MachineFacts) -> tuple[Leftover, ...]:
    from pywg.doctor.leftovers_linux import leftovers  # noqa: PLC0415 (no other system has them)

    if not machine.is_root:  # Neither nft nor sockets are told then.
        return ()
    return leftovers(lambda name: network.link(name) is not None or has_live_socket(name))


def _tun_problem() -> str | None:
    """Opening it makes no interface yet. That it is closed to others than root, they are told anyway."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        os.close(os.open(TUN_DEVICE, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        if isinstance(error, PermissionError) and os.geteuid():
            return None
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
    config, quick = look_at_config(wanted.file)
    facts = replace(_asked(name, link), link=link, config=config)
    names = {} if quick is None else look_up_names(quick.wg.peers)
    if facts.config is not None:
        facts = replace(facts, config=replace(facts.config, names=tuple(names.values())))
    if quick is not None:
        facts = compared(facts, quick)
    if facts.runner is Runner.NOT_WIREGUARD:
        return replace(facts, tun_holder=_holder_of_tun(name))
    port = _port_in_doubt(facts)
    if port:
        facts = replace(facts, port_holder=_holder_of_port(port))
    wants_routes = config is None or config.routes_wanted
    facts = replace(facts, peers=_peers(facts, names, network, wants_routes=wants_routes))
    return facts if network is None or facts.runner not in RUNS else _with_traffic(facts, quick)


def _with_traffic(facts: InterfaceFacts, quick: QuickConfig | None) -> InterfaceFacts:
    """With what the kernel tells of packets to be passed on; of another namespace it tells nothing."""
    from pywg.doctor import forwarding_linux as kernel  # noqa: PLC0415 (no other system has /proc)

    if facts.link is None:
        return facts
    wanted = frozenset[int]() if quick is None else forwarded_versions(quick.hooks)
    versions = {prefix.version for peer in facts.state.peers for prefix in peer.allowed_ips}
    forwarding = (
        ForwardingFacts(
            version,
            is_on=kernel.forwards(facts.name, version) is not False,
            is_wanted=version in wanted,
            refused=kernel.refused(facts.name, version),
        )
        for version in sorted(versions)
    )
    return replace(facts, forwarding=tuple(forwarding), multicasts=kernel.multicasts(facts.name))


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
        astray, own = ((), ()) if network is None else _ways(facts.name, prefixes, network)
        peers.append(
            PeerFacts(
                state,
                status=told.get(state.public_key),
                name=names.get(state.public_key),
                endpoint_route=way,
                astray=astray,
                own=own,
            )
        )
    return tuple(peers)


def _by_key(status: Status | None) -> dict[bytes, PeerStatus]:
    return {} if status is None else {peer.public_key: peer for peer in status.peers}


def _ways(
    name: str, prefixes: Sequence[Prefix], network: NetworkQuestions
) -> tuple[tuple[Astray, ...], tuple[Prefix, ...]]:
    """Prefixes that are astray, and single addresses that are this machine's own.

    A prefix is astray if no address of it that is tried leads to the interface. More specific routes may lead
    parts of it elsewhere, to the LAN or to this machine itself.
    """
    astray, own = [], []
    for prefix in prefixes:
        routes = [network.route(address) for address in samples(prefix)]
        if not any(route.interface == name or route.is_local for route in routes):
            astray.append(Astray(prefix, routes[0].interface))
        if prefix.num_addresses == 1 and routes[0].is_local:
            own.append(prefix)
    return tuple(astray), tuple(own)


def samples(prefix: Prefix) -> list[bytes]:
    """Addresses to try: one in the middle, the first, the last; fewer where they are the same."""
    count = prefix.num_addresses
    chosen = (count // 2, min(1, count - 1), max(count - 2, 0))
    return [prefix[number].packed for number in dict.fromkeys(chosen)]
