"""Harvest: every record of a source into snapshots, and what those snapshots are."""
