"""A device's state as a file: for wg(8) what ``showconf`` prints, for wg-quick(8) what ``save`` writes.

In: states and configurations. Out: text, final newline included. Rules kept: showconf.c byte for byte, and
save_config of wg-quick/linux.bash. No I/O: who writes the text to a file makes it 0600, for it holds keys.
"""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Interface, IPv6Interface
from typing import Final

from pywg.config.keys import key_to_base64
from pywg.config.model import QuickConfig
from pywg.config.text import endpoint_text, prefix_text
from pywg.uapi.model import UNSET_KEY, DeviceState, PeerState

_HEADING: Final = "[Interface]\n"


def showconf(state: DeviceState) -> str:
    """What ``wg showconf`` prints of a device."""
    return "".join(f"{line}\n" for line in _lines(state))


def quick_file_text(
    config: QuickConfig,
    state: DeviceState,
    addresses: Iterable[IPv4Interface | IPv6Interface],
    dns: Iterable[str],
    mtu: int | None,
) -> str:
    """What ``wg-quick save`` writes: what holds now, and from the file what no device can tell.

    `dns`: servers now set for the interface. `mtu`: the interface's; it is written only if the file had one.
    """
    own = [
        *(f"Address = {address}" for address in addresses),
        *(f"DNS = {server}" for server in dns),
    ]
    if config.mtu is not None and mtu is not None:
        own.append(f"MTU = {mtu}")
    if config.table_text:
        own.append(f"Table = {config.table_text}")
    if config.save_config:
        own.append("SaveConfig = true")
    hooks = config.hooks
    for name, commands in (
        ("PreUp", hooks.pre_up),
        ("PostUp", hooks.post_up),
        ("PreDown", hooks.pre_down),
        ("PostDown", hooks.post_down),
    ):
        own += (f"{name} = {command}" for command in commands)
    rest = showconf(state).removeprefix(_HEADING).rstrip("\n")
    return _HEADING + "".join(f"{line}\n" for line in own) + (f"{rest}\n" if rest else "")


def _lines(state: DeviceState) -> Iterator[str]:
    yield "[Interface]"
    if state.listen_port:
        yield f"ListenPort = {state.listen_port}"
    if state.fwmark:
        yield f"FwMark = {state.fwmark:#x}"
    if state.private_key != UNSET_KEY:
        yield f"PrivateKey = {key_to_base64(state.private_key)}"
    yield ""
    for number, peer in enumerate(state.peers):
        if number:
            yield ""
        yield from _peer_lines(peer)


def _peer_lines(peer: PeerState) -> Iterator[str]:
    yield "[Peer]"
    yield f"PublicKey = {key_to_base64(peer.public_key)}"
    if peer.preshared_key != UNSET_KEY:
        yield f"PresharedKey = {key_to_base64(peer.preshared_key)}"
    if peer.allowed_ips:
        yield f"AllowedIPs = {', '.join(map(prefix_text, peer.allowed_ips))}"
    if peer.endpoint is not None:
        yield f"Endpoint = {endpoint_text(peer.endpoint)}"
    if peer.persistent_keepalive_interval:
        yield f"PersistentKeepalive = {peer.persistent_keepalive_interval}"
