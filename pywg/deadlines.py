"""When each peer must be looked at again: a heap with one live entry a peer."""

import heapq


class Deadlines:
    """Deadlines by peer id. Setting is O(log n); a replaced entry stays in the heap until it surfaces.

    Stale entries are bounded: the heap is rebuilt when they outnumber the live ones.
    """

    def __init__(self) -> None:
        self._at: dict[int, int] = {}
        self._heap: list[tuple[int, int]] = []

    def set(self, peer: int, deadline: int | None) -> None:
        """Look at `peer` at `deadline` (nanoseconds), or no more."""
        if deadline is None:
            self._at.pop(peer, None)
            return
        if self._at.get(peer) == deadline:
            return
        self._at[peer] = deadline
        heapq.heappush(self._heap, (deadline, peer))
        if len(self._heap) > 2 * len(self._at) + 64:
            self._heap = [(at, peer) for peer, at in self._at.items()]
            heapq.heapify(self._heap)

    def earliest(self) -> int | None:
        """The next deadline, or None if there is none."""
        while self._heap and self._at.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take_due(self, now: int, most: int) -> list[int]:
        """At most `most` peers whose deadline has come, earliest first; they have none afterwards."""
        due: list[int] = []
        while len(due) < most and (at := self.earliest()) is not None and at <= now:
            peer = heapq.heappop(self._heap)[1]
            del self._at[peer]
            due.append(peer)
        return due
