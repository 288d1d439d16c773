"""Audited images on one picture: a row for each, its map by each method before and after the attack."""

import io
from collections.abc import Sequence

from PIL import Image
from torch import Tensor

from app.service.audits.attacks import MethodAudit
from app.service.audits.pictures import heatmap_of, pixels_of
from app.service.explaining.sheet import CELL_PIXELS, GAP_PIXELS, LINE_PIXELS, PAPER, paste_cell


def draw_audits(audits: Sequence[MethodAudit], classes: Sequence[str], images: Tensor, rows: int) -> bytes:
    """PNG of the first `rows` images; maps lie on grey, each on its own scale.

    Args:
        audits: of one model over the same images.
        classes: names by id.
        images: (batch, channels, height, width) in [0, 1], as they were.
        rows: how many, or as many as there are.
    """
    rows = min(rows, len(images))
    cell_height = CELL_PIXELS + 3 * LINE_PIXELS + GAP_PIXELS
    width = (1 + 2 * len(audits)) * (CELL_PIXELS + GAP_PIXELS) + GAP_PIXELS
    sheet = Image.new("RGB", (width, rows * cell_height + GAP_PIXELS), PAPER)
    for row in range(rows):
        top = GAP_PIXELS + row * cell_height
        read_as = classes[int(audits[0].audit.class_before[row])]
        paste_cell(sheet, 0, top, Image.fromarray(pixels_of(images[row])), ["image", f"read as {read_as}"])
        for place, one in enumerate(audits):
            found = one.audit
            before = _map(images[row], found.map_before[row], one.method)
            after = _map(found.pictures[row], found.map_after[row], one.method)
            read_as = classes[int(found.class_after[row])]
            outcome = f"rank correlation {float(found.spearman[row]):.2f}" if found.found[row] else "none found"
            paste_cell(sheet, 1 + 2 * place, top, before, [one.method, "of the image"])
            paste_cell(
                sheet, 2 + 2 * place, top, after, [f"RMS {float(found.perturbation_rms[row]):.3f}", read_as, outcome]
            )
    file = io.BytesIO()
    sheet.save(file, format="PNG", optimize=True)
    return file.getvalue()


def _map(image: Tensor, values: Tensor, method: str) -> Image.Image:
    drawn = heatmap_of(image, values, method)
    whole = Image.open(io.BytesIO(drawn.png)).convert("RGB")
    return whole.crop((0, 0, image.shape[2] * drawn.enlarged, image.shape[1] * drawn.enlarged))  # without its bar
