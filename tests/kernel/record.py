"""Records what a kernel's WireGuard tells of a device, and what `wg` makes of it: vectors/kernel_device.json.

    .venv/bin/python -m tests.kernel.record

Comes in: the guest of the tests, where `wg` configures an interface. Goes out: the attributes of each message
of a listing, read with a small buffer so that the kernel must divide a peer over messages. Rule: the
expected answers are those of `wg`, not of pywg. All keys are made for this file.
"""

import json
import tempfile
from pathlib import Path

from tests.interop.guest import Guest
from tests.interop.guest_python import COMMAND
from tests.kernel.samples import FILES, key
from tests.vectors import DIRECTORY

_PREFIXES = ",".join(f"fd00:0:0:{number:x}::/64,10.{number}.0.0/16" for number in range(100))
_CONFIGURE = [
    "ip link add wg0 type wireguard; ip link add far type wireguard",
    "wg set wg0 private-key /samples/own listen-port 51820 fwmark 0x20",
    f"wg set wg0 peer {key(100)} preshared-key /samples/psk endpoint 192.0.2.1:77 persistent-keepalive 25",
    f"wg set wg0 peer {key(100)} allowed-ips 10.0.0.0/8,fd00::/16,0.0.0.0/0",
    f"wg set wg0 peer {key(101)} endpoint [fe80::1%lo]:65535 allowed-ips {_PREFIXES}",
    f"wg set wg0 peer {key(102)} allowed-ips ::/0,192.0.2.7",
    "wg genkey > /tmp/far; wg set far private-key /tmp/far listen-port 51822",
    "wg set far peer $(wg show wg0 public-key) allowed-ips 192.168.0.0/16",
    "wg set wg0 peer $(wg show far public-key) endpoint [::1]:51822 persistent-keepalive 1",
    "ip link set far up; ip link set wg0 up",
    "until wg show wg0 transfer | grep -qv '\t0\t'; do sleep 0.1; done",
    "ip link set wg0 down",
]
_SCRIPT = b"""
import json
from pywg.kernel import generic_netlink, messages
generic_netlink._BUFFER = 4096
with generic_netlink.GenericNetlink(messages.FAMILY, 5) as kernel:
    bodies = kernel.dump(messages.GET_DEVICE, messages.get_body("wg0"))
print(json.dumps([body.hex() for body in bodies]))
"""


def record() -> dict[str, object]:
    """Boot the guest and ask it."""
    with (
        tempfile.TemporaryDirectory() as directory,
        Guest.boot(None, Path(directory), python=True, files={**FILES, "/record.py": _SCRIPT}) as guest,
    ):
        for command in _CONFIGURE:
            guest.run(command)
        kernel, tools = guest.run("uname -r").strip(), guest.run("wg --version").split()[1]
        return {
            "source": f"Linux {kernel} and wireguard-tools {tools} (GPL-2.0), by tests/kernel/record.py",
            "generated": True,
            "what": "attributes of each message in which a kernel lists a device, and what wg tells of it",
            "bodies": json.loads(guest.run(f"{COMMAND} /record.py")),
            "showconf": guest.run("wg showconf wg0"),
            "dump": guest.run("wg show wg0 dump"),
        }


if __name__ == "__main__":
    (DIRECTORY / "kernel_device.json").write_text(json.dumps(record(), indent=1) + "\n", encoding="utf-8")
