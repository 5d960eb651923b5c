"""The offload code of the native engine against this kernel, without the engine around it.

Comes in: the ignored test of native/src/offload/kernel_tests.rs, built as `make test` does it, and a TUN with
all offloads in a namespace. Goes out: its verdict. Rule: what is merged there the kernel must cut, and the
other way round, so neither side can agree with itself.
"""

import fcntl
import json
import os
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from pywg.tun.linux import IFF_NO_PI, IFF_TUN, IFF_VNET_HDR, TUNSETOFFLOAD, TUNSETVNETHDRSZ
from pywg.tun.virtio import VIRTIO_NET_HDR
from tests.needs import CARGO, need, need_cargo, need_file, need_root
from tests.net.inside import Inside, inside_new_namespace

TEST = "offload::kernel_tests::against_the_kernel"
BUILD_SECONDS = 480
RUN_SECONDS = 60

DEVICE = "/dev/net/tun"
TUNSETIFF = 0x400454CA
TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6, TUN_F_TSO_ECN, TUN_F_USO4, TUN_F_USO6 = 1, 2, 4, 8, 0x20, 0x40
ALL_OFFLOADS = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN | TUN_F_USO4 | TUN_F_USO6

SOL_UDP, UDP_SEGMENT = 17, 103
SEGMENT = 1300
TARGETS = ((socket.AF_INET, "10.9.0.2"), (socket.AF_INET6, "fd00:9::2"))
PORT = 7777


def build() -> str:
    """The program with all of the crate's tests."""
    words = ["test", "--locked", "--no-default-features", "--no-run", "--lib", "--message-format=json"]
    done = subprocess.run([CARGO, *words], capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    (program,) = {message["executable"] for message in messages if message.get("executable")}
    return str(program)


def open_tun() -> int:
    """Blocking, as the test reads it, and with the offloads on."""
    fd = os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC)
    flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", b"tun0", flags))
    fcntl.ioctl(fd, TUNSETVNETHDRSZ, struct.pack("i", VIRTIO_NET_HDR.size))
    fcntl.ioctl(fd, TUNSETOFFLOAD, ALL_OFFLOADS)
    return fd


@contextmanager
def sending(inside: Inside) -> Iterator[None]:
    """Datagrams to be segmented, to the test's host, for as long as it runs."""
    with ExitStack() as stack:
        sockets = []
        for family, host in TARGETS:
            made = inside.run(lambda family=family: socket.socket(family, socket.SOCK_DGRAM))  # type: ignore[misc]
            stack.enter_context(made)
            made.setsockopt(SOL_UDP, UDP_SEGMENT, SEGMENT)
            made.connect((host, PORT))
            sockets.append(made)
        stopped = threading.Event()

        def send() -> None:
            size = SEGMENT * 30
            while not stopped.wait(0.02):
                size = SEGMENT * 30 + (size + 1) % SEGMENT
                for each in sockets:
                    each.send(bytes(at % 251 for at in range(size)))

        thread = threading.Thread(target=send)
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            thread.join()


@pytest.mark.timeout(BUILD_SECONDS + RUN_SECONDS + 30)
def test_frames_against_the_kernel(tmp_path: Path) -> None:
    need_root()
    need("ip", "nsenter")
    need_cargo()
    need_file(DEVICE)
    program = build()
    log = tmp_path / "log"
    with inside_new_namespace() as inside, log.open("wb") as output:
        tun = inside.run(open_tun)
        try:
            ip = inside.namespace.ip
            ip("link", "set", "tun0", "mtu", "1420", "up")
            ip("address", "add", "10.9.0.1/24", "dev", "tun0")
            ip("address", "add", "fd00:9::1/64", "dev", "tun0", "nodad")
            with sending(inside):
                done = subprocess.run(
                    inside.namespace.command(program, "--ignored", "--exact", TEST, "--nocapture"),
                    stdin=tun,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    timeout=RUN_SECONDS,
                    check=False,
                )
        finally:
            os.close(tun)
    said = log.read_text()
    assert done.returncode == 0, said
    assert "test result: ok. 1 passed" in said, said
