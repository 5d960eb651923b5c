"""What is merged, what is not, and that cutting it up again gives what went in: for hostile packets too."""

import random
import struct
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pywg.tun import checksum
from pywg.tun.coalesce import LEAST_SEGMENT, coalesce
from tests.tun.segments import ACK, FIN, PSH, Segment, cut, ones_sum, run, with_checksums

SEED = 20250
FUZZED = 100_000


def sizes(packets: Sequence[bytes]) -> list[int]:
    """Packets in each frame, after a check that cutting gives back the packets in their order."""
    frames = coalesce(packets)
    assert [piece for frame in frames for piece in cut(frame)] == list(packets)
    return [len(frame) - 1 for frame in frames]


@pytest.mark.parametrize("v6", [False, True], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("options", [b"", b"\1\1\x08\x0a" + bytes(8), b"\1" * 40], ids=len)
@pytest.mark.parametrize("size", [LEAST_SEGMENT, 999, 1348])
def test_a_run_is_one_frame(v6: bool, options: bytes, size: int) -> None:
    first = Segment(bytes(size), v6=v6, options=options, sequence=2**32 - 3000, ident=65530)
    assert sizes(run(40, first)) == [40]


def test_the_header_in_full() -> None:
    packets = run(3, Segment(bytes(1000), options=bytes(12)), tail=500)
    (frame,) = coalesce(packets)
    head = bytes(frame[0])
    # NEEDS_CSUM, TCPV4, both headers, segment, where TCP starts, where its checksum is in it.
    assert head[:10] == struct.pack("=BBHHHH", 1, 1, 52, 1000, 20, 16)
    assert head[12:14] == (2500 + 52).to_bytes(2, "big")
    assert ones_sum(head[10:30]) == 0xFFFF
    assert head[46:48] == ones_sum(
        bytes([10, 0, 0, 1, 10, 0, 0, 2, 0, 6]) + (2532).to_bytes(2, "big")
    ).to_bytes(2, "big")
    assert [len(part) for part in frame[1:]] == [1000, 1000, 500]
    assert sizes(run(2, Segment(v6=True))) == [2]
    assert bytes(coalesce(run(2, Segment(v6=True)))[0][0])[:10] == struct.pack(
        "=BBHHHH", 1, 4, 60, 1000, 40, 16
    )


CHANGES: dict[str, Callable[[Segment], Segment]] = {
    "ack": lambda s: replace(s, ack=78),
    "window": lambda s: replace(s, window=501),
    "TTL": lambda s: replace(s, ttl=63),
    "TOS": lambda s: replace(s, tos=1),
    "options": lambda s: replace(s, options=b"\1\1\1\0"),
    "longer options": lambda s: replace(s, options=b"\1" * 8),
    "urgent": lambda s: replace(s, urgent=1),
    "gap": lambda s: replace(s, sequence=s.sequence + 1),
    "again": lambda s: replace(s, sequence=s.sequence - 1000),
    "longer": lambda s: replace(s, payload=bytes(1001)),
    "empty": lambda s: replace(s, payload=b""),
    "FIN": lambda s: replace(s, flags=ACK | FIN),
    "SYN": lambda s: replace(s, flags=ACK | 0x02),
    "RST": lambda s: replace(s, flags=ACK | 0x04),
    "URG": lambda s: replace(s, flags=ACK | 0x20),
    "ECE": lambda s: replace(s, flags=ACK | 0x40),
    "CWR": lambda s: replace(s, flags=ACK | 0x80),
    "no ACK": lambda s: replace(s, flags=0),
}
V4_CHANGES: dict[str, Callable[[Segment], Segment]] = {
    "no DF": lambda s: replace(s, fragment=0),
    "reserved bit": lambda s: replace(s, fragment=0xC000),
    "more fragments": lambda s: replace(s, fragment=0x6000),
    "later fragment": lambda s: replace(s, fragment=0x4001),
}


V6_CHANGES: dict[str, Callable[[Segment], Segment]] = {
    "flow label": lambda s: replace(s, flow_label=1),
}


@pytest.mark.parametrize(
    ("v6", "change"),
    [
        pytest.param(v6, change, id=f"{name}-IPv{6 if v6 else 4}")
        for v6, changes in ((False, CHANGES | V4_CHANGES), (True, CHANGES | V6_CHANGES))
        for name, change in changes.items()
    ],
)
def test_what_differs_is_not_merged(v6: bool, change: Callable[[Segment], Segment]) -> None:
    base = Segment(v6=v6, options=b"\1\1\1\1")
    other = change(replace(base, sequence=2000, ident=2))
    packets = [*run(2, base), bytes(other)]
    assert sizes(packets) == [2, 1]
    # And nothing goes past it: what would have fitted comes after.
    later = bytes(replace(base, sequence=2000, ident=3, payload=bytes(300)))
    assert sizes([*packets, later])[0] == 2


@pytest.mark.parametrize("flags", [0, ACK | FIN, ACK | 0x80, ACK | 0x20, 0x02])
def test_runs_of_other_flags_are_left_alone(flags: int) -> None:
    assert sizes(run(3, Segment(flags=flags))) == [1, 1, 1]


def test_push_and_a_shorter_one_end_a_run() -> None:
    packets = run(6)
    packets[2] = bytes(Segment(bytes(1000), sequence=2000, ident=2, flags=ACK | PSH))
    assert sizes(packets) == [3, 3]
    frame = coalesce(packets)[0]
    assert bytes(frame[0])[10 + 33] == ACK | PSH, "on the last segment it will be seen again"
    packets = run(3, tail=10) + run(2, Segment(sequence=2010))
    assert sizes(packets) == [3, 2]
    assert sizes(run(3, Segment(flags=ACK | PSH))) == [1, 1, 1]
    assert sizes(run(3, Segment(bytes(LEAST_SEGMENT - 1)))) == [1, 1, 1]


@pytest.mark.parametrize(("v6", "most"), [(False, 65535 - 40), (True, 65535 - 60)])
def test_no_frame_is_longer_than_65535(v6: bool, most: int) -> None:
    assert sizes(run(100, Segment(bytes(1348), v6=v6))) == [
        most // 1348,
        most // 1348,
        100 - 2 * (most // 1348),
    ]
    # To the very byte.
    assert sizes(run(2, Segment(bytes(most // 2 + 1), v6=v6), tail=most - most // 2 - 1)) == [2]
    assert sizes(run(2, Segment(bytes(most // 2 + 1), v6=v6), tail=most - most // 2)) == [1, 1]


def test_flows_that_alternate_are_merged_each() -> None:
    flows = [run(8, Segment(port=port, v6=v6, ident=port)) for port in (1, 2) for v6 in (False, True)]
    frames = coalesce([packet for together in zip(*flows, strict=True) for packet in together])
    assert [cut(frame) for frame in frames] == flows


def test_a_wrong_checksum_passes_unchanged_and_alone() -> None:
    for at in (8, 10, 36, 100, 1039):
        packets = run(5)
        broken = bytearray(packets[2])
        broken[at] ^= 1
        packets[2] = bytes(broken)
        frames = coalesce(packets)
        assert [b"\0" * 10, packets[2]] in frames
        assert [piece for frame in frames for piece in cut(frame)] == packets
    for v6 in (False, True):
        for which in (0, 3):
            packets = run(4, Segment(v6=v6))
            packets[which] = packets[which][:-1] + b"!"
            assert sizes(packets) == [1] * 4
    # Two errors that cancel each other out over the run are two errors.
    packets = run(4)
    packets[0] = packets[0][:-1] + bytes([packets[0][-1] + 1])
    packets[1] = packets[1][:-1] + bytes([packets[1][-1] - 1])
    assert sizes(packets) == [1] * 4


def test_ids_matter_only_where_fragments_can_be() -> None:
    packets = [bytes(Segment(sequence=n * 1000, ident=7, fragment=0)) for n in range(3)]
    assert sizes(packets) == [1, 1, 1]
    assert sizes(run(3, Segment(fragment=0, ident=65535))) == [3]
    packets = [bytes(Segment(sequence=n * 1000, ident=0)) for n in range(3)]
    assert [len(frame) - 1 for frame in coalesce(packets)] == [3], "such as macOS sends"


def test_what_is_no_tcp_passes_and_keeps_its_place() -> None:
    udp = bytearray(run(1)[0])
    udp[9] = 17
    first, second, third, fourth = run(4)
    assert sizes([bytes(udp)] * 2) == [1, 1]
    frames = coalesce([first, bytes(udp), second])
    assert [len(frame) - 1 for frame in frames] == [2, 1]
    for barrier in (
        b"",
        b"E",
        bytes(20),
        bytes(60),
        b"\x46" + first[1:],  # with IP options
        first[:9] + b"\x33" + first[10:],  # AH
        first[:32] + b"\x40" + first[33:],  # a data offset of 16
        first[:32] + b"\x51" + first[33:],  # a bit beside it
        bytes(Segment(v6=True))[:6] + b"\x2c" + bytes(Segment(v6=True))[7:],
    ):
        assert sizes([first, second, barrier, third, fourth]) == [2, 1, 2]


def test_a_length_that_is_not_the_packets() -> None:
    for packets in (run(3), run(3, Segment(v6=True))):
        assert sizes([packet + b"\0" for packet in packets]) == [1, 1, 1]
        assert sizes([packets[0], packets[1] + b"\0", packets[2]]) == [1, 1, 1]


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_any_buffer_will_do(kind: Callable[[bytes], bytearray | memoryview]) -> None:
    packets = run(5)
    frames = coalesce([kind(packet) for packet in packets])
    assert [piece for frame in frames for piece in cut(frame)] == packets
    assert len(frames) == 1


@given(st.binary(max_size=3000), st.integers(0, 8))
def test_words_are_the_sum_of_rfc_1071(data: bytes, start: int) -> None:
    start = min(start, len(data))
    total = checksum.words(data, start, len(data) - start)
    assert total == ones_sum(data[start:]) % 0xFFFF
    assert checksum.complement(total) == (~ones_sum(data[start:]) & 0xFFFF) % 0xFFFF or not any(data[start:])


# Any batch: each flow comes out as it went in.


def normal(packet: bytes) -> bytes:
    """The packet without what means nothing: the ID beside DF (RFC 6864), and which zero a checksum is."""
    if len(packet) < 40 or packet[0] not in {0x45, *range(0x60, 0x70)}:
        return packet
    changed = bytearray(packet)
    start = 20 if packet[0] == 0x45 else 40
    if changed[start + 16 : start + 18] == b"\xff\xff":
        changed[start + 16 : start + 18] = b"\0\0"
    if start == 20 and ones_sum(packet[:20]) == 0xFFFF:
        if packet[6] & 0x40:
            changed[4:6] = b"\0\0"
        changed[10:12] = b"\0\0"
        changed[10:12] = (~ones_sum(bytes(changed[:20])) & 0xFFFF).to_bytes(2, "big")
    return bytes(changed)


def flow(packet: bytes) -> bytes | None:
    """Addresses, protocol and ports where there is no doubt of them. None: it may belong to any."""
    if len(packet) >= 40 and packet[0] == 0x45 and not (packet[6] & 0x3F or packet[7]):
        return packet[9:10] + packet[12:24]
    if len(packet) >= 60 and packet[0] >> 4 == 6 and packet[6] in {6, 17, 58}:
        return packet[6:7] + packet[8:44]
    return None


def by_flow(packets: Sequence[bytes]) -> dict[bytes, list[bytes]]:
    """Packets of each flow in order, with those that may belong to any."""
    flows: dict[bytes, list[bytes]] = defaultdict(list)
    known = {flow(packet) for packet in packets}
    for packet in packets:
        of = flow(packet)
        for one in known if of is None else {of}:
            flows[one or b""].append(normal(packet))
    return flows


def check(packets: Sequence[bytes]) -> int:
    """Cut up again, nothing has changed. Returns how many packets were merged into others."""
    frames = coalesce(packets)
    assert sum(len(frame) - 1 for frame in frames) == len(packets)
    pieces = [cut(frame) for frame in frames]
    assert [len(piece) for piece in pieces] == [len(frame) - 1 for frame in frames]
    assert by_flow([piece for frame in pieces for piece in frame]) == by_flow(packets)
    return len(packets) - len(frames)


segment_batches = st.lists(
    st.tuples(
        st.builds(
            Segment,
            payload=st.sampled_from([0, 1, 127, 128, 129, 200, 1348]).map(lambda n: b"p" * n),
            v6=st.booleans(),
            port=st.integers(1, 2),
            flags=st.sampled_from([ACK, ACK, ACK, ACK | PSH, ACK | FIN]),
            fragment=st.sampled_from([0x4000, 0x4000, 0, 0x2000]),
            options=st.sampled_from([b"", b"\1" * 12]),
        ),
        st.sampled_from([0, 0, 0, 1, 1000]),
    ),
    max_size=30,
)


@settings(max_examples=300)
@given(segment_batches)
def test_any_batch_of_segments(batch: list[tuple[Segment, int]]) -> None:
    following: dict[tuple[bool, int], int] = defaultdict(int)
    packets = []
    for number, (segment, gap) in enumerate(batch):
        key = (segment.v6, segment.port)
        sequence = following[key] + gap
        following[key] = sequence + len(segment.payload)
        packets.append(bytes(replace(segment, sequence=sequence, ident=number)))
    check(packets)


@settings(max_examples=300)
@given(st.lists(st.binary(max_size=100), max_size=10))
def test_any_bytes(batch: list[bytes]) -> None:
    check(batch)


def test_fuzzed_packets() -> None:
    """Runs with bits flipped, cut short, doubled and exchanged; half with checksums made right afterwards."""
    chance = random.Random(SEED)
    done = merged = 0
    while done < FUZZED:
        size = chance.choice([128, 131, 200, 300])
        flows = [
            run(
                chance.randint(1, 12),
                Segment(
                    bytes(size), v6=chance.random() < 0.5, port=port, options=chance.choice([b"", b"\1" * 12])
                ),
                tail=chance.randint(1, size),
            )
            for port in range(chance.randint(1, 4))
        ]
        packets = []
        while any(flows):
            packets.append(chance.choice([left for left in flows if left]).pop(0))
        for at in range(len(packets)):
            if chance.random() < 0.25:
                packets[at] = mutated(packets[at], chance)
        if chance.random() < 0.2:
            one, other = chance.randrange(len(packets)), chance.randrange(len(packets))
            packets[one], packets[other] = packets[other], packets[one]
        merged += check(packets)
        done += len(packets)
    assert merged > FUZZED // 10, "the fuzzer must reach what it is for"


def mutated(packet: bytes, chance: random.Random) -> bytes:
    if chance.random() < 0.05:
        return chance.randbytes(chance.randint(0, 80))
    changed = bytearray(packet)
    for _ in range(chance.choice([1, 1, 2, 8])):
        # Mostly in the headers.
        changed[chance.randrange(min(len(changed), chance.choice([60, 400])))] ^= 1 << chance.randrange(8)
    if chance.random() < 0.1:
        del changed[chance.randrange(len(changed)) :]
    if len(changed) > 20 and chance.random() < 0.5:
        return with_checksums(bytes(changed))
    return bytes(changed)
