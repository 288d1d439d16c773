"""Where the cells of a sheet lie."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from app.service.explaining.sheet import CELL_PIXELS, GAP_PIXELS, LINE_PIXELS, SheetRow, draw_sheet
from app.service.results.facts import ClassProbability, DrawnPicture, Prediction
from tests.service.test_kept import record

LINE = CELL_PIXELS + 3 * LINE_PIXELS + GAP_PIXELS


def of_level(level: int) -> DrawnPicture:
    file = io.BytesIO()
    Image.new("RGB", (4, 4), (level, level, level)).save(file, "PNG")
    return DrawnPicture(file.getvalue(), 4, 4)


def row(targets: int) -> SheetRow:
    """The upload has level 0, the n-th target's heatmap 20 n + 10, its explained picture 20 n + 20."""
    explanations = [
        replace(one, pictures={"heatmap": of_level(20 * number + 10), "explained": of_level(20 * number + 20)})
        for number, one in enumerate(record("a", targets=targets).result.explanations)
    ]
    pixels = np.zeros((4, 4, 3), dtype=np.uint8)
    return SheetRow(pixels, Prediction((ClassProbability("cat", 0, 0.5),)), explanations)


@pytest.mark.parametrize(("counts", "lines", "columns"), [([2], 1, 5), ([5], 1, 11), ([7], 2, 11), ([7, 1], 3, 11)])
def test_targets_go_on_in_the_next_line_where_one_is_full(counts: list[int], lines: int, columns: int) -> None:
    drawn = draw_sheet([row(count) for count in counts])
    assert (drawn.width, drawn.height) == (
        columns * (CELL_PIXELS + GAP_PIXELS) + GAP_PIXELS,
        lines * LINE + GAP_PIXELS,
    )
    sheet = np.asarray(Image.open(io.BytesIO(drawn.png)).convert("L"))
    middles = sheet[GAP_PIXELS + CELL_PIXELS // 2 :: LINE, GAP_PIXELS + CELL_PIXELS // 2 :: CELL_PIXELS + GAP_PIXELS]
    shown = [[int(level) for level in line if level != 255] for line in middles]
    expected = []
    for count in counts:
        levels = [10 * number for number in range(1, 2 * count + 1)]
        expected += [[0, *levels[:10]], *([levels[10:]] if count > 5 else [])]
    assert shown == expected
