"""The configuration of the two ends: fresh keys, each the other's only peer.

In: the ends. Out: one UAPI change for each, and the same in the words of `wg set`.
"""

from ipaddress import IPv4Network

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from pywg.base64_key import key_to_base64
from pywg.demo.lab import LISTEN_PORT, End
from pywg.endpoint import Endpoint
from pywg.uapi.model import DeviceChange, PeerChange, PrefixChange


def changes(ends: tuple[End, End]) -> tuple[DeviceChange, DeviceChange]:
    """In the order of the ends."""
    first, second = ends
    one, two = X25519PrivateKey.generate(), X25519PrivateKey.generate()
    return _change(one, two, second), _change(two, one, first)


def _change(own: X25519PrivateKey, others: X25519PrivateKey, other: End) -> DeviceChange:
    peer = PeerChange(
        public_key=others.public_key().public_bytes_raw(),
        endpoint=Endpoint(str(other.wire.ip), LISTEN_PORT),
        replace_allowed_ips=True,
        allowed_ips=(PrefixChange(IPv4Network(other.inner.ip)),),
    )
    return DeviceChange(
        private_key=own.private_bytes_raw(), listen_port=LISTEN_PORT, replace_peers=True, peers=(peer,)
    )


def in_words_of_wg(device: str, change: DeviceChange) -> str:
    """What a reader would type. The private key is not told."""
    words = ["wg genkey | wg set", device, f"listen-port {change.listen_port} private-key /dev/stdin"]
    for peer in change.peers:
        prefixes = ",".join(str(one.prefix) for one in peer.allowed_ips)
        key = key_to_base64(peer.public_key)
        words.append(f"peer {key} endpoint {peer.endpoint} allowed-ips {prefixes}")
    return " ".join(words)
