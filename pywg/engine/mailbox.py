"""What waits for the control plane: handshake datagrams, notices about peers, a failure.

Comes in: what the packet loops found. Goes out: what the control plane takes. Rules kept: the handshake
queue is bounded and drops the newest; a peer is in the list of dirty peers once, whatever happens to it; the
wake-up descriptor is readable exactly while something waits.
"""

from collections import deque
from itertools import islice

from pywg.endpoint import Source
from pywg.engine.contract import Failure, HandshakeDatagram, Notice, PeerNotice
from pywg.engine.peer_state import PeerState
from pywg.engine.wakeup import Wakeup


class Mailbox:
    """The engine's half of the seam that points upward."""

    def __init__(self, handshake_queue: int) -> None:
        """`handshake_queue`: most handshake datagrams that may wait."""
        self._most_handshakes = handshake_queue
        self._handshakes: deque[HandshakeDatagram] = deque()
        # A dictionary is a set that keeps its order, so that runs can be replayed.
        self._dirty: dict[PeerState, None] = {}
        self._failures: deque[Failure] = deque(maxlen=8)
        self._wakeup = Wakeup()

    def fileno(self) -> int:
        return self._wakeup.fileno()

    @property
    def handshakes_waiting(self) -> int:
        return len(self._handshakes)

    def put_handshake(self, datagram: bytes | memoryview, source: Source) -> bool:
        """Returns False if the queue is full."""
        depth = len(self._handshakes)
        if depth >= self._most_handshakes:
            return False
        self._handshakes.append(HandshakeDatagram(bytes(datagram), source, depth))
        self._wakeup.set()
        return True

    def notify(self, peer: PeerState, notice: Notice) -> None:
        """Add to what will be told of a peer."""
        peer.notice |= notice
        self._dirty[peer] = None
        self._wakeup.set()

    def fail(self, part: str, errno: int) -> None:
        """A descriptor died; `part` as in `Failure`."""
        self._failures.append(Failure(part, errno))
        self._wakeup.set()

    def take_handshakes(self, most: int) -> list[HandshakeDatagram]:
        queue = self._handshakes
        taken = [queue.popleft() for _ in range(min(most, len(queue)))]
        self._settle()
        return taken

    def take_notices(self, most: int) -> list[PeerNotice]:
        taken = []
        for peer in list(islice(self._dirty, most)):
            taken.append(PeerNotice(peer.id, peer.notice, peer.freed, peer.confirmed_index))
            self._clean(peer)
        self._settle()
        return taken

    def take_failure(self) -> Failure | None:
        failure = self._failures.popleft() if self._failures else None
        self._settle()
        return failure

    def forget(self, peer: PeerState) -> tuple[int, ...]:
        """The peer is gone. Returns the freed indices its notice would have told of."""
        freed = peer.freed
        if peer in self._dirty:
            self._clean(peer)
            self._settle()
        return freed

    def clear_handshakes(self) -> int:
        """Returns how many there were."""
        count = len(self._handshakes)
        self._handshakes.clear()
        self._settle()
        return count

    def close(self) -> None:
        """May be called twice."""
        self._handshakes.clear()
        self._dirty.clear()
        self._wakeup.close()

    def _clean(self, peer: PeerState) -> None:
        del self._dirty[peer]
        peer.notice = Notice(0)
        peer.freed = ()
        peer.confirmed_index = None

    def _settle(self) -> None:
        if not (self._handshakes or self._dirty or self._failures):
            self._wakeup.clear()
