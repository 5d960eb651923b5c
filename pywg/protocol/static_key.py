"""A private key by itself: the form X25519 uses and the public key that belongs to it.

In: 32 random or given bytes. Out: 32 bytes. Rule kept: RFC 7748, section 5. Apart from `identity`, because
the commands that make and show keys need nothing else of the protocol, nor its import time.
"""


def clamp(private_key: bytes) -> bytes:
    """The 32 bytes X25519 really uses, as `wg genkey` makes and `wg show` prints them."""
    number = int.from_bytes(private_key, "little")
    number &= (1 << 254) - 8
    number |= 1 << 254
    return number.to_bytes(len(private_key), "little")


def public_key(private_key: bytes) -> bytes:
    """The public key of a private one, clamped or not. Raises ValueError if it is not 32 bytes."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey  # noqa: PLC0415 (genkey needs none)

    return X25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw()
