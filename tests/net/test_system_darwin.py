"""macOS: which commands are run, and what is read from their output. Never run on a Mac.

Calls are recorded; the output that is read was written by hand after the manuals of ifconfig, route, netstat
and networksetup.
"""

import json
from collections.abc import Sequence
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path

import pytest

from pywg.net import system_darwin
from pywg.net.command import Printed
from pywg.net.dns_darwin import DarwinDns
from pywg.net.full_tunnel_darwin import DarwinFullTunnel
from pywg.net.links_darwin import DarwinLinks
from pywg.net.notes import Notes
from pywg.net.routes_darwin import DarwinRoutes, Entry, RoutingTable
from pywg.net.system import AddDefault, DnsSettings, NetworkError, OwnDatagrams, Step

IFCONFIG_UTUN5 = """\
utun5: flags=8051<UP,POINTOPOINT,RUNNING,MULTICAST> mtu 1420
\toptions=6460<TSO4,TSO6,CHANNEL_IO,PARTIAL_CSUM,ZEROINVERT_CSUM>
\tinet6 fe80::aede:48ff:fe00:1122%utun5 prefixlen 64 scopeid 0x10
\tinet 10.0.0.1 --> 10.0.0.1 netmask 0xffffff00
\tinet 10.9.9.9 --> 10.9.9.9 netmask 0xffffffff
\tinet6 fd00::1 prefixlen 64
\tnd6 options=201<PERFORMNUD,DAD>
"""
IFCONFIG_EN0 = """\
en0: flags=8863<UP,BROADCAST,SMART,RUNNING,SIMPLEX,MULTICAST> mtu 1492
\tether f0:18:98:00:00:01
\tinet 192.168.1.7 netmask 0xffffff00 broadcast 192.168.1.255
"""
ROUTE_GET = """\
   route to: 198.51.100.7
destination: default
       mask: default
    gateway: 192.168.1.1
  interface: {interface}
      flags: <UP,GATEWAY,DONE,STATIC,PRCLONING,GLOBAL>
 recvpipe  sendpipe  ssthresh  rtt,msec    rttvar  hopcount      mtu     expire
       0         0         0         0         0         0      {mtu:4}         0
"""
NETSTAT_INET = """\
Routing tables

Internet:
Destination        Gateway            Flags               Netif Expire
default            link#9             UCSg                utun9
default            192.168.1.1        UGScg                 en0
10.0/24            10.0.0.1           UGSc                utun5
10.0.0.1           10.0.0.1           UH                  utun5
127                127.0.0.1          UCS                   lo0
192.168.1.1        f0:18:98:0:0:2     UHLWIir               en0   1189
"""
NETSTAT_INET_BEFORE_2019 = """\
Routing tables

Internet:
Destination        Gateway            Flags        Refs      Use   Netif Expire
default            192.168.1.1        UGSc          105        0     en0
10.0/24            utun5              USc             0        0   utun5
"""
NETSTAT_INET6 = """\
Routing tables

Internet6:
Destination                             Gateway                         Flags               Netif Expire
default                                 fe80::1%en0                     UGcg                  en0
fd00::/64                               fd00::1                         Uc                  utun5
fd00::1                                 utun5                           UHL                   lo0
::1                                     ::1                             UHL                   lo0
"""
SERVICES = """\
An asterisk (*) denotes that a network service is disabled.
Wi-Fi
*Thunderbolt Bridge
USB 10/100/1000 LAN
"""


class Mac:
    """Answers what it was told to; remembers what was run."""

    def __init__(self, directory: Path) -> None:
        self.answers: dict[str, Printed | str] = {}
        self.ran: list[str] = []
        self.said: list[str] = []
        self.notes = directory / "pywg"
        self.sockets = directory / "wireguard"
        self.sockets.mkdir()
        self.table = RoutingTable(self.said.append, self.run)
        self.links = DarwinLinks(self.table, self.said.append, self.run, self.sockets)
        self.routes = DarwinRoutes(self.table, self.links)
        self.full_tunnel = DarwinFullTunnel(self.table, Notes(self.notes))
        self.dns = DarwinDns(self.said.append, Notes(self.notes), self.run)

    def run(self, *words: str, text: str = "") -> Printed:
        assert text == ""
        line = " ".join(words)
        self.ran.append(line)
        answer = self.answers.get(line, "")
        if isinstance(answer, Printed):
            return answer
        if answer.startswith("fails: "):
            raise NetworkError(f"{line}: {answer.removeprefix('fails: ')}")
        return Printed(answer, "")

    def changes(self) -> Sequence[str]:
        """What was said since the last question; all of it was run, in that order."""
        said = list(self.said)
        changing = [line for line in self.ran if line in said]
        assert [line for line in said if not line.startswith("rm ")] == changing
        self.said.clear()
        self.ran.clear()
        return said


