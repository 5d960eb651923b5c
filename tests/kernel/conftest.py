"""A guest with the kernel's WireGuard, Debian's `wg` and this tree's pywg, booted once for all tests here."""

from collections.abc import Iterator

import pytest

from tests.interop.guest import Guest, find_kernel
from tests.kernel.samples import FILES
from tests.needs import need

PROGRAMS = ("bash", "wg-quick")


@pytest.fixture(scope="session")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    """It has no network card; what it needs of a network it has in itself."""
    need("qemu-system-x86_64", "busybox", "modprobe", "ldd", "wg", "ip", *PROGRAMS)
    if find_kernel() is None:
        need("/boot/vmlinuz-*-cloud-amd64 (package linux-image-cloud-amd64)")
    directory = tmp_path_factory.mktemp("guest")
    with Guest.boot(None, directory, python=True, programs=PROGRAMS, files=FILES) as booted:
        booted.run("ln -s /proc/self/fd /dev/fd; ln -s /proc/self/fd/0 /dev/stdin")
        booted.run("ln -s /programs/bash /bin/bash; chmod 600 /etc/wireguard/*; umask 077")
        yield booted
