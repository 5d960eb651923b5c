"""The machine's network: what happens to links, addresses and routes."""