@pytest.fixture
def mac(tmp_path: Path) -> Mac:
    return Mac(tmp_path)


# Links and addresses


def test_up_runs_what_wg_quick_runs(mac: Mac) -> None:
    mac.links.add_address("utun5", ip_interface("10.0.0.1/24"))
    mac.links.add_address("utun5", ip_interface("fd00::1/64"))
    mac.links.set_up("utun5", 1420)
    mac.routes.add_route("utun5", ip_network("10.1.0.0/16"))
    mac.routes.add_route("utun5", ip_network("fd01::/48"), 254)
    assert mac.changes() == [
        "ifconfig utun5 inet 10.0.0.1/24 10.0.0.1 alias",
        "ifconfig utun5 inet6 fd00::1/64 alias",
        "ifconfig utun5 mtu 1420",
        "ifconfig utun5 up",
        "route -q -n add -inet 10.1.0.0/16 -interface utun5",
        "route -q -n add -inet6 fd01::/48 -interface utun5",
    ]


def test_what_an_interface_has_is_read_from_ifconfig(mac: Mac) -> None:
    mac.answers = {"ifconfig -l": "lo0 gif0 en0 utun5\n", "ifconfig utun5": IFCONFIG_UTUN5}
    assert (mac.links.has_link("utun5"), mac.links.has_link("utun")) == (True, False)
    assert mac.links.mtu("utun5") == 1420
    assert [str(address) for address in mac.links.addresses("utun5")] == [
        *("10.0.0.1/24", "10.9.9.9/32", "fe80::aede:48ff:fe00:1122/64", "fd00::1/64")
    ]
    assert mac.said == []


def test_an_interface_that_is_not_there_is_an_error(mac: Mac) -> None:
    mac.answers = {"ifconfig utun5": "fails: interface utun5 does not exist"}
    with pytest.raises(NetworkError, match="utun5 does not exist"):
        mac.links.mtu("utun5")
    assert mac.links.addresses("utun5") == []
    with pytest.raises(NetworkError, match="macOS has no WireGuard of its own"):
        mac.links.add_wireguard_link("wg0")


def test_the_end_of_a_device_is_the_end_of_its_socket(mac: Mac) -> None:
    mac.answers = {"netstat -nr -f inet": NETSTAT_INET, "netstat -nr -f inet6": NETSTAT_INET6}
    socket = mac.sockets / "utun5.sock"
    socket.touch()
    mac.links.delete_link("utun5")
    assert not socket.exists()
    assert mac.changes() == [
        "route -q -n delete -inet 10.0/24",
        "route -q -n delete -inet 10.0.0.1",
        "route -q -n delete -inet6 fd00::/64",
        "route -q -n delete -inet6 fd00::1",
        f"rm -f {socket}",
    ]
    mac.links.delete_link("utun5")


# Routes


def test_netstat_is_read_by_its_titles(mac: Mac) -> None:
    mac.answers = {"netstat -nr -f inet": NETSTAT_INET_BEFORE_2019}
    assert mac.table.entries(4) == [
        Entry("default", "192.168.1.1", "en0"),
        Entry("10.0/24", "utun5", "utun5"),
    ]
    mac.answers = {"netstat -nr -f inet": NETSTAT_INET}
    assert [entry.interface for entry in mac.table.entries(4)] == [
        "utun9",
        "en0",
        "utun5",
        "utun5",
        "lo0",
        "en0",
    ]


@pytest.mark.parametrize(("of_route", "expected"), [("1300", 1300), ("0", 1492)])
def test_path_mtu_is_the_routes_or_the_links(mac: Mac, of_route: str, expected: int) -> None:
    told = ROUTE_GET.format(interface="en0", mtu=of_route)
    for question in ("-inet 198.51.100.7", "-inet default", "-inet6 2001:db8::7"):
        mac.answers[f"route -n get {question}"] = told
    mac.answers["ifconfig en0"] = IFCONFIG_EN0
    assert mac.routes.path_mtu(ip_address("198.51.100.7")) == expected
    assert mac.routes.path_mtu(ip_address("2001:db8::7")) == expected
    assert mac.routes.default_mtu() == expected


