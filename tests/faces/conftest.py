"""One served gateway for all tests of the faces."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.faces.faces_house import House, served_house


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with served_house(tmp_path_factory.mktemp("faces")) as served:
        yield served
