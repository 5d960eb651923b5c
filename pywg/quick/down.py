"""`pywg down`: the interface and all that `up` put around it, taken away.

In: a configuration and a host. Out: nothing left. Order kept: that of wg-quick(8): PreDown, save, rules, the
interface with its addresses and routes, name servers, firewall, PostDown. Once it has begun to take away it
goes on, whatever of it fails; that is told. An interface may have gone by itself (its daemon was killed, it
was deleted by hand): what it has left behind, name servers that do not answer among it, is taken away too.
PostDown is run if the interface is gone, be something else left or not, for hooks take away too.
"""

from collections.abc import Iterator
from functools import partial

from pywg.config.model import QuickConfig, Table
from pywg.net.system import Step
from pywg.quick.device import delete_device, find_device, find_wireguard
from pywg.quick.errors import QuickError
from pywg.quick.hooks import run_hooks
from pywg.quick.host import Host
from pywg.quick.routes import default_mark
from pywg.quick.save import write_state
from pywg.quick.undo import do_all
from pywg.uapi.client import NoSuchInterfaceError, UapiError


def take_down(config: QuickConfig, host: Host) -> None:
    """Take the interface down. Raises QuickError, NetworkError, UapiError, Interrupted."""
    name = config.name
    steps = list(_steps(config, name, host, gone=True)) if _has_gone(name, host) else []
    if steps:
        host.tell(f"{name} has gone by itself; what it has left behind is taken away")
    else:
        name = find_wireguard(config.name, host)
        run_hooks("PreDown", config.hooks.pre_down, config, name, host)
        if config.save_config:
            write_state(config, name, host)
        host.interruption.check()
        steps = list(_steps(config, name, host, gone=False))

    complete = do_all(steps, host.tell)
    if find_device(config.name, host) is None:
        run_hooks("PostDown", config.hooks.post_down, config, name, host)
    if not complete:
        raise QuickError(f"{name} is not down completely: see above")


def _steps(config: QuickConfig, name: str, host: Host, *, gone: bool) -> Iterator[Step]:
    """In order. Of an interface that is `gone`, only what is seen to be left; none if nothing is."""
    full_tunnel, dns = host.system.full_tunnel, host.system.dns
    mark = full_tunnel.mark(name) if gone else _mark(config, name, host)
    may_be_full = mark is not None or not gone
    if may_be_full:
        yield from full_tunnel.undo_routing(name, mark)
    if not gone:
        yield Step(f"delete {name}", partial(delete_device, config.name, name, host))
    if config.dns and (not gone or dns.servers(name)):
        yield Step("take back the name servers", partial(dns.unset, name))
    if may_be_full:
        yield from full_tunnel.undo_firewall(name)


def _has_gone(name: str, host: Host) -> bool:
    """It is nowhere; in another network namespace it may share its name servers with ours."""
    if find_device(name, host) is not None:
        return False
    try:
        host.open_control(name)
    except NoSuchInterfaceError:
        return True
    return False


def _mark(config: QuickConfig, name: str, host: Host) -> int | None:
    # What it began with is known even if the daemon is stuck, or was given another mark since.
    mark = host.system.full_tunnel.mark(name) if config.table is Table.AUTO else None
    if mark is not None:
        return mark
    try:
        return default_mark(config, host.open_control(name).get())
    except UapiError as error:  # A daemon that is stuck is one more reason to take it down.
        host.tell(f"{error}; if it has rules, they stay: see 'ip rule'")
        return None
