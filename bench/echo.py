"""Round trips: ``python -m bench.echo ADDRESS COUNT INTERVAL``, run in a namespace.

In: how many ICMP echo requests to send, and how many seconds apart. Out: one JSON object: how many were sent
and answered, and percentiles in microseconds. The far side is the kernel itself (RFC 792). The time of an
answer is the kernel's (SO_TIMESTAMPNS), so that waking this process is no part of it. Not ping(8): for pauses
this short it waits in a busy loop, and on two cores that takes one of them away from the daemons.
"""

import ctypes
import gc
import json
import select
import socket
import struct
import sys
import time

_ECHO_REPLY, _ECHO_REQUEST = 0, 8
_PAYLOAD = bytes(range(56))  # as ping sends by default: 64 bytes of ICMP
_HEADER = struct.Struct("!BBHHH")
_TIMESPEC = struct.Struct("ll")
_SO_TIMESTAMPNS = 35
_SOL_RAW, _ICMP_FILTER = 255, 1
_PR_SET_TIMERSLACK = 29
_LAST_WAIT = 2.0
_IDENTIFIER = 0x7077


def echo_request(sequence: int) -> bytes:
    """ICMP echo request with its checksum (RFC 1071)."""
    unsummed = _HEADER.pack(_ECHO_REQUEST, 0, 0, _IDENTIFIER, sequence) + _PAYLOAD
    total: int = sum(struct.unpack(f"!{len(unsummed) // 2}H", unsummed))
    total = (total & 0xFFFF) + (total >> 16)
    checksum = ~(total + (total >> 16)) & 0xFFFF
    return unsummed[:2] + checksum.to_bytes(2, "big") + unsummed[4:]


def exchange(icmp: socket.socket, count: int, interval: float) -> list[float]:
    """Send, one every `interval` seconds whether answered or not; returns the round trips in microseconds."""
    requests = [echo_request(sequence) for sequence in range(count)]
    sent = [0] * count
    answered: dict[int, float] = {}
    following, due = 0, time.monotonic()
    give_up = due + count * interval * 2 + _LAST_WAIT
    while len(answered) < count and (now := time.monotonic()) < give_up:
        if following < count and now >= due:
            sent[following] = time.time_ns()
            icmp.send(requests[following])
            following += 1
            due = max(due + interval, now)
            if following == count:
                give_up = now + _LAST_WAIT
            continue
        wait = due - now if following < count else give_up - now
        if select.select([icmp], [], [], wait)[0]:
            _take(icmp, sent, answered)
    return list(answered.values())


def _take(icmp: socket.socket, sent: list[int], answered: dict[int, float]) -> None:
    packet, control, _, _ = icmp.recvmsg(256, 64, socket.MSG_DONTWAIT)
    message = packet[(packet[0] & 15) * 4 :]
    kind, _, _, identifier, sequence = _HEADER.unpack_from(message)
    if kind != _ECHO_REPLY or identifier != _IDENTIFIER or sequence >= len(sent):
        return
    for level, name, data in control:
        if level == socket.SOL_SOCKET and name == _SO_TIMESTAMPNS:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            answered[sequence] = (seconds * 1_000_000_000 + nanoseconds - sent[sequence]) / 1000


def percentile(ordered: list[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed."""
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def main(arguments: list[str]) -> int:
    address, count, interval = arguments
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    gc.disable()
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as icmp:
        icmp.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("I", 0xFFFF_FFFF & ~(1 << _ECHO_REPLY)))
        icmp.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        icmp.connect((address, 0))
        round_trips = sorted(exchange(icmp, int(count), float(interval)))
    told: dict[str, float] = {"sent": int(count), "received": len(round_trips)}
    if round_trips:
        told |= {"p50": percentile(round_trips, 0.5), "p99": percentile(round_trips, 0.99)}
    print(json.dumps(told), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
