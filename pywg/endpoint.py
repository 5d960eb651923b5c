"""Where a peer is: an outer IP address and UDP port, and how we were reached by it.

Text form is that of the UAPI: ``192.0.2.1:51820``, ``[2001:db8::1]:51820``, ``[fe80::1%eth0]:51820``.
No name is ever resolved here.
"""

import ipaddress
import socket
from typing import NamedTuple


class EndpointError(ValueError):
    """The text is no ``address:port``."""


class Endpoint(NamedTuple):
    """An outer address. `host` is canonical text without scope; `scope_id` only for link-local IPv6."""

    host: str
    port: int
    scope_id: int = 0

    @property
    def is_ipv6(self) -> bool:
        return ":" in self.host

    @property
    def address(self) -> bytes:
        """4 or 16 bytes in network order."""
        return ipaddress.ip_address(self.host).packed

    @property
    def packed(self) -> bytes:
        """Address and port as the cookie binds them (whitepaper 5.4.7)."""
        return self.address + self.port.to_bytes(2, "big")

    @property
    def sockaddr(self) -> tuple[str, int] | tuple[str, int, int, int]:
        """The form the socket module takes."""
        return (self.host, self.port, 0, self.scope_id) if self.is_ipv6 else (self.host, self.port)

    def __str__(self) -> str:
        if not self.is_ipv6:
            return f"{self.host}:{self.port}"
        return f"[{self.host}{_scope_suffix(self.scope_id)}]:{self.port}"

    @classmethod
    def parse(cls, text: str) -> "Endpoint":
        """Read ``ip:port`` or ``[ip6%zone]:port``.

        Raises EndpointError, whose message says what was expected.
        """
        host, separator, port_text = text.rpartition(":")
        if not separator or not port_text.isascii() or not port_text.isdigit() or len(port_text) > 5:
            raise EndpointError("an endpoint needs a port; expected ADDRESS:PORT or [ADDRESS6]:PORT")
        port = int(port_text)
        if port > 65535:
            raise EndpointError("a port is not above 65535")
        bracketed = host.startswith("[") and host.endswith("]")
        if bracketed:
            host = host[1:-1]
        host, _, zone = host.partition("%")
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            raise EndpointError(
                "an endpoint starts with an IP address; expected ADDRESS:PORT or [ADDRESS6]:PORT"
            ) from None
        if (address.version == 6) != bracketed:
            raise EndpointError("an IPv6 address is written in brackets, an IPv4 address is not")
        if zone and address.version == 4:
            raise EndpointError("only an IPv6 address has a scope")
        return cls(str(address), port, _scope_id(zone) if zone else 0)


class Source(NamedTuple):
    """Where a datagram came from and which local address and interface it reached.

    `local` is the packed destination address of the datagram (ours) or empty when unknown, `ifindex` its
    interface or 0. Sent back as PKTINFO it keeps replies on the path the peer chose (sticky source).
    """

    endpoint: Endpoint
    local: bytes = b""
    ifindex: int = 0


def _scope_id(zone: str) -> int:
    if zone.isascii() and zone.isdigit():
        number = int(zone)
        if number > 0xFFFF_FFFF:
            raise EndpointError("the number of an interface has at most 32 bits")
        return number
    try:
        return socket.if_nametoindex(zone)
    except OSError:
        raise EndpointError("no interface has the name after %") from None


def _scope_suffix(scope_id: int) -> str:
    if not scope_id:
        return ""
    try:
        return "%" + socket.if_indextoname(scope_id)
    except OSError:
        return f"%{scope_id}"
