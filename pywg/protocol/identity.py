"""Who we are and who a peer is: static keys and what can be computed from them once.

In: raw keys of 32 bytes; out: the keys and secrets a handshake needs. The rule kept: a private key stays
inside an OpenSSL object, appears in no `repr`, and a zero shared secret is never used.
"""

from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from pywg.protocol import noise
from pywg.protocol.constants import KEY_SIZE
from pywg.protocol.failures import HandshakeError, HandshakeFailure, ZeroSharedSecret
from pywg.protocol.macs import cookie_key, mac1_key
from pywg.protocol.static_key import clamp


class Identity:
    """Our static key pair. Raises ValueError for a key that is not 32 bytes."""

    __slots__ = ("mac1_key", "private", "public_key")

    def __init__(self, private_key: bytes) -> None:
        if len(private_key) != KEY_SIZE:
            raise ValueError(f"a private key has {len(private_key)} bytes; expected {KEY_SIZE}")
        self.private: Final = X25519PrivateKey.from_private_bytes(clamp(private_key))
        self.public_key: Final = noise.public_bytes(self.private)
        self.mac1_key: Final = mac1_key(self.public_key)

    def __repr__(self) -> str:
        return f"Identity(public_key={self.public_key.hex()})"

    def private_bytes(self) -> bytes:
        """The private key, clamped: for the UAPI alone."""
        return self.private.private_bytes_raw()

    def shared_secret(self, public: bytes) -> bytes:
        """X25519 with another's public key. Raises ZeroSharedSecret."""
        return noise.dh(self.private, public)


class RemoteStatic:
    """A peer's static public key and what follows from it; made anew when our identity changes.

    Raises ValueError for a key that is not 32 bytes.
    """

    __slots__ = ("_identity", "_is_known", "_static_static", "cookie_key", "mac1_key", "public_key")

    def __init__(self, identity: Identity | None, public_key: bytes) -> None:
        if len(public_key) != KEY_SIZE:
            raise ValueError(f"a public key has {len(public_key)} bytes; expected {KEY_SIZE}")
        self.public_key: Final = public_key
        self.mac1_key: Final = mac1_key(public_key)
        self.cookie_key: Final = cookie_key(public_key)
        self._identity: Final = identity
        self._is_known = False
        self._static_static: bytes | None = None

    def __repr__(self) -> str:
        return f"RemoteStatic(public_key={self.public_key.hex()})"

    @property
    def static_static(self) -> bytes | None:
        """The shared secret of both static keys, made at the first handshake and kept.

        None without an identity and for a public key of low order: then no handshake is made or accepted.
        Not made when the peer is configured: 10,000 peers would hold the packets up for half a second.
        """
        if not self._is_known:
            self._static_static = _static_static(self._identity, self.public_key)
            self._is_known = True
        return self._static_static

    def require_static_static(self) -> bytes:
        """`static_static`. Raises ZeroSharedSecret, or HandshakeError (NO_PRIVATE_KEY)."""
        if self.static_static is not None:
            return self.static_static
        if self._identity is not None:
            raise ZeroSharedSecret
        raise HandshakeError(HandshakeFailure.NO_PRIVATE_KEY)


def _static_static(identity: Identity | None, public_key: bytes) -> bytes | None:
    if identity is None:
        return None
    try:
        return identity.shared_secret(public_key)
    except ZeroSharedSecret:
        return None
