"""The floor: the native engine without its cipher, and the cipher without the engine.

In: the crate, where cargo is at hand. Out: a subject whose daemon loads a library built with ``--profile
measure --features null-cipher``, from a copy of the package; and what the cipher alone costs. Rule kept: the
library is never put where a real daemon would find it.
"""

import json
import os
import shutil
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pywg
from bench.configuration import Keys
from bench.errors import BenchError
from bench.lab import run
from bench.subjects import Daemon
from pywg.demo import daemon

_CRATE = Path(__file__).parents[1] / "native"
_LIBRARY = "pywg_native"
_EXAMPLE = "cipher"
_PATIENCE = 1200.0


def null_cipher(name: str, keys: Keys, directory: Path) -> Daemon | str:
    """Build it, or say why it cannot be had."""
    try:
        built = _build(_LIBRARY, "--lib", "--profile", "measure", "--features", "null-cipher")
    except BenchError as error:
        return str(error)
    package = directory / "null-cipher" / "pywg"
    shutil.copytree(Path(pywg.__file__).parent, package, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    library = package / "_native.abi3.so"
    shutil.copy(built, library)
    return Daemon(
        name=name,
        command=daemon.PYWG,
        version="the native engine with nothing encrypted: for measuring only",
        keys=keys,
        environment={"PYWG_ENGINE": "native", "PYTHONPATH": str(package.parent)},
        engine="native",
        workloads=frozenset({"tcp"}),
        library=library,
    )


class CipherCost:
    """The cipher alone, as a loop over packets of 1,400 B measures it."""

    def __init__(self) -> None:
        """Raises BenchError when it cannot be built."""
        self._program = _build(_EXAMPLE, "--release", "--no-default-features", "--example", _EXAMPLE)

    def measure(self) -> Mapping[str, float]:
        """Seconds per 10^9 bytes to seal them once and open them once. Raises BenchError.

        By itself, and on all processors at once: where two of them share one core, each is slower then, and a
        tunnel, which has them all busy, is nearer to that.
        """
        alone = run([str(self._program)], timeout=60).stdout
        with ThreadPoolExecutor() as pool:
            every = range(os.cpu_count() or 1)
            together = [
                done.stdout for done in pool.map(lambda _: run([str(self._program)], timeout=60), every)
            ]
        return {"cipher": parse_cost(alone), "cipher_all": max(parse_cost(text) for text in together)}


def parse_cost(text: str) -> float:
    """Seconds per 10^9 bytes. Raises BenchError."""
    try:
        told = json.loads(text)
        return float((told["seal_ns"] + told["open_ns"]) / told["packet_bytes"])
    except (ValueError, KeyError, TypeError):
        raise BenchError(
            f"the example '{_EXAMPLE}' said what was not expected: {text.strip()[:200]!r}"
        ) from None


def _build(target: str, *words: str) -> Path:
    """Build with cargo; returns what was made. Raises BenchError."""
    if shutil.which("cargo") is None:
        raise BenchError("cargo is not installed")
    # As for every extension module: no link to a libpython of this machine.
    os.environ.setdefault("PYO3_BUILD_EXTENSION_MODULE", "1")
    os.environ.setdefault("PYO3_PYTHON", sys.executable)
    manifest = ("--locked", "--manifest-path", str(_CRATE / "Cargo.toml"))
    print(f"[#] cargo build {' '.join(words)}", flush=True)
    done = run(["cargo", "build", "--message-format=json", *manifest, *words], timeout=_PATIENCE)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("error")] or [
            "it gave no reason"
        ]
        raise BenchError(f"cargo build {' '.join(words)} failed: {said[0]}")
    for line in reversed(done.stdout.splitlines()):
        told = json.loads(line)
        if told.get("reason") == "compiler-artifact" and told["target"]["name"] == target:
            for file in (told.get("executable"), *told["filenames"]):
                if file and not file.endswith((".rlib", ".rmeta")):
                    return Path(file)
    raise BenchError(f"cargo built no {target}")
