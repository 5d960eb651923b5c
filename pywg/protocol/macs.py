"""The two MACs at the end of messages 1 and 2, and the keys they are made with (whitepaper 5.4.4, 5.4.7).

In: public keys and datagrams; out: keys, MACs and verdicts. The rule kept: MACs are compared in constant
time, and MAC1 is checked before anything dearer is done for a datagram.
"""

import hashlib
import hmac
from typing import Final

from pywg.protocol.constants import MAC_SIZE
from pywg.protocol.messages import MACS_SIZE, Datagram

_LABEL_MAC1: Final = b"mac1----"
_LABEL_COOKIE: Final = b"cookie--"


def mac1_key(public_key: bytes) -> bytes:
    """Key of the MAC1 of everything sent to the owner of `public_key` (32 bytes)."""
    return hashlib.blake2s(_LABEL_MAC1 + public_key).digest()


def cookie_key(public_key: bytes) -> bytes:
    """Key under which the owner of `public_key` seals its cookie replies (32 bytes)."""
    return hashlib.blake2s(_LABEL_COOKIE + public_key).digest()


def mac(key: bytes, data: Datagram) -> bytes:
    """Keyed BLAKE2s with 16 bytes of output: Mac() of the whitepaper."""
    return hashlib.blake2s(data, key=key, digest_size=MAC_SIZE).digest()


def check_mac1(key: bytes, datagram: Datagram) -> bool:
    """Whether message 1 or 2 carries the right MAC1, in constant time.

    `key` is `mac1_key` of our own public key. The size of the datagram must have been checked.
    """
    covered = memoryview(datagram)[:-MACS_SIZE]
    return hmac.compare_digest(mac(key, covered), datagram[-MACS_SIZE:-MAC_SIZE])
