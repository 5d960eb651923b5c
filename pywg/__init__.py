"""pywg: a userspace WireGuard that can be read."""

__version__ = "0.1.0"
