"""pywg against other implementations, and as other programs drive it."""
