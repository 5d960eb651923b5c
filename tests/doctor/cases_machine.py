"""The table of the judgement: a machine, and an interface that is not there."""

from dataclasses import replace

from pywg.doctor.facts import (
    ConfigFacts,
    InterfaceFacts,
    Leftover,
    LeftoverRule,
    Runner,
)
from pywg.doctor.findings import Code
from pywg.protocol.constants import SECOND
from tests.doctor.patients import (
    GONE,
    MACHINE,
    TRIED,
    WELL,
    Case,
    K,
    P,
    W,
    interface,
    missing,
    name_of,
    of,
    peer,
)

CASES_OF_MACHINES = (
    # The machine.
    Case(
        Code.NOT_ROOT,
        W,
        of(interface(WELL), machine=replace(MACHINE, is_root=False)),
        "not run as root",
        "sudo",
    ),
    Case(
        Code.ACCESS_DENIED,
        P,
        of(InterfaceFacts("wg0", Runner.HIDDEN, error="wg0: permission denied")),
        "permission denied",
        "sudo pywg doctor wg0",
    ),
    Case(
        Code.LEFT_BEHIND,
        W,
        of(
            interface(WELL),
            machine=replace(
                MACHINE, leftovers=(Leftover("wg7", ("ip wg-quick-wg7",), (LeftoverRule(4, 51820),)),)
            ),
        ),
        "wg7 is gone and has left behind: nft table ip wg-quick-wg7, rule 'not fwmark 0xca6c lookup 51820'",
        "pywg down wg7",
    ),
    Case(
        Code.LEFT_BEHIND,
        W,
        of(interface(WELL), machine=replace(MACHINE, leftovers=(Leftover("", rules=(LeftoverRule(6, 5),)),))),
        "rule 'not fwmark 0x5 lookup 5' of IPv6",
        "ip -6 rule delete not fwmark 0x5 lookup 5",
    ),
    Case(
        Code.NO_TUN_DEVICE,
        P,
        of(machine=replace(MACHINE, tun_problem="/dev/net/tun: No such file or directory")),
        "/dev/net/tun: No such file",
        "modprobe tun",
    ),
    Case(
        Code.NO_ENGINE,
        P,
        of(machine=replace(MACHINE, engine="", engine_reason="no native engine")),
        "no native engine",
        "PYWG_ENGINE",
    ),
    Case(
        Code.CLOCK_UNSET,
        P,
        of(interface(peer(recent=TRIED)), machine=replace(MACHINE, wall_ns=5 * SECOND)),
        "clock of this machine is not set",
        "NTP",
    ),
    Case(Code.NO_INTERFACE, P, of(machine=replace(MACHINE, other_configs=("home",))), "home", "pywg up home"),
    Case(Code.MACHINE_READY, K, of(interface(WELL)), "engine: native (the fastest)", ""),
    # An interface that is not there.
    Case(Code.INTERFACE_MISSING, P, of(missing(None)), "no file for it", "wg0.conf"),
    Case(Code.INTERFACE_MISSING, P, of(missing(GONE)), "no interface wg0", "pywg up /etc/wireguard/wg0.conf"),
    Case(
        Code.CONFIG_WRONG,
        P,
        of(missing(ConfigFacts("wg0.conf", problem="wg0.conf:3: unknown setting 'Adress'", problem_line=3))),
        "wg0.conf:3: unknown setting 'Adress'.",
        "Mend that line of the file",
    ),
    Case(
        Code.CONFIG_WRONG,
        P,
        of(missing(ConfigFacts("wg0.conf", problem="wg0.conf:3: did you mean PrivateKey?", problem_line=3))),
        "did you mean PrivateKey?",
        "line",
    ),
    Case(
        Code.CONFIG_WRONG,
        P,
        of(missing(ConfigFacts("wg0.conf", problem="wg0.conf: is a directory; expected a file"))),
        "is a directory; expected a file.",
        "another file",
    ),
    Case(
        Code.ACCESS_DENIED,
        P,
        of(
            missing(replace(GONE, is_closed=True)),
            machine=replace(MACHINE, is_root=False),
        ),
        "/etc/wireguard/wg0.conf may not be read",
        "sudo pywg doctor wg0",
    ),
    Case(
        Code.OWN_KEY_AS_PEER,
        P,
        of(interface(config=replace(GONE, own_key_line=7))),
        "The [Peer] in line 7 of /etc/wireguard/wg0.conf has this interface's own public key",
        "the other side's public key",
    ),
    Case(
        Code.CONFIG_DOUBTFUL,
        W,
        of(interface(WELL, config=replace(GONE, warnings=("wg0.conf:9: this [Peer] takes it away", "b")))),
        "hardly as it was meant: wg0.conf:9: this [Peer] takes it away (and 1 more such).",
        "line",
    ),
    Case(
        Code.NOT_WHAT_ITS_FILE_SAYS,
        W,
        of(interface(WELL, config=replace(GONE, word="wg0", difference="ListenPort there is 5, here 6"))),
        "not what /etc/wireguard/wg0.conf says: ListenPort there is 5, here 6.",
        "pywg syncconf wg0 <(pywg strip wg0)",
    ),
    Case(
        Code.CONFIG_WRONG,
        W,
        of(interface(WELL, config=ConfigFacts("wg0.conf", problem="wg0.conf:3: odd", problem_line=3))),
        "wg0.conf:3",
        "line",
    ),
    Case(
        Code.CONFIG_EXPOSED,
        W,
        of(interface(WELL, config=ConfigFacts("wg0.conf", is_exposed=True))),
        "world accessible",
        "chmod 600 wg0.conf",
    ),
    Case(
        Code.NO_PRIVATE_KEY,
        P,
        of(missing(replace(GONE, has_private_key=False))),
        "has no PrivateKey",
        "pywg genkey",
        alone=False,
    ),
    Case(Code.NO_PEERS, P, of(missing(replace(GONE, peers=0))), "no [Peer]", "PublicKey", alone=False),
    Case(
        Code.PORT_TAKEN,
        P,
        of(missing(replace(GONE, listen_port=500), port_holder="charon (pid 7)")),
        "UDP port 500 (ListenPort) is in use by charon (pid 7)",
        "another ListenPort",
    ),
    Case(
        Code.NAME_UNRESOLVED,
        P,
        of(missing(replace(GONE, names=(name_of("vpn.example", error="Name or service not known"),)))),
        "vpn.example, does not resolve: Name or service not known",
        "name servers",
    ),
)
