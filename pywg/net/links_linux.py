"""Links and addresses of Linux, as ``ip link`` and ``ip address`` change them.

In: names, MTUs, addresses. Out: the state those commands leave: no broadcast address, scope global, the
kernel's prefix route. Sources: ip-link(8), ip-address(8), linux/if_link.h, if_addr.h.
"""

import errno
from ipaddress import IPv4Address, IPv6Address, ip_interface
from typing import Final

from pyroute2 import NetlinkError

from pywg.net.rtnetlink_linux import AF_OF, Refusals, Rtnetlink, index_of
from pywg.net.system import IpInterface, NetworkError

RT_SCOPE_UNIVERSE: Final = 0
RT_SCOPE_HOST: Final = 254


class LinuxLinks:
    """A Links."""

    def __init__(self, kernel: Rtnetlink) -> None:
        self._kernel = kernel

    def has_link(self, name: str) -> bool:
        """See Links."""
        return index_of(name) is not None

    def add_wireguard_link(self, name: str) -> None:
        """See Links."""
        self._kernel.links_changed += 1
        self._kernel.change(
            f"ip link add dev {name} type wireguard",
            lambda: self._kernel.ipr.link("add", ifname=name, kind="wireguard"),
            {
                errno.EEXIST: f"there is an interface {name} already",
                errno.EOPNOTSUPP: "this kernel has no WireGuard of its own; leave out --kernel",
            },
        )

    def delete_link(self, name: str) -> None:
        """See Links."""
        words = f"ip link delete dev {name}"
        index = self._kernel.index(name, words)
        self._kernel.links_changed += 1
        gone = {errno.ENODEV: f"there is no interface {name}"}
        self._kernel.change(words, lambda: self._kernel.ipr.link("del", index=index), gone)

    def set_up(self, name: str, mtu: int) -> None:
        """See Links."""
        words = f"ip link set mtu {mtu} up dev {name}"
        index = self._kernel.index(name, words)
        wrong_mtu = f"the interface cannot have an MTU of {mtu}"
        if mtu < 0:  # The way to an endpoint has one below 80, and netlink has no negative numbers.
            raise NetworkError(f"{words}: {wrong_mtu}")
        self._kernel.links_changed += 1
        self._kernel.change(
            words,
            lambda: self._kernel.ipr.link("set", index=index, mtu=mtu, state="up"),
            {errno.ENODEV: f"there is no interface {name}", errno.EINVAL: wrong_mtu},
        )

    def mtu(self, name: str) -> int:
        """See Links."""
        index = self._kernel.index(name, f"ip link show dev {name}")
        return self.mtu_of(index)

    def mtu_of(self, index: int) -> int:
        """The same, by number."""
        try:
            return int(self._kernel.ipr.link("get", index=index)[0].get("mtu"))
        except NetlinkError:
            raise NetworkError(f"there is no interface number {index} any more") from None

    def add_address(self, name: str, address: IpInterface) -> None:
        """See Links."""
        ip, length = address.ip, address.network.prefixlen
        words = f"ip -{ip.version} address add {address} dev {name}"
        index = self._kernel.index(name, words)
        self._kernel.links_changed += 1
        request = {
            "index": index,
            "family": AF_OF[ip.version],
            "address": str(ip),
            "local": str(ip),
            "prefixlen": length,
            "scope": RT_SCOPE_HOST if _is_ipv4_loopback(ip) else RT_SCOPE_UNIVERSE,
        }
        self._kernel.change(
            words,
            lambda: self._kernel.ipr.addr("add", **request),
            {
                errno.EEXIST: f"{name} has this address already; it is listed twice, or a hook has added it",
                **no_ipv6(name, "the address"),
                errno.EADDRNOTAVAIL: "no interface can have this address",
            },
        )

    def addresses(self, name: str) -> list[IpInterface]:
        """See Links."""
        index = index_of(name)
        try:
            found = [] if index is None else self._kernel.ipr.addr("dump", index=index)
        except (OSError, NetlinkError):
            return []
        each = [
            ip_interface(f"{message.get('local') or message.get('address')}/{message['prefixlen']}")
            for message in found
        ]
        return sorted(each, key=lambda address: address.version)


def no_ipv6(name: str, what: str) -> Refusals:
    """What the kernel answers where IPv6 is switched off, and where it was built or booted without."""
    missing = f"this kernel has no IPv6: leave {what} out"
    switch = f"sysctl net.ipv6.conf.{name}.disable_ipv6"
    return {
        errno.EACCES: f"IPv6 is switched off for {name} ({switch}): switch it on, or leave {what} out",
        errno.EOPNOTSUPP: missing,
        errno.EAFNOSUPPORT: missing,
    }


def _is_ipv4_loopback(ip: IPv4Address | IPv6Address) -> bool:
    return ip.version == 4 and ip.is_loopback
