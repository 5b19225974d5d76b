"""Jobs: what runs by the clock, once at a time over all processes, and what became of it."""
