"""FIX 4.2 and 4.4: the session layer, and order entry on top of it."""
