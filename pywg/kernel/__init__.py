"""Interfaces of the kernel's own WireGuard: read and changed over generic netlink, as `wg` does."""
