"""The scan: every check over the current snapshots, in DuckDB. Never imported by the serving process."""
