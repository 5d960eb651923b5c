"""The commands of wg-quick(8): an interface with its addresses, routes and name servers, from one file.

In: nothing. Out: `GROUP`.
"""

from typing import Final

from pywg.manual.model import Argument, Command, Example, Fills, Group, Option

_WHICH: Final = Argument(
    "NAME|FILE",
    "an interface, whose file is /etc/wireguard/NAME.conf, or the path of a file called NAME.conf",
    (Fills.CONFIGURATION,),
)
_STATUS: Final = """
    0; 1 for an error; 2 if the system refused a link, an address, a route or a rule; that of a hook,
    nft or resolvconf if one of them fails; 128 and the signal's number if a signal ended it.
"""

UP: Final = Command(
    word="up",
    forms=("up [--kernel] NAME|FILE",),
    summary="bring up the interface that a file describes",
    description="""
        Makes the interface, with pywg's own daemon behind it; gives it keys, peers and addresses; sets
        its MTU and the link up; then name servers, and routes to the allowed IPs of all peers. Each step
        is told on standard error, in a line that starts with `[#]`. If one fails, all are undone.

        A peer that is allowed 0.0.0.0/0 or ::/0 gets all traffic. Routing rules then keep the encrypted
        packets themselves out of the tunnel, and firewall rules drop packets for the tunnel's
        addresses that arrive by any other way. systemd-networkd(8) deletes rules that others made when
        it starts or configures a link anew, and traffic then leaves outside of the tunnel: with it,
        write `ManageForeignRoutingPolicyRules=no` under `[Network]` into /etc/systemd/networkd.conf.
    """,
    arguments=(_WHICH,),
    options=(Option(("--kernel",), "use the kernel's WireGuard instead of the daemon"),),
    status=_STATUS,
    examples=(Example(("pywg up wg0",), "what /etc/wireguard/wg0.conf describes"),),
)

DOWN: Final = Command(
    word="down",
    forms=("down NAME|FILE",),
    summary="take down what up brought up",
    description="""
        Removes the interface; its daemon, addresses and routes go with it. Takes back name servers and
        the rules of a default route. If the file says `SaveConfig = true`, the present configuration is
        saved first. Of an interface that has gone by itself (its daemon was killed, say) what it has left
        behind is taken away.
    """,
    arguments=(_WHICH,),
    status=_STATUS,
)

SAVE: Final = Command(
    word="save",
    forms=("save NAME|FILE",),
    summary="write an interface's present configuration to its file",
    description="The interface stays up. The file keeps the settings that only `up` and `down` understand.",
    arguments=(_WHICH,),
    status=_STATUS,
)

STRIP: Final = Command(
    word="strip",
    forms=("strip NAME|FILE",),
    summary="print a file without the settings only up and down know",
    description="""
        Prints the file as setconf and syncconf take it, without the settings that only `up` and `down`
        understand; secret keys included.
    """,
    arguments=(_WHICH,),
)

GROUP: Final = Group("Commands of wg-quick", (UP, DOWN, SAVE, STRIP))
