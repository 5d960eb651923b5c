"""What a demo has on the machine, so that `pywg demo --clean` can find it again.

In: tag and processes of a demo; names of namespaces and devices follow from the tag (see lab.py). Out: one
small file per demo, in a directory only its user may write to. Files of another user are never believed.
"""

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from pywg.demo.processes import ProcessId


@dataclass(frozen=True, slots=True)
class Record:
    """One demo."""

    tag: str
    owner: ProcessId
    """The `pywg demo` that made it; while it runs, it cleans up by itself."""
    processes: Sequence[ProcessId]


def save(record: Record) -> None:
    """Write or replace the record. Raises OSError."""
    directory = _directory()
    directory.mkdir(mode=0o700, exist_ok=True)
    _refuse_foreign(directory)
    path = directory / f"{record.tag}.json"
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(asdict(record)))
    fresh.replace(path)


def forget(tag: str) -> None:
    """Drop a record, and the directory with the last one; none is no error."""
    directory = _directory()
    (directory / f"{tag}.json").unlink(missing_ok=True)
    with suppress(OSError):  # not empty, or not there
        directory.rmdir()


def load_all() -> list[Record]:
    """Every record of this user. Raises OSError when somebody else planted the directory."""
    directory = _directory()
    if not directory.exists():
        return []
    _refuse_foreign(directory)
    return [_read(path) for path in sorted(directory.glob("*.json"))]


def _read(path: Path) -> Record:
    fields = json.loads(path.read_text())
    return Record(
        tag=fields["tag"],
        owner=ProcessId(**fields["owner"]),
        processes=[ProcessId(**process) for process in fields["processes"]],
    )


def _directory() -> Path:
    # Not below /run: an unprivileged demo covers that with a file system of its own.
    return Path("/tmp") / f"pywg-demo-{_real_uid()}"  # noqa: S108 (owner and mode are checked)


def _real_uid() -> int:
    """The uid outside any user namespace of ours: the second number of our own mapping."""
    inner, outer, _ = (int(word) for word in Path("/proc/self/uid_map").read_text().split()[:3])
    return outer + (os.getuid() - inner)


def _refuse_foreign(directory: Path) -> None:
    found = directory.lstat()
    if found.st_uid != os.getuid() or found.st_mode & 0o022 or directory.is_symlink():
        raise PermissionError(f"{directory} was not made by this user; remove it and try again")
