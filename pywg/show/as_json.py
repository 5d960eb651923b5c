"""A device as JSON, in the shape of wireguard-tools' contrib/json (``wg-json``).

In: the state a get told. Out: a mapping of plain values, ready for `json`. What is not set or 0 is left out,
but a peer always has its allowed IPs. No I/O. Rule kept: keys that are secret are left out unless the caller
asks for them.
"""

from typing import Any

from pywg.base64_key import key_to_base64
from pywg.protocol.constants import SECOND
from pywg.show.text import endpoint_text, prefix_text
from pywg.uapi.model import UNSET_KEY, DeviceState, PeerState


def json_form(state: DeviceState, *, hide_keys: bool = True) -> dict[str, Any]:
    """What stands under the interface's name. Times are in seconds since 1970, sizes in bytes."""
    public_key = state.public_key
    peers = {key_to_base64(peer.public_key): _peer_form(peer, hide_keys=hide_keys) for peer in state.peers}
    return {
        **({"privateKey": key_to_base64(state.private_key)} if public_key and not hide_keys else {}),
        **({"publicKey": key_to_base64(public_key)} if public_key else {}),
        **_unless_zero("listenPort", state.listen_port),
        **_unless_zero("fwmark", state.fwmark),
        "peers": peers,
    }


def _peer_form(peer: PeerState, *, hide_keys: bool) -> dict[str, Any]:
    has_key = peer.preshared_key != UNSET_KEY
    return {
        **({"presharedKey": key_to_base64(peer.preshared_key)} if has_key and not hide_keys else {}),
        **({"endpoint": endpoint_text(peer.endpoint)} if peer.endpoint is not None else {}),
        **_unless_zero("latestHandshake", peer.last_handshake_ns // SECOND),
        **_unless_zero("transferRx", peer.rx_bytes),
        **_unless_zero("transferTx", peer.tx_bytes),
        **_unless_zero("persistentKeepalive", peer.persistent_keepalive_interval),
        "allowedIps": [prefix_text(prefix) for prefix in peer.allowed_ips],
    }


def _unless_zero(name: str, number: int) -> dict[str, int]:
    return {name: number} if number else {}
