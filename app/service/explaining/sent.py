"""What is sent of an explanation: its pictures, and what the network is shown when it is asked about them."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from app.engine.token import WorkToken
from app.images.render import ExplainedPicture, draw_pixels, explained_pixels
from app.service.explaining.beside import Beside
from app.service.explaining.pictures import draw, draw_map
from app.service.explaining.sheet import DRAWN_FROM
from app.service.explaining.sweep import SWEEP_SIDE
from app.service.options import CAPTURE, PICTURES, SHEET, ExplainOptions
from app.service.passes import Found
from app.service.results import DrawnPicture, TargetExplanation
from app.service.uploads import Upload


@dataclass(frozen=True)
class Sent:
    """What is sent for each target, at one size.

    Attributes:
        pictures: by name.
        small: the explained pictures as they stand in a sweep; none without one.
        fitted: the explained pictures fitted again, (targets, channels, height, width).
    """

    pictures: Sequence[Mapping[str, DrawnPicture]]
    small: Sequence[ExplainedPicture]
    fitted: Tensor


def draw_all(
    upload: Upload, found: Found, beside: Beside, options: ExplainOptions, default_scale: float, token: WorkToken
) -> Sent:
    """One target after the other: of a large upload only one change is in memory at a time."""
    pictures, small, fitted = [], [], []
    drawn_from = (
        *(DRAWN_FROM if SHEET in options.include else ()),
        *(["heatmap"] if CAPTURE in options.include else ()),
    )
    names = dict.fromkeys((*options.include, *drawn_from))
    wanted = replace(options, include=tuple(names))
    for row, perturbation in enumerate(found.explanation.perturbation):
        token.check()
        drawn = draw(upload.floats, upload.fitting.to_image(perturbation), wanted, default_scale)
        pictures.append({**drawn.pictures, **_draw_beside(upload, beside, row, options, default_scale)})
        if options.sweep is not None:
            small.append(draw_pixels(drawn.sent, SWEEP_SIDE))
        fitted.append(upload.fitting.to_network(np.float32(1 / 255) * drawn.sent))
    return Sent(pictures, small, torch.stack(fitted))


def draw_small(upload: Upload, found: Found, token: WorkToken) -> Sent:
    """The same for another size of a sweep, of which only small pictures are sent."""
    small, fitted = [], []
    for perturbation in found.explanation.perturbation:
        token.check()
        sent = explained_pixels(upload.floats, upload.fitting.to_image(perturbation))
        small.append(draw_pixels(sent, SWEEP_SIDE))
        fitted.append(upload.fitting.to_network(np.float32(1 / 255) * sent))
    return Sent([{}] * len(small), small, torch.stack(fitted))


def as_asked(one: TargetExplanation, options: ExplainOptions) -> TargetExplanation:
    """Without the pictures that were drawn for a sheet or a capture alone."""
    unasked = set(PICTURES) - set(options.include)
    return replace(one, pictures={name: drawn for name, drawn in one.pictures.items() if name not in unasked})


def arrays_npz(fitted: Tensor, found: Found, beside: Beside) -> bytes:
    """The npz of `ExplainResult.arrays_npz`."""
    perturbation, file = found.explanation.perturbation, io.BytesIO()
    arrays = {
        "explained": fitted + perturbation,
        "perturbation": perturbation,
        **{f"map_{name}": maps for name, maps in beside.maps.items()},
    }
    channels_last = {name: array.permute(0, 2, 3, 1).numpy() for name, array in arrays.items()}
    np.savez(file, allow_pickle=False, image=fitted.permute(1, 2, 0).numpy(), **channels_last)
    return file.getvalue()


def _draw_beside(
    upload: Upload, beside: Beside, row: int, options: ExplainOptions, default_scale: float
) -> Mapping[str, DrawnPicture]:
    if "heatmap" not in options.include:
        return {}
    carried = {name: upload.fitting.to_image(maps[row]) for name, maps in beside.maps.items()}
    return {
        f"{name}_heatmap": draw_map(upload.floats, one, options, default_scale, meaning=f"{name}, same RMS")
        for name, one in carried.items()
    }
