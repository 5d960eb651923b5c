"""MAC1, MAC2 and cookie replies on both sides."""

import hashlib
import struct
import subprocess
import sys
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from pywg.endpoint import Endpoint
from pywg.protocol.constants import SECOND, Limits
from pywg.protocol.cookie import CookieChecker, CookieSender, check_mac1, mac1_key
from pywg.protocol.identity import Identity, RemoteStatic
from pywg.protocol.messages import CookieReply, Initiation, Response

NOW = 5_000 * SECOND
LIMITS = Limits()
US = Identity(b"u" * 32)
THEM = Identity(b"t" * 32)
NONCE = bytes(range(24))
SOURCE = Endpoint("192.0.2.1", 51820).packed
INITIATION = Initiation(0xA1A2A3A4, b"e" * 32, b"s" * 48, b"t" * 28).to_bytes()[:116]
RESPONSE = Response(0xB1B2B3B4, 1, b"e" * 32, b"n" * 16).to_bytes()[:60]


def drawing() -> Callable[[int], bytes]:
    """Random bytes for tests: each draw differs from the last."""
    count = iter(range(1, 1000))
    return lambda size: hashlib.shake_256(bytes([next(count)])).digest(size)


def sender() -> CookieSender:
    """We, who send to them."""
    return CookieSender(RemoteStatic(US, THEM.public_key), LIMITS)


def checker() -> CookieChecker:
    """They, who are under load."""
    return CookieChecker(THEM.public_key, LIMITS, drawing())


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :]


def hchacha20(key: bytes, nonce: bytes) -> bytes:
    """Subkey of XChaCha20 (draft-irtf-cfrg-xchacha, 2.2), written for this test alone."""
    x = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, *struct.unpack("<8I4I", key + nonce)]

    def step(a: int, b: int, d: int, by: int) -> None:
        x[a] = (x[a] + x[b]) & 0xFFFFFFFF
        x[d] ^= x[a]
        x[d] = (x[d] << by | x[d] >> 32 - by) & 0xFFFFFFFF

    columns = [(0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)]
    diagonals = [(0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)]
    for _ in range(10):
        for a, b, c, d in columns + diagonals:
            step(a, b, d, 16)
            step(c, d, b, 12)
            step(a, b, d, 8)
            step(c, d, b, 7)
    return struct.pack("<8I", *x[:4], *x[12:])


class TestMac1:
    def test_by_the_whitepaper(self) -> None:
        sealed = sender().seal(INITIATION, NOW)
        key = hashlib.blake2s(b"mac1----" + THEM.public_key).digest()
        assert sealed[:116] == INITIATION
        assert sealed[116:132] == hashlib.blake2s(INITIATION, key=key, digest_size=16).digest()
        assert sealed[132:] == bytes(16)

    @pytest.mark.parametrize("message", [INITIATION, RESPONSE], ids=["initiation", "response"])
    def test_check(self, message: bytes) -> None:
        sealed = sender().seal(message, NOW)
        key = mac1_key(THEM.public_key)
        for view in (bytes, bytearray, memoryview):
            assert check_mac1(key, view(sealed))
        for place in range(len(sealed) - 16):
            assert not check_mac1(key, flipped(sealed, place))
        assert not check_mac1(US.mac1_key, sealed)


