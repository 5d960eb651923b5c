"""The sending end: ``python -m bench.udp.source ADDRESS PORT``, run in a namespace.

In: lines ``RATE SIZE SECONDS`` on standard input, RATE in datagrams a second (0: as fast as it goes), SIZE in
bytes of payload. Out: one line ``SENT SECONDS`` for each. Rule kept: it waits asleep, for a processor spent
on waiting would be missing to the daemons; and it never makes up for more than two bursts it is late.
"""

import ctypes
import gc
import socket
import sys
import time

from bench.udp.messages import Messages

BURST = 64
_TIGHT = 200e-6
"""Seconds: bursts are made smaller rather than further apart."""
_PR_SET_TIMERSLACK = 29
_SEND_BUFFER = 1 << 22
_SO_SNDBUFFORCE = 32


def send(connection: socket.socket, rate: float, size: int, seconds: float) -> tuple[int, float]:
    """Send for so long; returns datagrams and seconds."""
    messages = Messages(connection, BURST, size)
    burst = BURST if rate == 0 else max(1, min(BURST, round(rate * _TIGHT)))
    pause = burst / rate if rate else 0.0
    sent, begun = 0, time.perf_counter()
    due, end = begun, begun + seconds
    while (now := time.perf_counter()) < end:
        if now < due:
            time.sleep(due - now)
            continue
        sent += messages.send(burst)
        due = max(due + pause, now - 2 * pause)
    return sent, time.perf_counter() - begun


def main(arguments: list[str]) -> int:
    address, port = arguments
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    gc.disable()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, _SEND_BUFFER)
        connection.connect((address, int(port)))
        for line in sys.stdin:
            rate, size, seconds = line.split()
            sent, took = send(connection, float(rate), int(size), float(seconds))
            print(sent, took, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
