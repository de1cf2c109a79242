"""Market data by multicast: MoldUDP64, gaps and how they are filled, joining late."""
