"""What of handshake datagrams reaches the control plane: size, type, receiver index and MAC1 come first.

Comes in: datagrams that are not transport data. Goes out: messages 1, 2 and 3 into the mailbox. Rules kept:
MAC1 is checked for 1 and 2 (whitepaper 5.3), and 2 and 3 must name an index we wait for, so that a
flood of rubbish costs one hash each and no handshake.
"""

from pywg.endpoint import Source
from pywg.engine.contract import Drop
from pywg.engine.plane import Plane
from pywg.protocol.constants import MessageType
from pywg.protocol.macs import check_mac1
from pywg.protocol.messages import message_type

_RECEIVER_AT = {MessageType.RESPONSE: 8, MessageType.COOKIE_REPLY: 4}
"""Where a message names the index it answers to (whitepaper 5.4.3, 5.4.7)."""


class Admission:
    """The gate before the handshake queue."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane

    def offer(self, datagram: bytes | memoryview, source: Source) -> None:
        """Queue a datagram for the control plane, or count why not."""
        cause = self._objection(datagram)
        if cause is None and not self._plane.mailbox.put_handshake(datagram, source):
            cause = Drop.HANDSHAKE_QUEUE_FULL
        if cause is not None:
            self._plane.drop(cause)

    def _objection(self, datagram: bytes | memoryview) -> Drop | None:
        plane = self._plane
        kind = message_type(datagram)
        if kind is None or kind is MessageType.TRANSPORT_DATA:
            return Drop.BAD_SIZE
        at = _RECEIVER_AT.get(kind)
        if at is not None and int.from_bytes(datagram[at : at + 4], "little") not in plane.pending:
            return Drop.UNKNOWN_INDEX
        if plane.mac1_key is None:
            return Drop.BAD_MAC1
        if kind is not MessageType.COOKIE_REPLY and not check_mac1(plane.mac1_key, datagram):
            return Drop.BAD_MAC1
        return None
