"""Real exports as a ServiceNow instance: which files and columns of a folder mean what, as data.

Each YAML file beside this one describes one published data set: its files (read by the same code as the
export adapter), the native ServiceNow tables they become for the mock, and the overlay with which the
export adapter reads the raw files. ``find`` recognises data sets in a folder; ``load`` makes the tables.
"""

from mock_servers.datasets.description import Description, descriptions
from mock_servers.datasets.loading import Dataset, Found, find, load, load_found

__all__ = ["Dataset", "Description", "Found", "descriptions", "find", "load", "load_found"]
