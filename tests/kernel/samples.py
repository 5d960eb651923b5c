"""Keys and configuration files for the tests with the kernel's WireGuard.

Comes in: numbers. Goes out: keys that are the same in every run, and files for the guest.
"""

import hashlib
from base64 import b64encode

OWN, OTHER = 1, 2
"""Private keys of two interfaces."""


def key(number: int) -> str:
    """A key in base64; any 32 bytes are one."""
    return b64encode(hashlib.sha256(b"pywg test key %d" % number).digest()).decode()


def many_peers(count: int, *, first: int = 100) -> str:
    """A file with a peer per number from `first`; every third has all there is."""
    sections = [f"[Interface]\nPrivateKey = {key(OWN)}\nListenPort = 51820\n"]
    for number in range(first, first + count):
        lines = [f"[Peer]\nPublicKey = {key(number)}\nAllowedIPs = 10.{number // 256}.{number % 256}.0/24"]
        if number % 3 == 0:
            lines += [
                f"AllowedIPs = fd00:{number:x}::/64, 10.99.{number // 256}.{number % 256}/32",
                f"PresharedKey = {key(number + 100_000)}",
                f"Endpoint = 192.0.2.{number % 250}:{number}",
                "PersistentKeepalive = 25",
            ]
        sections.append("\n".join(lines) + "\n")
    return "\n".join(sections)


def wide_peers(count: int) -> str:
    """A file whose second peer of three has `count` allowed IPs of each family."""
    prefixes = [f"10.{n // 256}.{n % 256}.0/24, fd00:0:0:{n:x}::/64" for n in range(count)]
    allowed_ips = ["192.168.1.0/24", ", ".join(prefixes), "192.168.2.0/24"]
    peers = (f"[Peer]\nPublicKey = {key(n)}\nAllowedIPs = {ips}\n" for n, ips in enumerate(allowed_ips, 100))
    return "\n".join(("[Interface]\n", *peers))


SMALL = f"""[Interface]
PrivateKey = {key(OWN)}
ListenPort = 51821
FwMark = 0xca6c

[Peer]
PublicKey = {key(100)}
PresharedKey = {key(200)}
AllowedIPs = 10.0.0.0/8, fd00::/16
Endpoint = 192.0.2.1:77
PersistentKeepalive = 25

[Peer]
PublicKey = {key(101)}
AllowedIPs = 10.1.0.0/16
Endpoint = [2001:db8::1]:77
"""

CHANGED = f"""[Interface]
PrivateKey = {key(OTHER)}

[Peer]
PublicKey = {key(100)}
PresharedKey = {key(201)}
AllowedIPs = 10.1.0.0/16, fd00::/16
Endpoint = 192.0.2.2:78
PersistentKeepalive = 26

[Peer]
PublicKey = {key(102)}
AllowedIPs = 10.0.0.0/8
"""

UP = f"""[Interface]
PrivateKey = {key(OWN)}
Address = 10.9.0.1/24, fd09::1/64
ListenPort = 51830
MTU = 1400
PostUp = echo up %i >> /tmp/hooks
PostDown = echo down %i >> /tmp/hooks

[Peer]
PublicKey = {key(100)}
PresharedKey = {key(200)}
AllowedIPs = 10.9.0.0/24, 10.10.0.0/16, fd0a::/64
Endpoint = 127.0.0.1:77
"""
FAILING = UP.replace("PostUp = ", "PostUp = false; ")

UPDATE_ONLY = """from base64 import b64decode
from ipaddress import IPv4Network
from sys import argv

from pywg.kernel.client import KernelClient
from pywg.uapi.model import DeviceChange, PeerChange, PrefixChange

prefixes = tuple(PrefixChange(IPv4Network((n << 8, 24))) for n in range(600))
peers = (PeerChange(b64decode(key), update_only=True, allowed_ips=prefixes) for key in argv[2:])
KernelClient(argv[1]).set(DeviceChange(peers=tuple(peers)))
"""
"""A program: of the peers it is told, those that exist get 600 allowed IPs."""

FILES = {
    f"/samples/{name}": text.encode()
    for name, text in {
        "own": key(OWN),
        "psk": key(200),
        "empty": "",
        "small.conf": SMALL,
        "changed.conf": CHANGED,
        "many.conf": many_peers(500),
        "fewer.conf": many_peers(400, first=150),
        "update_only.py": UPDATE_ONLY,
        "wide.conf": wide_peers(3000),
    }.items()
} | {"/etc/wireguard/quick.conf": UP.encode(), "/etc/wireguard/failing.conf": FAILING.encode()}
"""By their paths in the guest."""
