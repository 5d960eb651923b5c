"""One file a property of docs/security.md: what an attacker tries, and what must come of it."""
