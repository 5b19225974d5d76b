"""One synthetic enterprise, by seed and size, that every mock serves in its product's shape.

``generate(seed, size, as_of)`` makes it; ``servicenow.tables(estate)`` shows it as ServiceNow tables. The answer
key of the defects in it is written by the planter itself (``defects``, ``plans``), under the settings of
``assumptions``; ``near_misses`` are none. ``second`` (another CMDB of the same things), ``silos`` (monitoring,
purchasing) and ``acquired`` (another company) are made of an estate, with keys of their own.
"""

from __future__ import annotations

from mock_servers.estate.generate import generate
from mock_servers.estate.model import Defect, Estate, Size
from mock_servers.estate.stories import stories

__all__ = ["Defect", "Estate", "Size", "generate", "stories"]
