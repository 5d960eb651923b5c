"""``python -m tests.demo.run_demo DAEMON ...``: the demo with pywg, wireguard-go, or a daemon that fails."""

import sys
from functools import partial

from pywg.cli import demo
from pywg.demo import daemon

DAEMONS = {
    "pywg": None,
    "wireguard-go": partial(daemon.start, command=("wireguard-go",)),
    "failing": partial(daemon.start, command=("sh", "-c", "echo no luck today; exit 1")),
}

if __name__ == "__main__":
    sys.exit(demo.main(sys.argv[2:], DAEMONS[sys.argv[1]]))
