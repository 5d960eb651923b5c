"""Measurements side by side: pywg and Debian's wireguard-go, in one run, on one machine.

Run with ``make bench``. Figures of different runs or machines are never compared.
"""
