"""Debian's kernel with its own WireGuard, booted in qemu, inside a namespace of a test if it needs a network.

Comes in: shell commands. Goes out: what they printed in the guest. Rule: nothing outside the test's directory
is written; the guest's one network card, if any, is a tap device in that namespace.

The guest is a kernel and an initramfs of busybox, `wg`, `ip`, their libraries and the modules needed, and of
Python with this tree's pywg where asked for (guest_python). Its /init reads commands from the second serial
port, which are pipes of qemu here, and answers each with its output and a line `@@ EXIT_CODE`. The first
serial port takes the kernel's messages into a file.
"""

import lzma
import os
import re
import select
import shlex
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.interop.guest_python import START_SERVER, add_python, libraries
from tests.netns.cpio import Archive
from tests.netns.namespace import CommandError, Namespace, run

BOOT_SECONDS = 40.0
MODULES = ("virtio_pci", "virtio_net", "wireguard")
PROGRAMS = ("wg", "ip")
"""Always there."""
_KERNELS = Path("/boot")
_DONE = re.compile(rb"^@@ (\d+)\n", re.MULTILINE)
_INIT = """#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /tmp /bin
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t tmpfs tmp /tmp
/bin/busybox --install -s /bin
export PATH=/programs:/bin WG_COLOR_MODE=never
ip() { /programs/ip "$@"; }  # busybox prefers its own
for module in $(cat /modules.order); do insmod "$module" || echo "insmod $module: failed"; done
ip link set lo up
stty -F /dev/ttyS1 raw -echo
exec </dev/ttyS1 >/dev/ttyS1 2>&1
echo "@@ 0"
while read -r line; do
    eval "$line" </dev/null
    echo "@@ $?"
done
poweroff -f
"""


def find_kernel() -> Path | None:
    """Debian's cloud kernel, the newest one installed."""
    return max(_KERNELS.glob("vmlinuz-*-cloud-amd64"), default=None)


def _modules(version: str) -> list[Path]:
    """The module files of MODULES in the order they must be loaded."""
    files: dict[Path, None] = {}
    for module in MODULES:
        for line in run("modprobe", "--show-depends", "-S", version, module).stdout.splitlines():
            words = line.split()
            if words[0] == "insmod":
                files[Path(words[1])] = None
    return list(files)


def build_initramfs(
    kernel: Path, *, python: bool, programs: Sequence[str], files: Mapping[str, bytes]
) -> bytes:
    """The initramfs of the guest for that kernel, with `python` or without, and `files` by their paths."""
    archive = Archive()
    archive.file("/init", _INIT.encode())
    archive.copy(Path(shutil.which("busybox") or "/bin/busybox"), "/bin/busybox")
    for program in (*PROGRAMS, *programs):
        path = Path(shutil.which(program) or f"{program} is not installed")
        archive.copy(path, f"/programs/{program}")
        for library in libraries(path):
            archive.copy(library)
    order = []
    for number, module in enumerate(_modules(kernel.name.removeprefix("vmlinuz-"))):
        content = module.read_bytes()
        if module.suffix == ".xz":
            content = lzma.decompress(content)
        name = f"/modules/{number:02}-{module.name.removesuffix('.xz')}"
        archive.file(name, content)
        order.append(name)
    archive.file("/modules.order", "\n".join(order).encode())
    for name, content in files.items():
        archive.file(name, content)
    if python:
        add_python(archive)
    # Python is 70 MB, which the emulated processor takes longer to inflate than we take to write.
    return archive.to_bytes(compressed=not python)


@dataclass(slots=True)
class Guest:
    """A running guest; a context manager that ends it."""

    process: subprocess.Popen[bytes]
    console: Path
    _received: bytes = b""

    @classmethod
    def boot(
        cls,
        namespace: Namespace | None,
        directory: Path,
        tap: str | None = None,
        *,
        python: bool = False,
        programs: Sequence[str] = (),
        files: Mapping[str, bytes] | None = None,
    ) -> "Guest":
        """Boot it and wait until it takes commands.

        `tap`: a device of `namespace`, its network card. `python`: it has a command `pywg`. `programs`: of
        this machine, by name. `files`: their absolute paths in the guest and contents.
        """
        kernel = find_kernel()
        assert kernel is not None
        initramfs, console = directory / "initramfs", directory / "console.log"
        archive = build_initramfs(kernel, python=python, programs=programs, files=files or {})
        initramfs.write_bytes(archive)
        command = (
            f"qemu-system-x86_64 -accel tcg -cpu max -m {512 if python else 256} -nodefaults -no-user-config"
            f" -display none -kernel {kernel} -initrd {initramfs} -append 'console=ttyS0 quiet panic=-1'"
            f" -no-reboot -serial file:{console} -serial stdio"
        )
        if tap is not None:
            command += (
                " -device virtio-net-pci,netdev=net,romfile="
                f" -netdev tap,id=net,ifname={tap},script=no,downscript=no"
            )
        words = shlex.split(command)
        process = subprocess.Popen(
            words if namespace is None else namespace.command(*words),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
        )
        guest = cls(process, console)
        try:
            guest._answer("boot", BOOT_SECONDS)
            if python:
                guest.run(START_SERVER)
        except BaseException:
            guest.kill()
            raise
        return guest

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()
        print(f"--- guest console\n{self.messages()}")

    def messages(self) -> str:
        """What the guest's kernel has said."""
        return self.console.read_text(errors="replace") if self.console.exists() else ""

    def run(self, command: str, *, check: bool = True, timeout: float = 20) -> str:
        """What one line of shell prints in the guest; raises CommandError unless it exits 0."""
        assert self.process.stdin is not None
        assert "\n" not in command
        self.process.stdin.write(command.encode() + b"\n")
        code, output = self._answer(command, timeout)
        if check and code != 0:
            raise CommandError(f"guest: {command}: exit {code}\n{output}")
        return output

    def _answer(self, command: str, timeout: float) -> tuple[int, str]:
        assert self.process.stdout is not None
        deadline = time.monotonic() + timeout
        while (found := _DONE.search(self._received)) is None:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise CommandError(f"guest: no answer to {command} in {timeout} s\n{self._all_said()}")
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                raise CommandError(f"guest: qemu has ended during {command}\n{self._all_said()}")
            self._received += data
        output, self._received = self._received[: found.start()], self._received[found.end() :]
        return int(found[1]), output.decode(errors="replace")

    def _all_said(self) -> str:
        return self._received.decode(errors="replace") + self.messages()

    def kill(self) -> None:
        """Pull the plug."""
        self.process.kill()
        self.process.communicate()
