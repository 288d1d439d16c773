"""An archive for each test that asks for one."""

from collections.abc import Iterator

import pytest

from tests.archive.server import TestArchive, archive_serving


@pytest.fixture
def archive() -> Iterator[TestArchive]:
    with archive_serving() as serving:
        yield serving
