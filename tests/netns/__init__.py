"""Network namespaces, daemons and traffic for tests that need a real network: see lab.py."""
