"""Many initiators in one: ``python -m bench.initiator ADDRESS PORT FILE WARM SECONDS``, run in a namespace.

In: a file of initiations, one after the other, sender index = place in the file. Out: one JSON object with
the responses a second. Rule kept: never more than WINDOW are unanswered, so that nobody has a reason to send
cookies. The first WARM are sent before the clock starts.
"""

import gc
import json
import select
import socket
import sys
import time
from pathlib import Path

WINDOW = 8
_INITIATION_SIZE, _RESPONSE_SIZE = 148, 92
_RESPONSE, _COOKIE_REPLY = 2, 3
_PATIENCE = 0.5


class Initiators:
    """Sends what is prepared, counts what comes back."""

    def __init__(self, connection: socket.socket, prepared: bytes) -> None:
        self._socket, self._prepared = connection, memoryview(prepared)
        self._waiting: dict[int, float] = {}
        self._following = 0
        self.responses = self.cookies = self.lost = 0

    def run(self, until: int, seconds: float) -> float:
        """Up to the place `until`, at most for so long; returns the seconds it took."""
        begun = time.monotonic()
        end = begun + seconds
        while (now := time.monotonic()) < end and (self._following < until or self._waiting):
            while len(self._waiting) < WINDOW and self._following < until:
                at = self._following * _INITIATION_SIZE
                self._waiting[self._following] = now
                self._socket.send(self._prepared[at : at + _INITIATION_SIZE])
                self._following += 1
            if select.select([self._socket], [], [], _PATIENCE / 5)[0]:
                self._take()
            else:
                self._forget(now)
        took = time.monotonic() - begun
        self._waiting.clear()
        return took

    def _take(self) -> None:
        datagram = self._socket.recv(2048)
        if len(datagram) == _RESPONSE_SIZE and datagram[0] == _RESPONSE:
            index = int.from_bytes(datagram[8:12], "little")
            self.responses += self._waiting.pop(index, None) is not None
        elif datagram[0] == _COOKIE_REPLY:
            self._waiting.pop(int.from_bytes(datagram[4:8], "little"), None)
            self.cookies += 1

    def _forget(self, now: float) -> None:
        for index in [index for index, since in self._waiting.items() if now - since > _PATIENCE]:
            del self._waiting[index]
            self.lost += 1


def main(arguments: list[str]) -> int:
    address, port, file, warm, seconds = arguments
    prepared = Path(file).read_bytes()
    gc.disable()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.connect((address, int(port)))
        initiators = Initiators(connection, prepared)
        initiators.run(int(warm), float(seconds) + 5)
        warm_responses, initiators.responses = initiators.responses, 0
        took = initiators.run(len(prepared) // _INITIATION_SIZE, float(seconds))
    told = {
        "warm": warm_responses,
        "responses": initiators.responses,
        "cookies": initiators.cookies,
        "lost": initiators.lost,
        "seconds": took,
    }
    print(json.dumps(told), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
