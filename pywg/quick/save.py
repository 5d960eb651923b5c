"""`pywg save`: the interface as it is now, written into its configuration file.

In: what device and system tell, and what of the file only the file knows (hooks, table). Out: the file,
replaced in one step, mode 0600 from its first byte on: whoever is interrupted has the old or the new one.
"""

import os
import tempfile
from pathlib import Path

from pywg.config.model import QuickConfig
from pywg.config.write import quick_file_text
from pywg.quick.device import find_wireguard
from pywg.quick.errors import QuickError
from pywg.quick.host import Host


def save_state(config: QuickConfig, host: Host) -> None:
    """Write the state of the interface, which must be up. Raises as `write_state`."""
    write_state(config, find_wireguard(config.name, host), host)


def write_state(config: QuickConfig, name: str, host: Host) -> None:
    """Write the state of the interface `name` to `config.path`.

    Raises QuickError, UapiError, NetworkError.
    """
    links = host.system.links
    host.echo(f"pywg showconf {name}")
    text = quick_file_text(
        config,
        host.open_control(name).get(),
        links.addresses(name),
        host.system.dns.servers(name),
        None if config.mtu is None else links.mtu(name),
    )
    try:
        replace_file(config.path, text)
    except OSError as error:
        raise QuickError(f"cannot write {config.path}: {error.strerror}") from None


def replace_file(path: Path, text: str) -> None:
    """Put a file with this text, mode 0600, in the place of `path`, on the disk too. Raises OSError."""
    descriptor, new = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".tmp", dir=path.parent)  # mode 0600
    try:
        with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123 (a descriptor)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(new).replace(path)
    except BaseException:
        Path(new).unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    """Else the new name may be lost with the power."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
