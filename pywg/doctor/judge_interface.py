"""What is wrong with the machine or with one interface, its peers apart: facts in, findings out.

In: `MachineFacts`, `InterfaceFacts`. Out: everything that could be said, the explained included; `judge`
takes those away. Rule kept: what anybody can cause from afar (rubbish, unknown keys) is told only where a
peer is missed, or of late, so that a server on the internet is not called ill for ever. No I/O.
"""

from collections.abc import Iterator
from typing import Final

from pywg.base64_key import key_to_base64
from pywg.doctor.facts import RUNS, InterfaceFacts, Leftover, MachineFacts, Runner
from pywg.doctor.findings import Code, Finding, ok, problem, sentence, warning
from pywg.doctor.handshake_history import History, span, times
from pywg.doctor.judge_config import access_denied, judge_config, port_taken
from pywg.doctor.judge_traffic import judge_traffic
from pywg.engine.contract import Drop
from pywg.protocol.constants import SECOND
from pywg.protocol.failures import HandshakeFailure

YEAR_2020: Final = 1_577_836_800
"""Unix time. A clock before it was never set: this program is younger."""
LATELY: Final = 300
"""Seconds. Whoever wants a tunnel tries at least every two minutes."""
NOW: Final = 60
"""Seconds in which load counts as present."""


def judge_machine(machine: MachineFacts) -> Iterator[Finding]:
    """Everything that can be said of the machine."""
    if not machine.is_root:
        yield warning(
            Code.NOT_ROOT,
            "Doctor does not run as root: interfaces and files of root's are closed to it.",
            "Run it again as root: sudo pywg doctor",
        )
    if machine.tun_problem is not None:
        yield problem(
            Code.NO_TUN_DEVICE,
            f"TUN devices cannot be made here: {machine.tun_problem}.",
            "Load the module (modprobe tun); in a container, give it /dev/net/tun and CAP_NET_ADMIN.",
        )
    if not machine.engine:
        yield problem(
            Code.NO_ENGINE,
            f"No engine can carry packets: {machine.engine_reason}.",
            "Set PYWG_ENGINE to auto, or leave it unset.",
        )
    if machine.wall_ns < YEAR_2020 * SECOND:
        yield problem(
            Code.CLOCK_UNSET,
            "The clock of this machine is not set: it says a year before 2020, and peers that have seen a "
            "later time from us refuse our handshakes as old.",
            "Set the clock (NTP) before the tunnel comes up.",
        )
    for leftover in machine.leftovers:
        yield _left_behind(leftover)
    yield ok(
        Code.MACHINE_READY,
        f"This machine can run tunnels; engine: {machine.engine} ({machine.engine_reason}).",
    )


def _left_behind(leftover: Leftover) -> Finding:
    what = ", ".join(
        [f"nft table {table}" for table in leftover.tables] + [f"rule {rule}" for rule in leftover.rules]
    )
    if leftover.name:
        return warning(
            Code.LEFT_BEHIND,
            f"The interface {leftover.name} is gone and has left behind: {what}.",
            f"Take it away: pywg down {leftover.name}",
        )
    first = leftover.rules[0]
    return warning(
        Code.LEFT_BEHIND,
        f"An interface that is gone has left behind: {what}; there is no route in such a table.",
        f"Take it away: ip -{first.version} rule delete {first.words}",
    )


def no_interface(machine: MachineFacts) -> Finding:
    """None was named, and there is none."""
    files = machine.other_configs
    bring_up = (
        f"Bring one up: pywg up {files[0]}" if files else "Write /etc/wireguard/wg0.conf, then: pywg up wg0"
    )
    have = f"; /etc/wireguard has files for {', '.join(files)}" if files else ""
    return problem(Code.NO_INTERFACE, f"There is no WireGuard interface{have}.", bring_up)


