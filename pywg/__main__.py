"""``python -m pywg`` and the ``pywg`` command: in the arguments, out the exit status."""

import sys

from pywg.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
