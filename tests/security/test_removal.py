"""Peers removed, and devices closed, at any moment: nobody uses what is gone."""

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pywg.protocol.constants import MILLISECOND
from pywg.uapi.codec import parse_state
from pywg.uapi.model import DeviceChange, PeerChange
from pywg.uapi.path import bind_uapi_socket
from pywg.uapi.server import UapiServer
from tests.simulation.wire import sent_by
from tests.simulation.world import Machine, World, pair

DELAY = 4 * MILLISECOND
ICMP = 1
MOMENTS = range(30)
"""Milliseconds: initiation, response, data and answers are under way in turns."""


def at_a_moment(milliseconds: int) -> tuple[World, Machine, Machine]:
    """Two machines that speak to each other, stopped in the middle of it."""
    world, a, b = pair()
    world.weather.delay = DELAY
    for number in range(milliseconds):
        if number % 3 == 0:
            a.send(b)
            b.send(a)
        world.run_until(world.now + MILLISECOND)
    # And something of each kind that the machine has not looked at.
    a.send(b)
    assert a.udp is not None
    for sent in world.sent[-20:]:
        if sent.destination.host == a.address:
            a.udp.arrive(sent.source, sent.data)
    return world, a, b


@pytest.mark.parametrize("milliseconds", MOMENTS)
def test_a_peer_is_not_used_after_its_removal(milliseconds: int) -> None:
    world, a, b = at_a_moment(milliseconds)
    a.configure(PeerChange(public_key=b.public_key, remove=True))
    world.sent.clear()
    a.delivered.clear()
    world.run(700)
    assert sent_by(a) == []
    assert {packet[9] for packet in a.delivered} <= {ICMP}, "what we still send is unreachable"
    assert a.device.get_state().peers == ()
    assert a.device.get_status().peers == ()
    assert a.device._handshakes.indices_in_use == 0
    assert a.engine.status()["keypairs"] == "0"
    a.knows(b)
    a.send(b)
    world.run(12)
    assert b.delivered


@pytest.mark.parametrize("milliseconds", MOMENTS)
def test_a_device_can_be_closed_at_any_moment_and_twice(milliseconds: int) -> None:
    world, a, _b = at_a_moment(milliseconds)
    Machine.running.remove(a)
    a.device.close()
    a.device.close()
    a.device.on_timer()
    world.sent.clear()
    world.run(30)
    assert sent_by(a) == []
    assert a.device._handshakes.indices_in_use == 0


@pytest.mark.parametrize("operation", ["get", "get_status"])
def test_uapi_get_while_the_peers_are_removed(operation: str) -> None:
    """What a get began to tell it tells to the end, of peers that are gone by then."""
    count = 3_000
    _, a, _b = pair()
    peers = tuple(PeerChange(public_key=number.to_bytes(32, "little")) for number in range(9, 9 + count))
    a.device.apply(DeviceChange(replace_peers=True, peers=peers))

    def remove_all() -> None:
        a.device.apply(DeviceChange(replace_peers=True))

    with tempfile.TemporaryDirectory(prefix="pywg-t-") as directory:
        reply, after = asyncio.run(_get_meanwhile(a, operation, Path(directory), remove_all))
    assert reply.endswith("errno=0\n\n")
    assert reply.count("public_key=") == count
    if operation == "get":
        assert len(parse_state(reply).peers) == count
    assert "public_key=" not in after


async def _get_meanwhile(
    machine: Machine, operation: str, directory: Path, do: Callable[[], None]
) -> tuple[str, str]:
    server = UapiServer(machine.device, bind_uapi_socket("wgt0", directory))
    server.start()
    try:
        reader, writer = await asyncio.open_unix_connection(str(server.path), limit=4_096)
        writer.write(f"{operation}=1\n\n".encode())
        begun = await asyncio.wait_for(reader.readexactly(1_000), 10)
        await asyncio.sleep(0.05)
        do()
        rest = await asyncio.wait_for(_to_the_empty_line(reader), 10)
        writer.write(b"get=1\n\n")
        after = await asyncio.wait_for(_to_the_empty_line(reader), 10)
        writer.close()
    finally:
        await server.close()
    return (begun + rest).decode(), after.decode()


async def _to_the_empty_line(reader: asyncio.StreamReader) -> bytes:
    read = b""
    while not read.endswith(b"\n\n"):
        piece = await reader.read(65_536)
        assert piece, "the server hung up"
        read += piece
    return read
