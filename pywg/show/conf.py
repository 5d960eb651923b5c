"""A device as ``wg showconf`` prints it: a configuration file for ``setconf``.

In: the state a get told. Out: text, final newline included, byte for byte that of wg(8) (showconf.c). No I/O:
who writes the text to a file makes it 0600, for it holds keys.
"""

from collections.abc import Iterator

from pywg.base64_key import key_to_base64
from pywg.show.text import endpoint_text, prefix_text
from pywg.uapi.model import UNSET_KEY, DeviceState, PeerState


def showconf(state: DeviceState) -> str:
    """What ``wg showconf`` prints of a device."""
    return "".join(f"{line}\n" for line in _lines(state))


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
