"""Whole devices in one process, on a virtual clock and a network in memory."""
