"""The arrays of sendmmsg(2) and recvmmsg(2), made once, handed to the kernel again and again.

In: a socket. Out: how many datagrams went or came in one system call. No UDP_SEGMENT, no UDP_GRO: every
datagram passes the stack by itself, as those of many small senders do.
"""

import ctypes
import errno
import os
import socket

_LIBC = ctypes.CDLL(None, use_errno=True)


class _Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Msghdr(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("namelen", ctypes.c_uint32),
        ("iov", ctypes.POINTER(_Iovec)),
        ("iovlen", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("controllen", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Mmsghdr(ctypes.Structure):
    _fields_ = (("header", _Msghdr), ("length", ctypes.c_uint))


class Messages:
    """`count` datagrams of `size` bytes, which share one buffer: what is in them is of no interest."""

    def __init__(self, connection: socket.socket, count: int, size: int) -> None:
        self._socket = connection.fileno()
        self._buffer = ctypes.create_string_buffer(size)
        self._iovec = _Iovec(ctypes.cast(self._buffer, ctypes.c_void_p), size)
        self._array = (_Mmsghdr * count)()
        for message in self._array:
            message.header.iov = ctypes.pointer(self._iovec)
            message.header.iovlen = 1
        self._count = count

    def send(self, count: int) -> int:
        """Send the first `count`; returns how many the kernel took. Raises OSError."""
        return self._checked(_LIBC.sendmmsg(self._socket, self._array, count, 0))

    def receive(self) -> int:
        """Take those that are there, without waiting. Raises OSError."""
        flags = socket.MSG_DONTWAIT
        return self._checked(_LIBC.recvmmsg(self._socket, self._array, self._count, flags, None))

    def _checked(self, result: int) -> int:
        if result >= 0:
            return result
        number = ctypes.get_errno()
        # ECONNREFUSED tells of an earlier datagram, ENOBUFS of a full queue: none was sent now.
        if number in {errno.EAGAIN, errno.EINTR, errno.ENOBUFS, errno.ECONNREFUSED}:
            return 0
        raise OSError(number, os.strerror(number))
