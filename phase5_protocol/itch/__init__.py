"""Nasdaq TotalView-ITCH 5.0: decoding all of it, and publishing our own events in it."""
