"""The process that runs one interface: how it starts itself again, and its loop."""
