"""A small model to measure."""

from collections.abc import Iterator

import pytest

from app.bench.subject import Subject, open_subject
from app.settings import Settings
from tests.web.serving import picture, save_tiny


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    """`tiny` and two pictures, one larger than it takes."""
    folder = tmp_path_factory.mktemp("bench")
    save_tiny(folder / "tiny", seed=1)
    (folder / "pictures").mkdir()
    for name, side in (("one", 8), ("two", 20)):
        (folder / "pictures" / f"{name}.png").write_bytes(picture(side, side))
    settings = Settings(threads=1)
    with open_subject(
        folder / "tiny",
        folder / "pictures",
        device=settings.torch_device(),
        make_step=settings.make_step(),
        engine_limits=settings.engine_limits(),
        decode_limits=settings.decode_limits(),
    ) as subject:
        yield subject
