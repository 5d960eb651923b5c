"""A thread that lives in a network namespace: sockets and devices it opens belong there."""

import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from tests.needs import need, need_root
from tests.netns.namespace import NAMESPACES, Namespace

T = TypeVar("T")


class Inside:
    """Runs callables within a namespace, one after the other."""

    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace
        self._executor = ThreadPoolExecutor(1, initializer=_enter, initargs=(namespace.name,))

    def run(self, call: Callable[[], T]) -> T:
        return self._executor.submit(call).result(timeout=30)

    def close(self) -> None:
        self._executor.shutdown()


@contextmanager
def new_namespace() -> Iterator[Namespace]:
    """A namespace nobody is in, and which therefore may die."""
    need_root()
    need("ip", "nsenter")
    namespace = Namespace.create()
    try:
        yield namespace
    finally:
        namespace.delete()


@contextmanager
def inside_new_namespace() -> Iterator[Inside]:
    with new_namespace() as namespace:
        inside = Inside(namespace)
        try:
            yield inside
        finally:
            inside.close()


def give_up(capability: int) -> None:
    """Take a capability (linux/capability.h) from the calling thread alone, see capset(2)."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, threading.get_native_id())
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; the same for bits 32 to 63
    if libc.capget(header, sets):
        raise OSError(ctypes.get_errno(), "capget")
    for kind in range(3):
        sets[capability // 32 * 3 + kind] &= ~(1 << capability % 32)
    if libc.capset(header, sets):
        raise OSError(ctypes.get_errno(), "capset")


def _enter(name: str) -> None:
    fd = os.open(NAMESPACES / name, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(fd, 0):
            raise OSError(ctypes.get_errno(), "setns")
    finally:
        os.close(fd)
