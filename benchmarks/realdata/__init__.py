"""Published exports of real systems, and whether the checks find in them what was counted from their files.

Each YAML file names a data set: how its files are read (as a source of the export adapter), under what profile,
and for every number of its ``profile.json`` the check that finds it, or the reason why none does. Run it as
``python -m benchmarks.realdata``.
"""
