"""UDP sockets: where WireGuard's datagrams enter and leave."""
