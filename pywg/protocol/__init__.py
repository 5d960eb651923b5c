"""The WireGuard protocol without I/O, clock or randomness of its own.

Everything here takes ``now`` (CLOCK_BOOTTIME nanoseconds), randomness and bytes as arguments and
returns bytes or small frozen results. ``tests/test_architecture.py`` keeps it so.
"""
