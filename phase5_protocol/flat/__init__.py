"""The flat codec: the 64-byte records as they stand, checked before they are believed."""
