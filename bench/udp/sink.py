"""The receiving end: ``python -m bench.udp.sink ADDRESS``, run in a namespace.

In: a line with the most seconds to wait, on standard input. Out: first ``ready PORT``; for each line
``ready`` and, when no datagram came for a while, ``RECEIVED RATE``. RATE is that of the arrivals, in
datagrams a second: what a daemon's queues still hold when the source has stopped does not make it look
faster, nor slower. It looks for datagrams once a millisecond: to be woken for each would cost it, and whoever
delivers, more than the datagram.
"""

import ctypes
import gc
import socket
import sys
import time

from bench.udp.messages import Messages

_AT_ONCE = 1024
_LARGEST = 2048
_RECEIVE_BUFFER = 1 << 25
_SO_RCVBUFFORCE = 33
_PAUSE = 1e-3
_PR_SET_TIMERSLACK = 29
_QUIET = 0.15


def receive(messages: Messages, most_seconds: float) -> tuple[int, float]:
    """Count until it is quiet; returns datagrams and datagrams a second."""
    end = time.perf_counter() + most_seconds
    total = head = 0
    first = last = 0.0
    while True:
        count = messages.receive()
        now = time.perf_counter()
        if count:
            if not total:
                first, head = now, count
            total += count
            last = now
        if count < _AT_ONCE:
            time.sleep(_PAUSE)
        if now > end or (not count and total and now - last > _QUIET):
            break
    return total, (total - head) / (last - first) if last > first else 0.0


def main(arguments: list[str]) -> int:
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    gc.disable()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER)
        connection.bind((arguments[0], 0))
        messages = Messages(connection, _AT_ONCE, _LARGEST)
        print("ready", connection.getsockname()[1], flush=True)
        for line in sys.stdin:
            while messages.receive():  # stragglers of the trial before
                pass
            print("ready", flush=True)
            print(*receive(messages, float(line)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
