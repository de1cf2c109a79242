"""Replaying order streams: read the format, drive an engine, compare with what should be."""
