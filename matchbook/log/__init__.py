"""``matchbook log``: looking into a write-ahead log, checking it, replaying it, taking it apart."""
