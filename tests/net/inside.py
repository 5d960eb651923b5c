"""A thread that lives in a network namespace: sockets and devices it opens belong there."""

import ctypes
import os
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
def inside_new_namespace() -> Iterator[Inside]:
    need_root()
    need("ip", "nsenter")
    namespace = Namespace.create()
    inside = Inside(namespace)
    try:
        yield inside
    finally:
        inside.close()
        namespace.delete()


def _enter(name: str) -> None:
    fd = os.open(NAMESPACES / name, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(fd, 0):
            raise OSError(ctypes.get_errno(), "setns")
    finally:
        os.close(fd)
