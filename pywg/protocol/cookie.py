"""Cookies: proof of address under load, on both sides of it (whitepaper 5.4.4, 5.4.7; kernel cookie.c).

In: handshake messages, cookie replies, source addresses, `now`; out: messages with their MACs, cookie replies
and verdicts. The rules kept: a cookie binds address and port; the secret it is made with lives 120 s and the
cookie is used for 115 s; a reply is bound to one message by that message's MAC1, works once, and does nothing
but set the cookie.
"""

import hmac
from collections.abc import Callable
from typing import Final

from pywg.protocol.constants import KEY_SIZE, MAC_SIZE, Limits
from pywg.protocol.identity import RemoteStatic
from pywg.protocol.macs import check_mac1, cookie_key, mac, mac1_key
from pywg.protocol.messages import MACS_SIZE, NO_MAC, CookieReply, Datagram, MalformedMessage

__all__ = ["CookieChecker", "CookieSender", "check_mac1", "mac1_key"]

_MAC1: Final = slice(-MACS_SIZE, -MAC_SIZE)
_SENDER_INDEX: Final = slice(4, 8)


class CookieSender:
    """A peer as the receiver of our handshakes: makes their MACs, keeps the cookie it gave us.

    Belongs to one peer and outlives its handshakes. Times are CLOCK_BOOTTIME nanoseconds.
    """

    __slots__ = ("_awaited_mac1", "_cookie", "_cookie_key", "_mac1_key", "_received", "_use_time")

    def __init__(self, remote: RemoteStatic, limits: Limits) -> None:
        self._mac1_key: Final = remote.mac1_key
        self._cookie_key: Final = remote.cookie_key
        self._use_time: Final = limits.cookie_use_time
        self._cookie: bytes | None = None
        self._received = 0
        self._awaited_mac1: bytes | None = None
        """MAC1 of the last message sent, until a cookie reply to it came."""

    def seal(self, message: bytes, now: int) -> bytes:
        """The message with MAC1 and MAC2 appended; MAC2 is zeros without a fresh cookie.

        From here on one cookie reply to this message, and to no earlier one, can be consumed.
        """
        mac1 = mac(self._mac1_key, message)
        self._awaited_mac1 = mac1
        with_mac1 = message + mac1
        if self._cookie is not None and now - self._received >= self._use_time:
            self._cookie = None
        return with_mac1 + (NO_MAC if self._cookie is None else mac(self._cookie, with_mac1))

    def consume_reply(self, datagram: bytes, now: int) -> bool:
        """Take the cookie out of a message 3. Once for each message sent.

        False, and nothing has changed, if the reply is not authentic or none is awaited. The caller has
        found this peer by the reply's receiver index.
        """
        if self._awaited_mac1 is None:
            return False
        try:
            reply = CookieReply.parse(datagram)
        except MalformedMessage:
            return False
        cookie = _open(self._cookie_key, reply, self._awaited_mac1)
        if cookie is None:
            return False
        self._cookie = cookie
        self._received = now
        self._awaited_mac1 = None
        return True


class CookieChecker:
    """Our device as the receiver of handshakes under load: makes cookie replies, checks MAC2.

    `random_bytes` draws the rotating secret. Make a new one when the device's key changes. Times are
    CLOCK_BOOTTIME nanoseconds; `source` is address and port in network order (`Endpoint.packed`).
    """

    __slots__ = ("_born", "_cookie_key", "_lifetime", "_random_bytes", "_secret")

    def __init__(
        self, identity_public_key: bytes, limits: Limits, random_bytes: Callable[[int], bytes]
    ) -> None:
        self._cookie_key: Final = cookie_key(identity_public_key)
        self._lifetime: Final = limits.cookie_secret_lifetime
        self._random_bytes: Final = random_bytes
        self._secret: bytes | None = None
        self._born = 0

    def has_valid_mac2(self, datagram: Datagram, source: bytes, now: int) -> bool:
        """Whether message 1 or 2 proves that its sender receives at `source`. Size and MAC1 are checked."""
        secret = self._live_secret(now)
        if secret is None:
            return False
        covered = memoryview(datagram)[:-MAC_SIZE]
        return hmac.compare_digest(mac(mac(secret, source), covered), datagram[-MAC_SIZE:])

    def create_reply(self, datagram: Datagram, source: bytes, now: int, *, nonce: bytes) -> bytes:
        """Message 3 (64 bytes) to the sender of a message 1 or 2 whose MAC1 was right.

        `nonce` is 24 fresh random bytes.
        """
        secret = self._live_secret(now)
        if secret is None:
            secret = self._secret = self._random_bytes(KEY_SIZE)
            self._born = now
        sealed = _seal(self._cookie_key, nonce, mac(secret, source), bytes(datagram[_MAC1]))
        return CookieReply(int.from_bytes(datagram[_SENDER_INDEX], "little"), nonce, sealed).to_bytes()

    def _live_secret(self, now: int) -> bytes | None:
        return None if now - self._born >= self._lifetime else self._secret


# PyNaCl takes 20 ms to import, which start-up would pay for something only a flood needs.


def _seal(key: bytes, nonce: bytes, cookie: bytes, mac1: bytes) -> bytes:
    """XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha) with MAC1 as associated data."""
    from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt  # noqa: PLC0415 (see above)

    return crypto_aead_xchacha20poly1305_ietf_encrypt(cookie, mac1, nonce, key)


def _open(key: bytes, reply: CookieReply, mac1: bytes) -> bytes | None:
    """The cookie, or None if the reply is not authentic or answers a message with another MAC1."""
    from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt  # noqa: PLC0415 (see above)
    from nacl.exceptions import CryptoError  # noqa: PLC0415 (see above)

    try:
        return crypto_aead_xchacha20poly1305_ietf_decrypt(reply.encrypted_cookie, mac1, reply.nonce, key)
    except CryptoError:
        return None
