"""The gate: what is known of a record's flags at the moment of a call, in microseconds."""
