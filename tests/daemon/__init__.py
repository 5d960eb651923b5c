"""Tests of the daemon: start-up, hand-over, end."""
