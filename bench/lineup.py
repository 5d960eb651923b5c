"""Who takes part, and who is missing.

In: options. Out: subjects in the order of the tables, and a line for each that could not be had.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

from bench import floor, subjects
from bench.configuration import Keys
from bench.errors import BenchError
from bench.kernel import kernel_module
from bench.lab import output, run
from bench.openvpn import openvpn
from bench.options import Options
from bench.subjects import BarePath, Subject

NATIVE, PYTHON, NULL_CIPHER = "pywg-native", "pywg-python", "pywg-null-cipher"
NEWEST, DEBIANS = "wireguard-go-new", "wireguard-go"


def line_up(options: Options, keys: Keys, directory: Path) -> tuple[list[Subject], list[str]]:
    """`directory` is for what has to be made first. Raises BenchError when --only names nobody."""
    found: list[Subject] = []
    missing: list[str] = []
    for name, subject in _candidates(options, keys, directory):
        if isinstance(subject, str):
            missing.append(f"{name}: {subject}")
        else:
            found.append(subject)
    if options.subjects:
        unknown = options.subjects - {subject.name for subject in found}
        if unknown:
            missing += [f"{name}: asked for, and not among those that can be had" for name in sorted(unknown)]
        found = [subject for subject in found if subject.name in options.subjects]
        if not found:
            raise BenchError("none of the subjects of --only can be had; see the list of the missing")
    elif options.quick:
        found = _quick(found)
    return found, missing


def _candidates(options: Options, keys: Keys, directory: Path) -> Iterator[tuple[str, Subject | str]]:
    given = dict(options.implementations)
    newest = given.pop(NEWEST, None) or _find_newest()
    yield "bare", BarePath()
    yield NATIVE, subjects.pywg("native", keys)
    yield PYTHON, subjects.pywg("python", keys)
    yield NEWEST, _other(NEWEST, newest, keys, "go install golang.zx2c4.com/wireguard@latest")
    yield DEBIANS, _other(DEBIANS, "wireguard-go", keys, "apt-get install wireguard-go")
    for name, path in given.items():
        yield name, _other(name, path, keys, "see IMPL")
    if options.quick and not options.subjects:
        return
    yield "kernel", kernel_module(keys)
    yield "openvpn", openvpn(directory)
    if options.floor and "tcp" in options.workloads and _wants(options, NULL_CIPHER):
        yield NULL_CIPHER, floor.null_cipher(NULL_CIPHER, keys, directory)


def _wants(options: Options, name: str) -> bool:
    return not options.subjects or name in options.subjects


def _other(name: str, program: str | None, keys: Keys, remedy: str) -> Subject | str:
    path = shutil.which(program) if program else None
    if path is None:
        return f"{program or 'no such program'} was not found ({remedy})"
    return subjects.other(name, str(Path(path).resolve()), keys)


def _find_newest() -> str | None:
    """The binary of `go install golang.zx2c4.com/wireguard@latest`: on PATH or where go puts it."""
    places = [shutil.which("wireguard"), str(Path.home() / "go" / "bin" / "wireguard")]
    if shutil.which("go"):
        for variable, below in (("GOBIN", "wireguard"), ("GOPATH", "bin/wireguard")):
            directory = output(["go", "env", variable], timeout=20).strip()
            places.append(str(Path(directory) / below) if directory else None)
    for place in places:
        # Another program may bear that name.
        if place and Path(place).is_file() and "wireguard-go" in run([place, "--version"], timeout=20).stdout:
            return place
    return None


def _quick(found: list[Subject]) -> list[Subject]:
    """The bare path, one pywg, one wireguard-go: the best of each that is there."""
    by_name = {subject.name: subject for subject in found}
    ours = by_name.get(NATIVE, by_name.get(PYTHON))
    theirs = by_name.get(NEWEST, by_name.get(DEBIANS))
    return [subject for subject in (by_name["bare"], ours, theirs) if subject is not None]