def test_without_a_route_there_is_no_mtu(mac: Mac) -> None:
    mac.answers = {"route -n get -inet default": "fails: not in table"}
    assert mac.routes.default_mtu() is None


def test_has_route_asks_where_the_prefix_goes(mac: Mac) -> None:
    mac.answers = {
        "route -n get -inet 10.0.0.0/24": ROUTE_GET.format(interface="utun5", mtu="1420"),
        "route -n get -inet 10.1.0.0/16": ROUTE_GET.format(interface="utun50", mtu="1420"),
    }
    asked = ("10.0.0.0/24", "10.1.0.0/16", "10.2.0.0/16")
    assert [mac.routes.has_route("utun5", ip_network(each)) for each in asked] == [True, False, False]


def test_in_the_main_table_a_default_route_stays_whole(mac: Mac) -> None:
    mac.routes.add_route("utun5", ip_network("0.0.0.0/0"), 254)
    assert mac.changes() == ["route -q -n add -inet 0.0.0.0/0 -interface utun5"]


def test_another_table_is_refused(mac: Mac) -> None:
    with pytest.raises(NetworkError, match="macOS has one routing table; write Table = auto, main or off"):
        mac.routes.add_route("utun5", ip_network("10.0.0.0/8"), 7)
    assert mac.changes() == []


def test_route_that_complains_and_exits_0_is_an_error(mac: Mac) -> None:
    words = "route -q -n add -inet 10.0.0.0/8 -interface utun5"
    mac.answers = {words: Printed("", "route: writing to routing socket: File exists\n")}
    with pytest.raises(NetworkError, match=f"^{words}: route: writing to routing socket: File exists$"):
        mac.routes.add_route("utun5", ip_network("10.0.0.0/8"))


# A full tunnel


def begin(mac: Mac, name: str, *endpoints: str) -> tuple[AddDefault, list[Step]]:
    """What adds its default routes, and what undoes what was done."""
    undo: list[Step] = []
    own = OwnDatagrams(
        [ip_address(endpoint) for endpoint in endpoints], 0, lambda mark: pytest.fail(f"marked {mark}")
    )
    return mac.full_tunnel.begin(name, own, undo.append), undo


def test_a_default_route_becomes_two_halves(mac: Mac) -> None:
    add_default, _ = begin(mac, "utun5")
    for default in ("::/0", "0.0.0.0/0"):
        add_default(ip_network(default))
    assert mac.changes() == [
        "route -q -n add -inet6 ::/1 -interface utun5",
        "route -q -n add -inet6 8000::/1 -interface utun5",
        "route -q -n add -inet 0.0.0.0/1 -interface utun5",
        "route -q -n add -inet 128.0.0.0/1 -interface utun5",
    ]


def test_endpoints_are_routed_as_before(mac: Mac) -> None:
    mac.answers = {"netstat -nr -f inet": NETSTAT_INET, "netstat -nr -f inet6": NETSTAT_INET6}
    _, undo = begin(mac, "utun5", "198.51.100.7", "2001:db8::7")
    assert mac.changes() == [
        "route -q -n add -inet 198.51.100.7 -gateway 192.168.1.1",
        "route -q -n add -inet6 2001:db8::7 -gateway fe80::1%en0",
    ]
    assert mac.notes.stat().st_mode & 0o777 == 0o700
    (of_another,) = mac.full_tunnel.undo_routing("utun6", None)
    of_another.do()
    assert mac.changes() == []
    (step,) = undo
    assert step.what == "remove the routes around utun5"
    step.do()
    assert mac.changes() == [
        "route -q -n delete -inet 198.51.100.7",
        "route -q -n delete -inet6 2001:db8::7",
    ]
    step.do()
    assert mac.changes() == []


def test_an_endpoint_out_of_reach_is_not_looked_for_in_its_own_tunnel(mac: Mac) -> None:
    begin(mac, "utun5", "198.51.100.7", "2001:db8::7")
    assert mac.changes() == [
        "route -q -n add -inet 198.51.100.7 127.0.0.1 -blackhole",
        "route -q -n add -inet6 2001:db8::7 ::1 -blackhole",
    ]