class TestReply:
    """Their reply, read by us."""

    @pytest.mark.parametrize(
        ("message", "index"),
        [(INITIATION, 0xA1A2A3A4), (RESPONSE, 0xB1B2B3B4)],
        ids=["initiation", "response"],
    )
    def test_gives_a_mac2_that_is_valid(self, message: bytes, index: int) -> None:
        ours, theirs = sender(), checker()
        first = ours.seal(message, NOW)
        assert not theirs.has_valid_mac2(first, SOURCE, NOW)
        reply = theirs.create_reply(first, SOURCE, NOW, nonce=NONCE)
        assert len(reply) == 64 < len(first)
        assert CookieReply.parse(reply).receiver_index == index
        assert ours.consume_reply(reply, NOW)
        for view in (bytes, bytearray, memoryview):
            assert theirs.has_valid_mac2(view(ours.seal(message, NOW)), SOURCE, NOW)

    def test_by_the_draft(self) -> None:
        """XChaCha20-Poly1305 with MAC1 as associated data, opened by other code."""
        sealed = sender().seal(INITIATION, NOW)
        secret = drawing()(32)
        reply = CookieReply.parse(checker().create_reply(sealed, SOURCE, NOW, nonce=NONCE))
        assert reply.nonce == NONCE
        key = hashlib.blake2s(b"cookie--" + THEM.public_key).digest()
        cipher = ChaCha20Poly1305(hchacha20(key, NONCE[:16]))
        cookie = cipher.decrypt(bytes(4) + NONCE[16:], reply.encrypted_cookie, sealed[116:132])
        assert cookie == hashlib.blake2s(SOURCE, key=secret, digest_size=16).digest()

    def test_hchacha20_by_the_draft(self) -> None:
        """draft-irtf-cfrg-xchacha, 2.2.1: the test's own code is right."""
        nonce = bytes.fromhex("000000090000004a0000000031415927")
        subkey = "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"
        assert hchacha20(bytes(range(32)), nonce).hex() == subkey

    def test_mac2_by_the_whitepaper(self) -> None:
        ours, theirs = sender(), checker()
        ours.consume_reply(theirs.create_reply(ours.seal(INITIATION, NOW), SOURCE, NOW, nonce=NONCE), NOW)
        sealed = ours.seal(INITIATION, NOW)
        cookie = hashlib.blake2s(SOURCE, key=drawing()(32), digest_size=16).digest()
        assert sealed[132:] == hashlib.blake2s(sealed[:132], key=cookie, digest_size=16).digest()

    def test_second_identical_reply_is_refused(self) -> None:
        ours = sender()
        reply = checker().create_reply(ours.seal(INITIATION, NOW), SOURCE, NOW, nonce=NONCE)
        assert [ours.consume_reply(reply, NOW) for _ in range(3)] == [True, False, False]

    def test_each_byte_flipped_is_refused(self) -> None:
        """All but the receiver index, which only finds the peer; and the good one still works after."""
        ours = sender()
        reply = checker().create_reply(ours.seal(INITIATION, NOW), SOURCE, NOW, nonce=NONCE)
        for place in (*range(4), *range(8, 64)):
            assert not ours.consume_reply(flipped(reply, place), NOW)
        assert ours.seal(INITIATION, NOW)[132:] == bytes(16)
        assert ours.consume_reply(reply, NOW)

    @pytest.mark.parametrize("size", [0, 63, 65, 92])
    def test_wrong_size_is_refused(self, size: int) -> None:
        ours = sender()
        reply = checker().create_reply(ours.seal(INITIATION, NOW), SOURCE, NOW, nonce=NONCE)
        assert not ours.consume_reply((reply + bytes(100))[:size], NOW)

    def test_before_anything_was_sent_is_refused(self) -> None:
        reply = checker().create_reply(sender().seal(INITIATION, NOW), SOURCE, NOW, nonce=NONCE)
        assert not sender().consume_reply(reply, NOW)

    def test_to_an_earlier_message_is_refused(self) -> None:
        ours = sender()
        reply = checker().create_reply(ours.seal(INITIATION, NOW), SOURCE, NOW, nonce=NONCE)
        ours.seal(RESPONSE, NOW)
        assert not ours.consume_reply(reply, NOW)

    def test_of_somebody_else_is_refused(self) -> None:
        ours = sender()
        other = CookieChecker(US.public_key, LIMITS, drawing())
        reply = other.create_reply(ours.seal(INITIATION, NOW), SOURCE, NOW, nonce=NONCE)
        assert not ours.consume_reply(reply, NOW)

    def test_a_refused_reply_leaves_the_cookie(self) -> None:
        ours, theirs = sender(), checker()
        ours.consume_reply(theirs.create_reply(ours.seal(INITIATION, NOW), SOURCE, NOW, nonce=NONCE), NOW)
        sealed = ours.seal(INITIATION, NOW)
        reply = theirs.create_reply(sealed, SOURCE, NOW, nonce=NONCE)
        assert not ours.consume_reply(flipped(reply, 40), NOW)
        assert ours.seal(INITIATION, NOW) == sealed