def judge_interface(interface: InterfaceFacts, machine: MachineFacts) -> Iterator[Finding]:
    """Everything that can be said of it."""
    name = interface.name
    yield from _runner(interface, machine)
    yield from _name_clash(interface)
    if interface.config is not None:
        yield from judge_config(interface, interface.config)
    if interface.runner not in RUNS:
        return
    if interface.public_key is None:
        yield problem(
            Code.NO_PRIVATE_KEY,
            "The interface has no private key, and so cannot make or take any handshake.",
            f"Set one: pywg genkey > key, then pywg set {name} private-key key; or PrivateKey in its file.",
        )
    if not interface.state.peers:
        yield problem(
            Code.NO_PEERS,
            "The interface has no peers: there is nobody to talk to.",
            f"Add one: pywg set {name} peer PUBLIC-KEY allowed-ips ADDRESS/32 endpoint HOST:PORT; or a "
            "[Peer] section in its file.",
        )
    if machine.sees_links:
        yield from _link(interface)
    yield from _socket(interface)
    yield from _strangers(interface, machine.wall_ns)
    yield from _load(interface)
    yield from judge_traffic(interface, machine.wall_ns)
    yield ok(Code.INTERFACE_READY, _ready(interface))


def _runner(interface: InterfaceFacts, machine: MachineFacts) -> Iterator[Finding]:
    name = interface.name
    match interface.runner:
        case Runner.HIDDEN:
            yield access_denied(sentence(f"{name} may not be asked: {interface.error}"), name)
        case Runner.SILENT:
            yield problem(
                Code.DAEMON_SILENT,
                f"The daemon of {name} does not answer: {interface.error}.",
                f"End it and start it again: pywg down {name}, pywg up {name}",
            )
        case Runner.NOT_WIREGUARD:
            yield _not_wireguard(interface)
        case Runner.NOBODY:
            yield _missing(interface, machine)
        case Runner.OTHER:
            yield ok(
                Code.TELLS_LESS,
                "Its daemon is not pywg and tells less: which handshakes fail and why, what is dropped, "
                "and what the network refuses cannot be known.",
            )
        case Runner.KERNEL:
            yield ok(
                Code.TELLS_LESS,
                "The kernel runs it and tells less: which handshakes fail and why, what is dropped, and "
                "what the network refuses cannot be known.",
            )
        case Runner.PYWG:
            pass


def _name_clash(interface: InterfaceFacts) -> Iterator[Finding]:
    name, link = interface.name, interface.link
    if interface.runner in {Runner.PYWG, Runner.OTHER} and link is not None and link.kind not in {"tun", ""}:
        yield problem(
            Code.NAME_CLASH,
            f"A daemon answers for {name}, but the interface {name} here is another one (kind: "
            f"{link.kind}): what is set on the one does not concern the other.",
            f"Let one of them go: end that daemon; or take the interface away: ip link delete {name}",
        )


def _not_wireguard(interface: InterfaceFacts) -> Finding:
    name, link = interface.name, interface.link
    if link is None or link.kind != "tun":
        kind = link.kind if link is not None and link.kind else "network"
        return problem(
            Code.NOT_WIREGUARD,
            f"The interface {name} is no WireGuard interface but a {kind} device.",
            "Give the tunnel another name, or remove that interface.",
        )
    holder = interface.tun_holder
    described = f"is held by {holder}, which" if holder else "is a TUN device that"
    return problem(
        Code.NOT_WIREGUARD,
        f"The interface {name} {described} answers to no WireGuard tool: another program's tunnel, or a "
        "daemon whose socket was removed.",
        f"End that program (ip link delete {name} takes the interface away), then: pywg up {name}",
    )


def _missing(interface: InterfaceFacts, machine: MachineFacts) -> Finding:
    name = interface.name
    if interface.config is not None:
        return problem(
            Code.INTERFACE_MISSING,
            f"There is no interface {name}.",
            f"Bring it up: pywg up {interface.config.path}",
        )
    others = f" (there is one for {', '.join(machine.other_configs)})" if machine.other_configs else ""
    return problem(
        Code.INTERFACE_MISSING,
        f"There is no interface {name}, and no file for it in /etc/wireguard{others}.",
        f"Write /etc/wireguard/{name}.conf, then: pywg up {name}",
    )


