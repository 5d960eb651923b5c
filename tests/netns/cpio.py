"""Files into an initramfs: a cpio archive, gzip'ed or not, of the "newc" form (cpio(5)).

Comes in: paths, modes and contents. Goes out: bytes the kernel unpacks before it starts /init. Rule: the
directories above a path come before it, and nothing of the machine is in it but what was asked for.
"""

import gzip
import stat
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath


@dataclass(slots=True)
class Archive:
    """An archive under construction; paths are absolute."""

    _entries: dict[str, tuple[int, bytes]] = field(default_factory=dict)

    def directory(self, path: str) -> None:
        """Add a directory and those above it."""
        for each in reversed((PurePosixPath(path), *PurePosixPath(path).parents)):
            if each.name:
                self._entries.setdefault(str(each).lstrip("/"), (stat.S_IFDIR | 0o755, b""))

    def file(self, path: str, content: bytes, *, mode: int = 0o755) -> None:
        """Add a file."""
        self.directory(str(PurePosixPath(path).parent))
        self._entries[path.lstrip("/")] = (stat.S_IFREG | mode, content)

    def copy(self, source: Path, path: str | None = None) -> None:
        """Add a file of this machine, under the same path unless told otherwise."""
        self.file(path or str(source), source.read_bytes())

    def to_bytes(self, *, compressed: bool = True) -> bytes:
        """The archive; the kernel takes either form."""
        packed = bytearray()
        for number, (name, (mode, content)) in enumerate(
            [*self._entries.items(), ("TRAILER!!!", (0, b""))], 1
        ):
            links = 2 if stat.S_ISDIR(mode) else 1
            encoded = name.encode() + b"\0"
            numbers = (number, mode, 0, 0, links, 0, len(content), 0, 0, 0, 0, len(encoded), 0)
            packed += b"070701" + b"".join(b"%08x" % value for value in numbers) + encoded
            packed += bytes(-len(packed) % 4) + content
            packed += bytes(-len(packed) % 4)
        return gzip.compress(bytes(packed), compresslevel=1) if compressed else bytes(packed)
