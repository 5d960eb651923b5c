"""OpenVPN, so that the chart everybody knows from wireguard.com is there.

In: a directory for its keys. Out: a tunnel over UDP with ChaCha20-Poly1305, no compression, MTU 1420, in
userspace at both ends (no DCO). Self-signed certificates, each end knows the other's fingerprint.
"""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.lab import inside, output, run
from pywg.demo import children
from pywg.demo.children import held_back
from pywg.demo.lab import LISTEN_PORT, End, Lab
from pywg.protocol.constants import DEFAULT_MTU

_PATIENCE = 20.0
_CIPHER = "CHACHA20-POLY1305"


@dataclass(frozen=True, slots=True)
class OpenVpn:
    """Two peers, ``--tls-server`` and ``--tls-client``."""

    directory: Path
    version: str
    name: str = "openvpn"
    workloads: frozenset[str] = frozenset({"tcp", "tcp4", "reverse", "latency"})

    def set_up(self, lab: Lab) -> str:
        """Start one in each end; the caller waits for the first ping to be answered."""
        here, there = lab.ends
        self._start(here, there, "client", "server")
        self._start(there, here, "server", "client")
        return str(there.inner.ip)

    def _start(self, own: End, other: End, role: str, others_role: str) -> None:
        fingerprint = (self.directory / f"{others_role}.fingerprint").read_text()
        words = {
            "dev": own.device,
            "dev-type": "tun",
            "proto": "udp",
            "local": str(own.wire.ip),
            "remote": str(other.wire.ip),
            "port": str(LISTEN_PORT),
            "tun-mtu": str(DEFAULT_MTU),
            "cert": str(self.directory / f"{role}.crt"),
            "key": str(self.directory / f"{role}.key"),
            "peer-fingerprint": fingerprint,
            "data-ciphers": _CIPHER,
            "cipher": _CIPHER,
        }
        options = [word for name, value in words.items() for word in (f"--{name}", value)]
        options += ["--ifconfig", str(own.inner.ip), str(other.inner.ip), "--disable-dco", f"--tls-{role}"]
        options += ["--dh", "none"] if role == "server" else []
        # It stays in the foreground; the laboratory ends whatever runs in its namespaces.
        with held_back():
            subprocess.Popen(
                inside(own, "openvpn", *options),
                env=children.own_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )


def openvpn(directory: Path) -> OpenVpn | str:
    """Make its keys; or say why it cannot be had."""
    for program in ("openvpn", "openssl"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    for role in ("server", "client"):
        _make_keys(directory, role)
    # It shows its version with status 1.
    said = run(["openvpn", "--version"], timeout=_PATIENCE).stdout.splitlines()
    return OpenVpn(directory, f"{' '.join(said[0].split()[:2])}; {said[1].strip()}; {_CIPHER}, UDP, no DCO")


def _make_keys(directory: Path, role: str) -> None:
    key, certificate = directory / f"{role}.key", directory / f"{role}.crt"
    words = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp384r1", "-nodes")
    where = ("-sha256", "-days", "2", "-subj", f"/CN={role}", "-keyout", str(key), "-out", str(certificate))
    output([*words, *where], timeout=_PATIENCE)
    told = output(
        ["openssl", "x509", "-fingerprint", "-sha256", "-noout", "-in", str(certificate)], timeout=_PATIENCE
    )
    (directory / f"{role}.fingerprint").write_text(told.strip().partition("=")[2])