def _link(interface: InterfaceFacts) -> Iterator[Finding]:
    name, link = interface.name, interface.link
    told = None if interface.status is None else interface.status.sockets.get("link")
    if link is None:
        yield ok(
            Code.LINK_ELSEWHERE,
            f"The interface {name} is in another network namespace: its addresses and routes were not "
            "looked at.",
            "Run doctor there as well (ip netns exec NAME pywg doctor).",
        )
    elif not link.addresses:
        yield warning(
            Code.NO_ADDRESS,
            "The interface has no address: packets leave with another interface's source, which the peer "
            "drops.",
            f"Give it one, as Address in its file or at once: ip address add ADDRESS/24 dev {name}",
        )
    if (link is not None and not link.is_up) or told == "down":
        yield problem(
            Code.INTERFACE_DOWN,
            f"The interface {name} is down.",
            f"Set it up: ip link set {name} up",
        )


def _socket(interface: InterfaceFacts) -> Iterator[Finding]:
    error = "" if interface.status is None else interface.status.sockets.get("error", "")
    if not error:
        return
    if interface.port_holder or "in use" in error:
        yield port_taken(f"The interface has no socket: {error}", interface.port_holder)
    else:
        yield problem(
            Code.NO_SOCKET,
            f"The interface has no socket: {error}.",
            f"Set another port; 0 takes a free one: pywg set {interface.name} listen-port 0",
        )


def _strangers(interface: InterfaceFacts, wall_ns: int) -> Iterator[Finding]:
    status = interface.status
    if status is None:
        return
    stranger = status.stranger
    if stranger is not None and stranger.seconds_ago <= LATELY:
        key = key_to_base64(stranger.public_key)
        yield problem(
            Code.UNKNOWN_KEY,
            f"Handshake initiations arrive from {stranger.source} with a public key that no peer here has: "
            f"{key} (the last {span(stranger.seconds_ago)} ago).",
            f"If that is the other side's key ('pywg show' there), add it: pywg set {interface.name} peer "
            f"{key} allowed-ips ADDRESS/32, and remove a wrong one. Else leave it: anybody can send such.",
        )
    strays = status.drops.get(Drop.BAD_MAC1.value, 0)
    if strays and any(History(peer, wall_ns).is_wanted for peer in interface.peers):
        ours = "" if interface.public_key is None else f", {key_to_base64(interface.public_key)},"
        yield problem(
            Code.MADE_FOR_ANOTHER_KEY,
            f"{times(strays, 'handshake message')} arrived made for another public key than ours: the other "
            "side has a wrong one for this interface.",
            f"Set our public key{ours} as PublicKey on the other side.",
        )


def _load(interface: InterfaceFacts) -> Iterator[Finding]:
    status = interface.status
    if status is None:
        return
    ages, counts = status.handshake_failure_ages, status.handshake_failures
    limited, unproved = HandshakeFailure.RATE_LIMIT.value, HandshakeFailure.COOKIE.value
    if ages.get(limited, NOW) < NOW:
        yield warning(
            Code.RATE_LIMITED,
            f"Handshakes are refused because one source sends too many ({counts.get(limited, 0)} up to now).",
            "Find out which peer starts anew so often, or block the source; others are served.",
        )
    if ages.get(unproved, NOW) < NOW:
        yield warning(
            Code.UNDER_LOAD,
            "The interface is under load: so many handshakes arrive that each sender must prove its "
            f"address ({counts.get(unproved, 0)} were asked to).",
            "Nothing for the tunnels, which go on; if it lasts, limit UDP to the port in a firewall.",
        )


def _ready(interface: InterfaceFacts) -> str:
    state, link = interface.state, interface.link
    engine = f", engine {interface.status.engine}" if interface.status is not None else ""
    mtu = f", MTU {link.mtu}" if link is not None else ""
    port = f"listens on UDP port {state.listen_port}" if state.listen_port else "is configured"
    return f"The interface {port}{mtu}{engine}, {times(len(state.peers), 'peer')}."
