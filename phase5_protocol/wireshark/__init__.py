"""Dissectors that show our messages in Wireshark, and what makes their tables."""