# Name servers


def test_every_service_gets_the_servers_and_gets_back_its_own(mac: Mac) -> None:
    lan = "USB 10/100/1000 LAN"
    mac.answers = {
        "networksetup -listallnetworkservices": SERVICES,
        "networksetup -getdnsservers Wi-Fi": "192.168.1.1\n9.9.9.9\n",
        "networksetup -getsearchdomains Wi-Fi": "home.arpa\n",
        f"networksetup -getdnsservers {lan}": f"There aren't any DNS Servers set on {lan}.\n",
        f"networksetup -getsearchdomains {lan}": f"There aren't any Search Domains set on {lan}.\n",
    }
    mac.dns.set("utun5", DnsSettings(("10.0.0.53", "fd00::53"), ("corp.example",)))
    assert mac.changes() == [
        line
        for service in ("Wi-Fi", "Thunderbolt Bridge", lan)
        for line in (
            f"networksetup -setdnsservers {service} 10.0.0.53 fd00::53",
            f"networksetup -setsearchdomains {service} corp.example",
        )
    ]
    mac.answers["networksetup -getdnsservers Wi-Fi"] = "10.0.0.53\nfd00::53\n"
    assert mac.dns.servers("utun5") == ["10.0.0.53", "fd00::53"]
    assert mac.dns.servers("utun6") == []
    mac.changes()
    mac.answers["networksetup -listallnetworkservices"] = SERVICES.replace("*Thunderbolt Bridge\n", "")
    mac.dns.unset("utun5")
    assert mac.changes() == [
        "networksetup -setdnsservers Wi-Fi 192.168.1.1 9.9.9.9",
        "networksetup -setsearchdomains Wi-Fi home.arpa",
        f"networksetup -setdnsservers {lan} Empty",
        f"networksetup -setsearchdomains {lan} Empty",
    ]
    assert list(mac.notes.iterdir()) == []
    mac.dns.unset("utun5")
    assert mac.changes() == []


def test_what_was_set_is_written_down_before_it_is_changed(mac: Mac) -> None:
    mac.answers = {
        "networksetup -listallnetworkservices": SERVICES,
        "networksetup -getdnsservers Wi-Fi": "192.168.1.1\n",
        "networksetup -setdnsservers Wi-Fi 10.0.0.53": "fails: not permitted",
    }
    with pytest.raises(NetworkError, match="not permitted"):
        mac.dns.set("utun5", DnsSettings(("10.0.0.53",)))
    noted = json.loads((mac.notes / "dns-utun5.json").read_text())
    assert noted["Wi-Fi"] == {"dnsservers": ["192.168.1.1"], "searchdomains": []}


def test_a_second_up_does_not_forget_what_was_there_first(mac: Mac) -> None:
    """As after a crash, when nothing was put back."""
    mac.answers = {
        "networksetup -listallnetworkservices": SERVICES,
        "networksetup -getdnsservers Wi-Fi": "192.168.1.1\n",
    }
    mac.dns.set("utun5", DnsSettings(("10.0.0.53",)))
    mac.answers["networksetup -getdnsservers Wi-Fi"] = "10.0.0.53\n"
    mac.dns.set("utun5", DnsSettings(("10.0.0.53",)))
    mac.changes()
    mac.dns.unset("utun5")
    assert "networksetup -setdnsservers Wi-Fi 192.168.1.1" in mac.changes()


def test_a_service_that_takes_no_servers_is_told_of(mac: Mac) -> None:
    mac.answers = {
        "networksetup -listallnetworkservices": SERVICES,
        "networksetup -setdnsservers Wi-Fi 10.0.0.53": "** Error: The parameters were not valid.\n",
    }
    mac.dns.set("utun5", DnsSettings(("10.0.0.53",)))
    assert "networksetup: ** Error: The parameters were not valid." in mac.said
    assert "networksetup -setdnsservers USB 10/100/1000 LAN 10.0.0.53" in mac.said


def test_search_domains_alone_change_nothing(mac: Mac) -> None:
    mac.dns.set("utun5", DnsSettings((), ("corp.example",)))
    assert mac.ran == []


def test_the_whole_has_no_firewall() -> None:
    said: list[str] = []
    system = system_darwin.open_system(said.append)
    assert system.full_tunnel.mark("utun5") is None
    assert system.full_tunnel.undo_firewall("utun5") == []
    assert said == []
    system.close()
