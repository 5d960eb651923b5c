"""What the two ways of a packet share: tables, descriptors, counts and the mailbox.

Comes in: configuration through `PythonEngine`. Goes out: nothing by itself. Rule kept: whatever is not moved
on is counted by cause, at its peer where it can be laid to one.
"""

from collections import Counter
from collections.abc import Sequence

from pywg.clock import Clock
from pywg.endpoint import Endpoint, Source
from pywg.engine.contract import Drop, Notice, UdpSockets
from pywg.engine.mailbox import Mailbox
from pywg.engine.peer_state import PeerState
from pywg.protocol.allowed_ips import AllowedIps
from pywg.protocol.constants import Limits
from pywg.protocol.keypair import Keypair
from pywg.tun.port import TunPort


class Plane:
    """One device's data plane at rest; `outbound` and `inbound` move it."""

    def __init__(self, *, limits: Limits, clock: Clock, mtu: int, tun: TunPort) -> None:
        self.limits = limits
        self.clock = clock
        self.mtu = mtu
        self.tun = tun
        self.sockets: UdpSockets | None = None
        """None: the device is down."""
        self.routes: AllowedIps[PeerState] = AllowedIps()
        self.keypairs: dict[int, Keypair[PeerState]] = {}
        """By local index: what message 4 names."""
        self.pending: set[int] = set()
        """Local indices that messages 2 and 3 may name."""
        self.mac1_key: bytes | None = None
        self.drops: Counter[Drop] = Counter()
        """Those that could be laid to no peer."""
        self.mailbox = Mailbox(limits.handshake_queue)
        self._at_endpoint: dict[Endpoint, PeerState] = {}

    def drop(self, cause: Drop, peer: PeerState | None = None, count: int = 1) -> None:
        """Count packets that are not moved on."""
        drops = self.drops if peer is None else peer.drops
        drops[cause] += count

    def stir(self, peer: PeerState) -> None:
        """A fact that was watched for is set. Tells once an arming."""
        peer.watches_sent = peer.watches_received = False
        self.mailbox.notify(peer, Notice.STIRRED)

    def move(self, peer: PeerState, source: Source | None) -> bool:
        """The peer is at `source` from now on. Returns whether that is another endpoint than before."""
        before, peer.source = peer.source, source
        old = None if before is None else before.endpoint
        new = None if source is None else source.endpoint
        if old == new:
            return False
        peer.outer_address = b"" if new is None else new.address
        if old is not None and self._at_endpoint.get(old) is peer:
            del self._at_endpoint[old]
        if new is not None:
            self._at_endpoint[new] = peer
        return True

    def clear_source(self, peer: PeerState) -> None:
        """Let the kernel choose the local address for the next packet."""
        if peer.source is not None:
            peer.source = Source(peer.source.endpoint)

    def peer_at(self, endpoint: Endpoint) -> PeerState | None:
        """Whoever was last known to be there; for diagnosis."""
        return self._at_endpoint.get(endpoint)

    def write_tun(self, packets: Sequence[bytes], peer: PeerState | None) -> None:
        """Hand packets to the machine. Refused ones are counted, a dead TUN is told of."""
        try:
            refused = self.tun.write(packets)
        except OSError as error:
            refused = len(packets)
            self.mailbox.fail("tun", error.errno or 0)
        if refused:
            self.drop(Drop.TUN_WRITE_ERROR, peer, refused)

    def release(self, keypairs: Sequence[Keypair[PeerState]]) -> tuple[int, ...]:
        """The receive path forgets these. Returns their local indices."""
        for keypair in keypairs:
            # The control plane may have given the index to a newer keypair only after it got it back.
            del self.keypairs[keypair.local_index]
        return tuple(keypair.local_index for keypair in keypairs)
