"""What the figures were measured on: kernel, processor, Python, libraries.

In: nothing. Out: texts by name. Without them a figure means nothing.
"""

import os
import platform
import re
from pathlib import Path

import cryptography
from cryptography.hazmat.backends.openssl import backend

_MODEL = re.compile(r"^model name\s*:\s*(.+)$", re.MULTILINE)
_IDLE_LOAD = 0.5
_LOCK = Path(__file__).parents[1] / "native" / "Cargo.lock"
_CIPHER = re.compile(r'^name = "(ring|aws-lc-rs|chacha20poly1305)"\nversion = "([^"]+)"$', re.MULTILINE)


def machine() -> dict[str, str]:
    """In the order in which it is to be read."""
    told = {
        "kernel": f"{platform.system()} {platform.release()}",
        "cpu": f"{os.cpu_count()} x {_cpu()} ({platform.machine()})",
        "load before": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "python": platform.python_version(),
        "cipher, python": f"cryptography {cryptography.__version__}, {backend.openssl_version_text()}",
    }
    if _LOCK.exists():
        ciphers = [" ".join(found) for found in _CIPHER.findall(_LOCK.read_text())]
        told["cipher, native"] = ", ".join(ciphers) or "unknown"
    return told


def is_idle() -> bool:
    """Whether hardly anything ran in the last minute."""
    return os.getloadavg()[0] < _IDLE_LOAD


def _cpu() -> str:
    found = _MODEL.search(Path("/proc/cpuinfo").read_text())
    return found[1].strip() if found else platform.processor() or "unknown"
