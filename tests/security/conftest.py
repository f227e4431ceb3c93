"""The broker with a door of each kind, once for all tests here."""

from collections.abc import Iterator

import pytest

from tests.security.doors import Doors, open_doors


@pytest.fixture(scope="session")
def doors(kafka_installed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """See :mod:`tests.security.doors`; tests keep apart by topic, group and rights."""
    with open_doors(tmp_path_factory.mktemp("doors")) as opened:
        yield opened
