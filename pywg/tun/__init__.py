"""TUN devices: where inner packets enter and leave."""
