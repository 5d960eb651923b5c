"""A device's state as a file of wg-quick(8): what ``save`` writes.

In: a state and the configuration that the file has now. Out: text, final newline included. Rule kept:
save_config of wg-quick/linux.bash. No I/O: who writes the text to a file makes it 0600, for it holds keys.
"""

from collections.abc import Iterable
from ipaddress import IPv4Interface, IPv6Interface
from typing import Final

from pywg.config.model import QuickConfig
from pywg.show.conf import showconf
from pywg.show.text import interface_text
from pywg.uapi.model import DeviceState

_HEADING: Final = "[Interface]\n"


def quick_file_text(
    config: QuickConfig,
    state: DeviceState,
    addresses: Iterable[IPv4Interface | IPv6Interface],
    dns: Iterable[str],
    mtu: int | None,
) -> str:
    """What ``wg-quick save`` writes: what holds now, and from the file what no device can tell.

    `dns`: servers now set for the interface. `mtu`: the interface's; it is written only if the file had one.
    """
    own = [
        *(f"Address = {interface_text(address)}" for address in addresses),
        *(f"DNS = {server}" for server in dns),
    ]
    if config.mtu is not None and mtu is not None:
        own.append(f"MTU = {mtu}")
    if config.table_text:
        own.append(f"Table = {config.table_text}")
    if config.save_config:
        own.append("SaveConfig = true")
    hooks = config.hooks
    for name, commands in (
        ("PreUp", hooks.pre_up),
        ("PostUp", hooks.post_up),
        ("PreDown", hooks.pre_down),
        ("PostDown", hooks.post_down),
    ):
        own += (f"{name} = {command}" for command in commands)
    rest = showconf(state).removeprefix(_HEADING).rstrip("\n")
    return _HEADING + "".join(f"{line}\n" for line in own) + (f"{rest}\n" if rest else "")
