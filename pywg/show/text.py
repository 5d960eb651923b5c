"""Addresses as wg(8) and ip(8) print them: the C library's form, which Python's own differs from at times.

In: prefixes, addresses, endpoints. Out: text. Rule kept: inet_ntop(3), which writes an IPv4 address inside an
IPv6 one with dots (``::ffff:192.0.2.1``); `ipaddress` does so only in some versions of Python.
"""

import socket
from ipaddress import IPv4Interface, IPv6Interface

from pywg.endpoint import Endpoint
from pywg.protocol.allowed_ips import Prefix


def prefix_text(prefix: Prefix) -> str:
    """``ADDRESS/LENGTH``."""
    return _with_length(prefix.version, prefix.network_address.packed, prefix.prefixlen)


def interface_text(address: IPv4Interface | IPv6Interface) -> str:
    """The same of an interface's own address, as ip(8) prints it."""
    return _with_length(address.version, address.packed, address.network.prefixlen)


def endpoint_text(endpoint: Endpoint) -> str:
    """``ADDRESS:PORT`` or ``[ADDRESS6]:PORT``, with the scope where there is one."""
    if not endpoint.is_ipv6:
        return str(endpoint)
    return str(endpoint._replace(host=socket.inet_ntop(socket.AF_INET6, endpoint.address)))


def _with_length(version: int, packed: bytes, length: int) -> str:
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    return f"{socket.inet_ntop(family, packed)}/{length}"
