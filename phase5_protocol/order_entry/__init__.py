"""Order entry over TCP: SoupBinTCP sessions that carry OUCH messages."""
