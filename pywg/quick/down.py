"""`pywg down`: the interface and all that `up` put around it, taken away.

In: a configuration and a host. Out: nothing left. Order kept: that of wg-quick(8): PreDown, save, rules, the
interface with its addresses and routes, name servers, firewall, PostDown. Once it has begun to take away it
goes on, whatever of it fails; that is told.
"""

from functools import partial

from pywg.config.model import QuickConfig
from pywg.quick.device import delete_device, find_wireguard
from pywg.quick.errors import QuickError
from pywg.quick.hooks import run_hooks
from pywg.quick.host import Host
from pywg.quick.routes import default_table
from pywg.quick.save import write_state
from pywg.quick.undo import Step, do_all
from pywg.uapi.client import UapiError


def take_down(config: QuickConfig, host: Host) -> None:
    """Take the interface down. Raises QuickError, NetworkError, UapiError, Interrupted."""
    name = find_wireguard(config.name, host)
    run_hooks("PreDown", config.hooks.pre_down, config, name, host)
    if config.save_config:
        write_state(config, name, host)
    host.interruption.check()

    if not do_all(_steps(config, name, host), host.tell):
        raise QuickError(f"{name} is not down completely: see above")
    run_hooks("PostDown", config.hooks.post_down, config, name, host)


def _steps(config: QuickConfig, name: str, host: Host) -> list[Step]:
    network, firewall, dns = host.system.network, host.system.firewall, host.system.dns
    steps = []
    table = _table(config, name, host)
    if table is not None:
        steps.append(
            Step(f"remove the rules for table {table}", partial(network.remove_default_rules, table))
        )
    around = host.system.endpoint_routes
    if around is not None:
        steps.append(Step(f"remove the routes around {name}", partial(around.remove, name)))
    steps.append(Step(f"delete {name}", partial(delete_device, config.name, name, host)))
    if config.dns:
        steps.append(Step("take back the name servers", partial(dns.unset, name)))
    steps.append(Step(f"remove the firewall of {name}", partial(firewall.remove, name)))
    return steps


def _table(config: QuickConfig, name: str, host: Host) -> int | None:
    try:
        return default_table(config, host.open_control(name).get())
    except UapiError as error:  # A daemon that is stuck is one more reason to take it down.
        host.tell(f"{error}; if it has rules, they stay: see 'ip rule'")
        return None
