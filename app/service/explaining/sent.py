"""What is sent of an explanation: its pictures, and what the network is shown when it is asked about them."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from app.engine.token import WorkToken
from app.images.fit import Carried, Reader
from app.images.render import ExplainedPicture, PixelPainter
from app.service.explaining.beside import Beside
from app.service.explaining.pictures import Style, TakesRows, draw, draw_map, read_sent
from app.service.explaining.sheet import DRAWN_FROM, SHOWN_SIDE
from app.service.explaining.sweep import SWEEP_SIDE
from app.service.options import CAPTURE, PICTURES, SHEET, ExplainOptions
from app.service.passes import Found
from app.service.results.explanation import TargetExplanation
from app.service.results.facts import DrawnPicture
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


def draw_all(upload: Upload, found: Found, beside: Beside, style: Style, token: WorkToken) -> Sent:
    """One target after the other: of a large upload no change, and no picture of it, is ever whole in memory.

    Raises:
        OptionError: the pictures take more room than there is.
        Cancelled, DeadlineExceeded: the token is over.
    """
    pictures, small, fitted = [], [], []
    style = replace(style, options=with_what_others_need(style.options))
    for row, perturbation in enumerate(found.explanation.perturbation):
        reader, painter = Reader(upload.fitting), _small_painter(upload)
        readers: list[TakesRows] = [reader] if style.options.sweep is None else [reader, painter]
        drawn = draw(upload, Carried(upload.fitting, perturbation), style, readers, token)
        pictures.append({**drawn, **_draw_beside(upload, beside, row, style, token)})
        if style.options.sweep is not None:
            small.append(painter.finish())
        fitted.append(reader.finish())
    return Sent(pictures, small, torch.stack(fitted))


def draw_small(upload: Upload, found: Found, token: WorkToken) -> Sent:
    """The same for another size of a sweep, of which only small pictures are sent."""
    small, fitted = [], []
    for perturbation in found.explanation.perturbation:
        reader, painter = Reader(upload.fitting), _small_painter(upload)
        read_sent(upload, Carried(upload.fitting, perturbation), [reader, painter], token)
        small.append(painter.finish())
        fitted.append(reader.finish())
    return Sent([{}] * len(small), small, torch.stack(fitted))


def _small_painter(upload: Upload) -> PixelPainter:
    """Of the picture that is sent, as it stands in a sweep."""
    return PixelPainter(upload.decoded.height, upload.decoded.width, SWEEP_SIDE)


def with_what_others_need(options: ExplainOptions) -> ExplainOptions:
    """The pictures asked for, and those that a sheet or a capture is drawn from; for a sheet alone small ones."""
    drawn_from = (
        *(DRAWN_FROM if SHEET in options.include else ()),
        *(["heatmap"] if CAPTURE in options.include else ()),
    )
    side = options.picture_side
    if SHEET in options.include and not {*PICTURES, CAPTURE} & set(options.include):
        side = SHOWN_SIDE if side is None else min(side, SHOWN_SIDE)
    return replace(options, include=tuple(dict.fromkeys((*options.include, *drawn_from))), picture_side=side)


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
    upload: Upload, beside: Beside, row: int, style: Style, token: WorkToken
) -> Mapping[str, DrawnPicture]:
    if "heatmap" not in style.options.include:
        return {}
    return {
        f"{name}_heatmap": draw_map(upload, Carried(upload.fitting, maps[row]), style, f"{name}, same RMS", token)
        for name, maps in beside.maps.items()
    }
