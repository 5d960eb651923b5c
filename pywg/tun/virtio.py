"""The header that precedes each packet on a TUN opened with IFF_VNET_HDR (linux/virtio_net.h).

It is in the machine's own byte order: nobody but the kernel beneath sees it.
"""

from struct import Struct
from typing import Final

VIRTIO_NET_HDR: Final = Struct("=BBHHHH")
"""Flags, gso_type, hdr_len, gso_size, csum_start, csum_offset."""

NEEDS_CSUM: Final = 1
"""The checksum field holds the pseudo-header's sum only."""

TCPV4: Final = 1
TCPV6: Final = 4

PLAIN: Final = bytes(VIRTIO_NET_HDR.size)
"""One packet that is complete."""
