"""Names of endpoints to addresses, with the patience of wg(8).

In: `HostPort` as it was written. Out: the first `Endpoint` the system's resolver knows, or ResolveError.
Rules kept: config.c of wg (March 2026): a name that the resolver calls wrong for good is not asked for again;
any other failure is tried again WG_ENDPOINT_RESOLUTION_RETRIES times (15; ``infinity``), after 1 s, then 1.2
times as long each time, at most 20 s. In one thing we are less patient: a port that is none stays none.
"""

import os
import socket
import time
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Any, Final

from pywg.config.model import COMMAND_LINE, ConfigError, HostPort
from pywg.config.values import c_integer, quoted
from pywg.endpoint import Endpoint

RETRIES_VARIABLE: Final = "WG_ENDPOINT_RESOLUTION_RETRIES"
DEFAULT_RETRIES: Final = 15
MOST_RETRIES: Final = 2**31 - 1

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 20.0
PAUSE_GROWTH: Final = 1.2

_NO_DATA: Final = getattr(socket, "EAI_NODATA", socket.EAI_NONAME)  # Not every C library has it.
_FINAL_ERRORS: Final = frozenset({socket.EAI_NONAME, socket.EAI_FAIL, _NO_DATA, socket.EAI_SERVICE})

Tell = Callable[[str], None]
"""Takes a sentence for the user, who waits."""


class ResolveError(ConfigError):
    """The endpoint's name or port means nothing to this machine; file and line are named where known."""


def retries_wanted(environ: Mapping[str, str]) -> int | None:
    """How often to try again; None: without end. Raises ConfigError for a value that is neither."""
    text = environ.get(RETRIES_VARIABLE)
    if text is None:
        return DEFAULT_RETRIES
    if not text:
        return 0
    if text == "infinity":
        return None
    number = c_integer(text)
    if number is None or not 0 <= number <= MOST_RETRIES:
        raise ConfigError(RETRIES_VARIABLE, None, f"{quoted(text)}: expected a number or infinity")
    return number


def resolver(
    source: str = COMMAND_LINE,
    *,
    tell: Tell,
    environ: Mapping[str, str] = os.environ,
    sleep: Callable[[float], None] = time.sleep,
) -> Callable[[HostPort], Endpoint]:
    """What the functions of `config.change` need. `source` names the file in messages.

    `tell` hears of each pause. The result raises ResolveError, and
    ConfigError if the environment variable is wrong, which is looked at only where there is an endpoint.
    """

    def resolve_one(host_port: HostPort) -> Endpoint:
        return resolve(host_port, retries_wanted(environ), source=source, tell=tell, sleep=sleep)

    return resolve_one


def resolve(
    host_port: HostPort,
    retries: int | None,
    *,
    source: str = COMMAND_LINE,
    tell: Tell,
    sleep: Callable[[float], None] = time.sleep,
) -> Endpoint:
    """The first address of the host. `retries`: None is without end. Raises ResolveError."""
    pause = FIRST_PAUSE
    while True:
        try:
            return look_up(host_port)[0]
        except (OSError, ValueError) as error:
            if _is_final(error) or retries == 0:
                raise _failure(host_port, error, source) from None
            retries = None if retries is None else retries - 1
            tell(f"Endpoint {quoted(str(host_port))}: {_reason(error)}; trying again in {pause:.2f} seconds")
        sleep(pause)
        pause = min(LONGEST_PAUSE, pause * PAUSE_GROWTH)


def look_up(host_port: HostPort) -> list[Endpoint]:
    """All addresses of the host, asked for once.

    Raises OSError (socket.gaierror is one), or ValueError for a text no resolver can be given.
    """
    # As bytes, or Python would translate a name of other than ASCII letters, which wg does not.
    host = host_port.host.encode("utf-8", "surrogateescape")
    found = socket.getaddrinfo(host, host_port.port, type=socket.SOCK_DGRAM, proto=socket.IPPROTO_UDP)
    return [_endpoint(address) for _, _, _, _, address in found]


def _endpoint(address: tuple[Any, ...]) -> Endpoint:
    """Of what getaddrinfo calls a socket address."""
    if len(address) == 2 or not isinstance(address[0], str):  # Not so without IPv6 in Python.
        return Endpoint(str(address[0]), int(address[1]))
    return Endpoint(str(ip_address(address[0].partition("%")[0])), address[1], address[3])


def _is_final(error: Exception) -> bool:
    if isinstance(error, socket.gaierror):
        return error.errno in _FINAL_ERRORS
    return isinstance(error, ValueError)  # The resolver was not even asked.


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or "this cannot be a name"


def _failure(host_port: HostPort, error: Exception, source: str) -> ResolveError:
    return ResolveError(
        source,
        host_port.line or None,
        f"Endpoint {quoted(str(host_port))}: {_reason(error)}; {_advice(error)}",
    )


def _advice(error: Exception) -> str:
    code = error.errno if isinstance(error, socket.gaierror) else None
    if code == socket.EAI_SERVICE:
        return "expected a port's number or the name of a UDP service after the last colon"
    if code == socket.EAI_AGAIN:
        return "expected a name server that answers; is the network up?"
    return "expected an address or a name that the name servers know"
