"""A user namespace in which an ordinary user is root, where the system allows one.

In: nothing. Out: this very process, root over a network namespace and a /run of its own. Rule kept: nothing
outside is touched; all of it vanishes with the last process (user_namespaces(7), mount_namespaces(7)).
"""

import ctypes
import os
from pathlib import Path

from pywg.demo.say import DemoError

_CLONE_NEWNS = 0x0002_0000
_CLONE_NEWUSER = 0x1000_0000
_CLONE_NEWNET = 0x4000_0000
_MS_REC, _MS_PRIVATE = 0x4000, 0x4_0000
_CAP_NET_ADMIN, _CAP_SYS_ADMIN = 12, 21


def may_make_namespaces() -> bool:
    """Whether this process has what `ip netns add` takes: CAP_SYS_ADMIN and CAP_NET_ADMIN."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            effective = int(line.split()[1], 16)
            return all(effective >> number & 1 for number in (_CAP_NET_ADMIN, _CAP_SYS_ADMIN))
    return False


def become_root_in_user_namespace() -> None:
    """Unshare user, mount and network namespace; /run becomes an empty file system of our own.

    Raises DemoError, which says what to do, where the system refuses. The process must have one thread.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.getuid(), os.getgid()
    try:
        _checked(libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNS | _CLONE_NEWNET))
        # The order is the kernel's demand: without "deny" an unprivileged gid map is refused.
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
            (Path("/proc/self") / name).write_text(text)
        _checked(libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None))
        _checked(libc.mount(b"pywg-demo", b"/run", b"tmpfs", 0, b"mode=0755"))
        Path("/run/netns").mkdir()
        Path("/var/run/netns").stat()  # /var/run must lead to /run
    except OSError as error:
        raise DemoError(
            f"not root, and an unprivileged user namespace is refused here ({error.strerror or error}); "
            "run it as root: sudo make demo"
        ) from error


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
