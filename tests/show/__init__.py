"""The demo, end to end, and the parts it is made of."""
