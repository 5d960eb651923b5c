"""Configuration files of wg and wg-quick: what they say, typed, and how they are written."""
