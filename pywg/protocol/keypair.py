"""A session's keys at work, and the three slots they move through (whitepaper 6.2, 6.3; kernel noise.c).

Comes in: what a handshake derived. Goes out: whether, and with which counter, a packet may be sealed under
it, and which keypairs a rotation let go of. Rules kept: nothing is sent or received under a keypair of
REJECT_AFTER_TIME or older, or with a counter of REJECT_AFTER_MESSAGES or more; nothing is sent under *next*.
"""

from struct import Struct
from typing import Final, Generic, TypeVar

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from pywg.protocol.constants import Limits
from pywg.protocol.replay import ReplayWindow

T = TypeVar("T")

NONCE: Final = Struct("<4xQ")
"""Of transport data: four zero bytes and the counter, little-endian (whitepaper 5.4.6)."""


class Keypair(Generic[T]):
    """One session between us and `owner`. The keys themselves are not kept, only the ciphers made of them.

    The packet loops read the attributes; only `counter`, `may_send` and `rekey_told` ever change.
    """

    __slots__ = (
        "born",
        "counter",
        "expires",
        "is_initiator",
        "local_index",
        "may_send",
        "opener",
        "owner",
        "rekey_told",
        "remote_index",
        "replay",
        "sealer",
    )

    def __init__(
        self,
        owner: T,
        *,
        send_key: bytes,
        receive_key: bytes,
        local_index: int,
        remote_index: int,
        is_initiator: bool,
        born: int,
        counter: int,
        limits: Limits,
    ) -> None:
        """`born` in CLOCK_BOOTTIME nanoseconds; `counter` is the first nonce to send with."""
        self.owner = owner
        self.sealer = ChaCha20Poly1305(send_key)
        self.opener = ChaCha20Poly1305(receive_key)
        self.replay = ReplayWindow(limits.reject_after_messages)
        self.local_index = local_index
        self.remote_index = remote_index
        self.is_initiator = is_initiator
        self.born = born
        self.expires = born + limits.reject_after_time
        self.counter = counter
        """The next nonce to send with."""
        self.may_send = True
        """Cleared when our private key changes: such a session is only received under."""
        self.rekey_told = False
        """A new handshake was asked for on account of this keypair's age or use."""

    def __repr__(self) -> str:
        return f"<Keypair local_index={self.local_index:#010x} remote_index={self.remote_index:#010x}>"

    def can_send(self, now: int, limits: Limits) -> bool:
        """Whether a packet may be sealed under it now."""
        return self.may_send and now < self.expires and self.counter < limits.reject_after_messages

    def wants_rekey_after_sending(self, now: int, limits: Limits) -> bool:
        """Whitepaper 6.2: too many messages, or the initiator's session has reached REKEY_AFTER_TIME."""
        return self.counter > limits.rekey_after_messages or (
            self.is_initiator and now - self.born >= limits.rekey_after_time
        )

    def wants_rekey_after_receiving(self, now: int, limits: Limits) -> bool:
        """Whitepaper 6.2: an initiator that hardly sends must still renew the session before it ends."""
        return self.may_send and self.is_initiator and now - self.born >= limits.rekey_after_time_receiving


class KeypairSlots(Generic[T]):
    """*previous*, *current* and *next* of one peer, rotated as the kernel does."""

    __slots__ = ("current", "next", "previous")

    def __init__(self) -> None:
        self.previous: Keypair[T] | None = None
        self.current: Keypair[T] | None = None
        self.next: Keypair[T] | None = None

    def install_current(self, new: Keypair[T]) -> list[Keypair[T]]:
        """We were the initiator. Returns the keypairs let go of.

        A *next* the peer may have begun to use becomes *previous*, for packets under way; only without one
        does the old *current* stay to be received under.
        """
        if self.next is not None:
            gone = (self.previous, self.current)
            self.previous, self.next = self.next, None
        else:
            gone = (self.previous, None)
            self.previous = self.current
        self.current = new
        return [keypair for keypair in gone if keypair is not None]

    def install_next(self, new: Keypair[T]) -> list[Keypair[T]]:
        """We were the responder. Returns the keypairs let go of: *previous* and an unconfirmed *next*."""
        gone = (self.previous, self.next)
        self.previous, self.next = None, new
        return [keypair for keypair in gone if keypair is not None]

    def confirm_next(self) -> list[Keypair[T]]:
        """The initiator has used *next*: it is *current* now. Returns the keypairs let go of."""
        gone = self.previous
        self.previous, self.current, self.next = self.current, self.next, None
        return [] if gone is None else [gone]

    def drop(self) -> list[Keypair[T]]:
        """Let go of all."""
        gone = (self.previous, self.current, self.next)
        self.previous = self.current = self.next = None
        return [keypair for keypair in gone if keypair is not None]

    def expire_sending(self) -> None:
        """Our private key changed (kernel wg_noise_expire_current_peer_keypairs)."""
        for keypair in (self.current, self.next):
            if keypair is not None:
                keypair.may_send = False
