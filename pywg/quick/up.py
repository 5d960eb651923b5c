"""`pywg up`: from a configuration file to an interface with addresses, routes and name servers.

In: a configuration and a host. Out: the interface, or an exception and everything as it was: each step
registers how it is undone before it is taken. Order kept: that of wg-quick(8) of 2026, in which PreUp finds
the interface made, and what it sets there (a private key, say) stays.
"""

from concurrent.futures import Future
from functools import partial
from threading import Thread

from pywg.config.change import merge_change
from pywg.config.model import QuickConfig
from pywg.net.system import DnsSettings, Step
from pywg.quick.device import Implementation, add_device, find_device, wait_for_sockets
from pywg.quick.errors import QuickError
from pywg.quick.hooks import run_hooks
from pywg.quick.host import Host
from pywg.quick.routes import add_routes, best_mtu
from pywg.quick.undo import Undo
from pywg.uapi.model import DeviceChange


def bring_up(config: QuickConfig, implementation: Implementation, host: Host) -> None:
    """Bring the interface up.

    Raises QuickError, ConfigError (an endpoint), StartError, NetworkError, UapiError or Interrupted, after
    everything was undone.
    """
    present = find_device(config.name, host)
    if present is not None:
        also = f" as {present}" if present != config.name else ""
        raise QuickError(f"'{config.name}' already exists{also}; take it down first, or choose another name")
    undo = Undo(host.tell)
    try:
        try:
            _take_steps(config, implementation, host, undo)
        finally:
            # Also of what failed: daemon and hooks may have been told to end together with us.
            host.interruption.check()
    except BaseException:
        undo.run()
        raise


def _take_steps(config: QuickConfig, implementation: Implementation, host: Host, undo: Undo) -> None:
    system, check = host.system, host.interruption.check
    name = add_device(config.name, implementation, host, undo)
    check()
    run_hooks("PreUp", config.hooks.pre_up, config, name, host)

    control = host.open_control(name)
    host.echo(f"pywg addconf {name} <(pywg strip {config.path})")
    control.set(_change(config, host))
    for address in config.addresses:
        check()
        system.links.add_address(name, address)
    state = control.get()
    check()
    system.links.set_up(name, best_mtu(state, system.routes) if config.mtu is None else config.mtu)
    wait_for_sockets(name, host)

    if config.dns:
        check()
        undo.register(Step("take back the name servers", partial(system.dns.unset, name)))
        system.dns.set(name, DnsSettings(config.dns, config.dns_search))
    add_routes(config, name, state, host, undo)
    run_hooks("PostUp", config.hooks.post_up, config, name, host)


def _change(config: QuickConfig, host: Host) -> DeviceChange:
    """What the file says, names resolved.

    In a thread: the C library waits 10 s and more for a name server that is dead, and heeds no signal.
    """
    outcome: Future[DeviceChange] = Future()

    def resolve_all() -> None:
        try:
            outcome.set_result(merge_change(config.wg, host.resolve))
        except BaseException as error:  # noqa: BLE001 (raised again below)
            outcome.set_exception(error)

    Thread(target=resolve_all, daemon=True).start()
    with host.interruption.waiting():
        return outcome.result()
