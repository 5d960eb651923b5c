"""The cross-platform configuration protocol: what `wg` and a userspace WireGuard say to each other."""
