"""What runs within a network namespace: ``python -m pywg.demo.inside NAMESPACE COMMAND ...``.

In: the path of a namespace and a command: `exec`, `ping`, `serve`, `fetch`, `sink`, `source`. Out: lines on
standard output. Standard library only, and nothing that takes long to import. ICMP echo is RFC 792's.
"""

import ctypes
import json
import os
import socket
import struct
import sys
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

GREETING = b"hello, wireguard\n"
CLONE_NEWNET = 0x40000000

_ECHO_REPLY, _ECHO_REQUEST = 0, 8
_PAYLOAD = bytes(range(56))  # as ping sends by default: 64 bytes of ICMP
_REPLY_TIMEOUT = 6.0  # longer than REKEY_TIMEOUT: one lost handshake is no lost ping
_PING_INTERVAL = 0.5
_CHUNK = 1 << 18


def enter(path: str) -> None:
    """Move this process into the network namespace bound at `path`. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(descriptor, CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)
    finally:
        os.close(descriptor)


def ping(address: str, count: int) -> int:
    """Send echo requests one after the other; returns 0 if all were answered."""
    print(f"PING {address} {len(_PAYLOAD)}({len(_PAYLOAD) + 28}) bytes of data.", flush=True)
    identifier = os.getpid() & 0xFFFF
    received = 0
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as icmp:
        icmp.connect((address, 0))
        for sequence in range(1, count + 1):
            if sequence > 1:
                time.sleep(_PING_INTERVAL)
            sent = time.monotonic()
            icmp.send(_echo_request(identifier, sequence))
            ttl = _await_reply(icmp, identifier, sequence, sent + _REPLY_TIMEOUT)
            if ttl is None:
                print(f"no answer to icmp_seq={sequence} in {_REPLY_TIMEOUT:.0f} s", flush=True)
                continue
            received += 1
            milliseconds = (time.monotonic() - sent) * 1000
            size = len(_PAYLOAD) + 8
            print(
                f"{size} bytes from {address}: icmp_seq={sequence} ttl={ttl} time={milliseconds:.2f} ms",
                flush=True,
            )
    lost = 100 * (count - received) // count
    print(f"{count} packets transmitted, {received} received, {lost}% packet loss", flush=True)
    return 0 if received == count else 1


def _echo_request(identifier: int, sequence: int) -> bytes:
    unsummed = struct.pack("!BBHHH", _ECHO_REQUEST, 0, 0, identifier, sequence) + _PAYLOAD
    total: int = sum(struct.unpack(f"!{len(unsummed) // 2}H", unsummed))
    total = (total & 0xFFFF) + (total >> 16)
    checksum = ~(total + (total >> 16)) & 0xFFFF
    return unsummed[:2] + checksum.to_bytes(2, "big") + unsummed[4:]


def _await_reply(icmp: socket.socket, identifier: int, sequence: int, deadline: float) -> int | None:
    """The TTL of the reply, or None when it did not come in time. Other ICMP is passed over."""
    while (left := deadline - time.monotonic()) > 0:
        icmp.settimeout(left)
        try:
            packet = icmp.recv(2048)
        except TimeoutError:
            return None
        except OSError:  # an ICMP error came instead, such as "host unreachable"
            continue
        message = packet[(packet[0] & 15) * 4 :]
        kind, _, _, its_identifier, its_sequence = struct.unpack_from("!BBHHH", message)
        if (kind, its_identifier, its_sequence) == (_ECHO_REPLY, identifier, sequence):
            return packet[8]
    return None


class _Greeter(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(GREETING)))
        self.end_headers()
        self.wfile.write(GREETING)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name is the base class's)
        """Nobody reads a log here."""


def serve(address: str, port: int) -> int:
    """Answer every HTTP GET with the greeting until ended."""
    server = HTTPServer((address, port), _Greeter)
    _ready(server.server_port)
    server.serve_forever()
    return 0


def fetch(url: str) -> int:
    """Print the body of the answer, as curl does."""
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 (the URL is the demo's own)
        body: bytes = answer.read()
    sys.stdout.buffer.write(body)
    return 0


def sink(address: str) -> int:
    """Take one TCP connection, read it to its end, tell how much came in what time (JSON)."""
    with socket.create_server((address, 0)) as listener:
        listener.settimeout(20)
        _ready(listener.getsockname()[1])
        connection, _ = listener.accept()
    buffer = bytearray(_CHUNK * 4)
    total = 0
    with connection:
        connection.settimeout(20)
        begun = time.monotonic()
        while size := connection.recv_into(buffer):
            total += size
        seconds = time.monotonic() - begun
    print(json.dumps({"bytes": total, "seconds": seconds}), flush=True)
    return 0


def source(address: str, port: int, seconds: float) -> int:
    """Send zeros over TCP for so long."""
    chunk = memoryview(bytes(_CHUNK))
    with socket.create_connection((address, port), timeout=20) as connection:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            connection.send(chunk)
    return 0


def _ready(port: int) -> None:
    print(f"ready {port}", flush=True)


def main(arguments: list[str]) -> int:
    """Enter the namespace and do what is asked. One line on standard output tells of a failure."""
    namespace, command, *rest = arguments
    try:
        enter(namespace)
        return _do(command, rest)
    except OSError as error:
        print(f"error: {command} in {namespace}: {error}", flush=True)
        return 1
    except KeyboardInterrupt:
        return 130


def _do(command: str, rest: list[str]) -> int:
    match command, rest:
        case "exec", [program, *_]:
            os.execvp(program, rest)  # noqa: S606 (the program is the demo's own choice)
        case "ping", [address, count]:
            return ping(address, int(count))
        case "serve", [address, port]:
            return serve(address, int(port))
        case "fetch", [url]:
            return fetch(url)
        case "sink", [address]:
            return sink(address)
        case "source", [address, port, seconds]:
            return source(address, int(port), float(seconds))
    raise OSError(f"no such command: {command} {rest}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
