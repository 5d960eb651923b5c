"""One end of a TCP transfer, run as a program of its own inside a namespace.

Comes in: `receive ADDRESS PORT` or `send ADDRESS PORT BYTES BYTES_PER_SECOND` (0: as fast as it goes). Goes
out: the receiver prints `ready` once it listens; both print `BYTES SHA256 SECONDS` at the end. Rules:
standard library only, so that it starts at once; SIGTERM ends what is sent before all of it was, and is no
failure.
"""

import hashlib
import random
import signal
import socket
import sys
import time

CHUNK = 1 << 16
STALL_SECONDS = 30.0


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def receive(address: str, port: int) -> None:
    """Take one connection and hash what comes until its end."""
    digest, size = hashlib.sha256(), 0
    with socket.create_server((address, port), family=_family(address)) as listener:
        print("ready", flush=True)
        listener.settimeout(STALL_SECONDS)
        connection, _ = listener.accept()
    started = time.monotonic()
    with connection:
        connection.settimeout(STALL_SECONDS)
        while data := connection.recv(CHUNK):
            digest.update(data)
            size += len(data)
    print(size, digest.hexdigest(), time.monotonic() - started, flush=True)


def send(address: str, port: int, total: int, per_second: int) -> None:
    """Connect, send `total` bytes of noise, or less if told to end, and hash them."""
    told_to_end: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: told_to_end.append(number))
    digest, left, noise = hashlib.sha256(), total, random.Random(total)
    with socket.create_connection((address, port), timeout=STALL_SECONDS) as connection:
        connection.settimeout(STALL_SECONDS)
        started = time.monotonic()
        while left and not told_to_end:
            data = noise.randbytes(min(left, CHUNK))
            digest.update(data)
            connection.sendall(data)
            left -= len(data)
            if per_second:
                time.sleep(max(0.0, (total - left) / per_second - (time.monotonic() - started)))
    print(total - left, digest.hexdigest(), time.monotonic() - started, flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "receive":
        receive(sys.argv[2], int(sys.argv[3]))
    else:
        send(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
