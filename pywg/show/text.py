"""Addresses as wg(8) prints them: the C library's form, which Python's own differs from in a few cases.

In: prefixes and endpoints. Out: text. Rule kept: inet_ntop(3), which writes an IPv4 address inside an IPv6
one with dots (``::ffff:192.0.2.1``); `ipaddress` does so only in some versions of Python.
"""

import socket

from pywg.endpoint import Endpoint
from pywg.protocol.allowed_ips import Prefix


def prefix_text(prefix: Prefix) -> str:
    """``ADDRESS/LENGTH``."""
    if prefix.version == 4:
        return str(prefix)
    address = socket.inet_ntop(socket.AF_INET6, prefix.network_address.packed)
    return f"{address}/{prefix.prefixlen}"


def endpoint_text(endpoint: Endpoint) -> str:
    """``ADDRESS:PORT`` or ``[ADDRESS6]:PORT``, with the scope where there is one."""
    if not endpoint.is_ipv6:
        return str(endpoint)
    return str(endpoint._replace(host=socket.inet_ntop(socket.AF_INET6, endpoint.address)))