class TestCookieBinds:
    """What a cookie is worth elsewhere: nothing."""

    @pytest.mark.parametrize(
        "other",
        [
            Endpoint("192.0.2.1", 51821),
            Endpoint("192.0.2.2", 51820),
            Endpoint("::ffff:192.0.2.1", 51820),
            Endpoint("192.0.2.1", 27850),  # the port's bytes swapped
        ],
        ids=str,
    )
    def test_address_and_port(self, other: Endpoint) -> None:
        ours, theirs = sender(), checker()
        ours.consume_reply(theirs.create_reply(ours.seal(INITIATION, NOW), SOURCE, NOW, nonce=NONCE), NOW)
        sealed = ours.seal(INITIATION, NOW)
        assert theirs.has_valid_mac2(sealed, SOURCE, NOW)
        assert not theirs.has_valid_mac2(sealed, other.packed, NOW)

    def test_ipv6(self) -> None:
        ours, theirs = sender(), checker()
        source = Endpoint("2001:db8::1", 51820).packed
        ours.consume_reply(theirs.create_reply(ours.seal(INITIATION, NOW), source, NOW, nonce=NONCE), NOW)
        sealed = ours.seal(INITIATION, NOW)
        assert theirs.has_valid_mac2(sealed, source, NOW)
        assert not theirs.has_valid_mac2(sealed, Endpoint("2001:db8::2", 51820).packed, NOW)

    def test_each_byte_of_the_message(self) -> None:
        ours, theirs = sender(), checker()
        ours.consume_reply(theirs.create_reply(ours.seal(INITIATION, NOW), SOURCE, NOW, nonce=NONCE), NOW)
        sealed = ours.seal(INITIATION, NOW)
        for place in range(len(sealed)):
            assert not theirs.has_valid_mac2(flipped(sealed, place), SOURCE, NOW)

    def test_one_device(self) -> None:
        """Another device, even with the same key, has drawn another secret."""
        ours, theirs = sender(), checker()
        ours.consume_reply(theirs.create_reply(ours.seal(INITIATION, NOW), SOURCE, NOW, nonce=NONCE), NOW)
        twin = CookieChecker(THEM.public_key, LIMITS, bytes)
        twin.create_reply(sender().seal(INITIATION, NOW), SOURCE, NOW, nonce=NONCE)
        assert not twin.has_valid_mac2(ours.seal(INITIATION, NOW), SOURCE, NOW)


class TestTimes:
    def test_secret_rotates_at_120_s(self) -> None:
        """A reply just before gives a cookie that is dead just after: the secret's age counts."""
        ours, theirs = sender(), checker()
        theirs.create_reply(ours.seal(INITIATION, NOW), SOURCE, NOW, nonce=NONCE)
        late = NOW + 120 * SECOND - 1
        assert ours.consume_reply(
            theirs.create_reply(ours.seal(INITIATION, late), SOURCE, late, nonce=NONCE), late
        )
        sealed = ours.seal(INITIATION, late)
        assert theirs.has_valid_mac2(sealed, SOURCE, late)
        assert not theirs.has_valid_mac2(sealed, SOURCE, late + 1)

    def test_new_secret_is_another(self) -> None:
        drawn: list[bytes] = []
        draw = drawing()

        def recorded(size: int) -> bytes:
            drawn.append(draw(size))
            return drawn[-1]

        theirs = CookieChecker(THEM.public_key, LIMITS, recorded)
        sealed = sender().seal(INITIATION, NOW)
        replies = [
            theirs.create_reply(sealed, SOURCE, NOW + age * SECOND, nonce=NONCE)
            for age in (0, 119, 120, 239, 240)
        ]
        assert [len(secret) for secret in drawn] == [32, 32, 32]
        assert replies[0] == replies[1] != replies[2] == replies[3] != replies[4]

    def test_checking_draws_nothing(self) -> None:
        def never(size: int) -> bytes:
            raise AssertionError(size)

        theirs = CookieChecker(THEM.public_key, LIMITS, never)
        assert not theirs.has_valid_mac2(sender().seal(INITIATION, NOW), SOURCE, NOW)

    def test_cookie_is_used_until_115_s(self) -> None:
        ours, theirs = sender(), checker()
        ours.consume_reply(theirs.create_reply(ours.seal(INITIATION, NOW), SOURCE, NOW, nonce=NONCE), NOW)
        last = NOW + 115 * SECOND - 1
        assert theirs.has_valid_mac2(ours.seal(INITIATION, last), SOURCE, last)
        assert ours.seal(INITIATION, last + 1)[132:] == bytes(16)
        # Dead is dead, whatever a clock says.
        assert ours.seal(INITIATION, NOW)[132:] == bytes(16)

    def test_a_new_cookie_begins_anew(self) -> None:
        ours, theirs = sender(), checker()
        for now in (NOW, NOW + 100 * SECOND):
            reply = theirs.create_reply(ours.seal(INITIATION, now), SOURCE, now, nonce=NONCE)
            assert ours.consume_reply(reply, now)
        assert ours.seal(INITIATION, NOW + 200 * SECOND)[132:] != bytes(16)


def test_start_up_does_not_pay_for_pynacl() -> None:
    program = "import sys, pywg.protocol.cookie; sys.exit('nacl' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=30).returncode == 0
