"""State: private files with one writer, durable statements by group commit, the journal of writes."""
