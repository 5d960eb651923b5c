"""From the socket module's addresses to Endpoint, in its canonical text."""

from collections.abc import Sequence
from ipaddress import IPv6Address

from pywg.endpoint import Endpoint


def endpoint(address: Sequence[object]) -> Endpoint:
    """`address` is ``(host, port)`` or ``(host, port, flow, scope)``."""
    host, port = str(address[0]), address[1]
    assert isinstance(port, int)  # noqa: S101 (the socket module's tuples are not typed)
    if len(address) == 2:
        return Endpoint(host, port)
    scope = address[3]
    assert isinstance(scope, int)  # noqa: S101 (as above)
    # inet_ntop writes ::1.2.3.4 where Python's own canonical form is ::102:304.
    return Endpoint(str(IPv6Address(host.partition("%")[0])), port, scope)
