"""A scan of a hundred megapixels through a real server, in memory that a small machine has."""

from pathlib import Path

import pytest

from tests.end_to_end.large import PICTURES, SMALL, WAYS, large_server, scan

MAX_BYTES = 1_500_000_000


@pytest.mark.slow
def test_a_hundred_megapixels_are_explained_whole_at_several_sizes_and_by_tiles_of_a_region(tmp_path: Path) -> None:
    image = scan()
    with large_server(tmp_path) as server:
        assert server.explain(image, include=PICTURES)["bytes"] > 10**7
        assert server.explain(image, **SMALL["sweep"])["bytes"] < 10**7
        assert server.explain(image, include="heatmap", **WAYS["region"], **WAYS["tiles"])["tiles"] == 4
        assert server.peak_bytes() < MAX_BYTES
