"""An image explained by tiles: each fitted to the network by itself, all in one batch, their maps joined to one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from app.adversarial.explain import Explanation
from app.adversarial.sizes import l2, rms
from app.engine.device import Place
from app.engine.jobs import Observer
from app.engine.token import WorkToken
from app.errors import OptionError
from app.images.fit import Box, Carried, Fitting, Reader
from app.images.tiling import Joined, Tiling, least_side
from app.networks.description import InputDescription
from app.service.explaining.pictures import Style, draw
from app.service.explaining.sent import Sent, with_what_others_need
from app.service.options import ExplainOptions
from app.service.passes import Chosen, Found, explain_targets, logits_of
from app.service.results.explanation import ExplainedTile, TargetExplanation
from app.service.results.facts import ClassProbability, Region
from app.service.uploads import Upload, fitting_to, read_all


@dataclass(frozen=True)
class Tiles:
    """An upload in tiles: `fitted` is what the network is shown of each, (tiles, channels, height, width)."""

    tiling: Tiling
    boxes: Sequence[Box]
    ways: Sequence[Fitting]
    fitted: Tensor


@dataclass(frozen=True)
class TiledSent:
    """What is sent; and of each target's explained picture its tiles, (targets, tiles, channels, height, width)."""

    whole: Sent
    tiles: Tensor


def cut(upload: Upload, wanted: InputDescription, options: ExplainOptions, targets: int, max_rows: int) -> Tiles | None:
    """The tiles that the options ask for, over what is to be seen of the image; None where they ask for none.

    Raises:
        OptionError: with so many targets they come to more rows than one request may have.
    """
    if options.tile is None:
        return None
    side = options.tile if isinstance(options.tile, int) else max(wanted.height, wanted.width)
    part = upload.region or Box(0, 0, upload.decoded.width, upload.decoded.height)
    tiling = Tiling(part, side, options.tile_overlap)
    _require_few(tiling, targets, max_rows)
    boxes = tiling.boxes()
    ways = [fitting_to(upload.decoded, wanted, box) for box in boxes]
    return Tiles(tiling, boxes, ways, torch.stack(read_all(upload.decoded, ways)))


def _require_few(tiling: Tiling, targets: int, max_rows: int) -> None:
    rows, columns = tiling.counts
    if rows * columns * targets <= max_rows:
        return
    least = least_side(tiling.part, tiling.overlap, max_rows // targets)
    raise OptionError(
        f"{columns} x {rows} tiles for {targets} targets come to {rows * columns * targets} explanations; at most"
        f" {max_rows} are made for one request. Give tile={least} or more, a smaller region, or fewer targets."
    )


def explain_tiles(
    place: Place,
    tiles: Tiles,
    chosen: Chosen,
    options: ExplainOptions,
    rho: float,
    token: WorkToken,
    observe: Observer,
) -> list[Found]:
    """Every target explained in each tile, tile by tile; `observe` hears of the first. Raises as `explain_targets`."""
    return explain_targets(place, tiles.fitted, chosen, options, [rho] * len(tiles.boxes), token, observe)


def in_all(found: Sequence[Found]) -> Found:
    """What all tiles come to: settled where each is, the most steps of any. Perturbation and sizes are the first's."""
    first = found[0].explanation
    settled = torch.stack([one.explanation.settled for one in found]).all(0)
    explanation: Explanation = replace(first, settled=settled, goal_met=settled & first.goal_met)
    each_target = range(len(first.settled))
    return Found(
        explanation,
        [max(one.steps_made[row] for one in found) for row in each_target],
        [any(one.cut_short[row] for one in found) for row in each_target],
        looks=sum(one.looks for one in found),
        gradients=[sum(one.steps_made[row] for one in found) for row in each_target],
    )


def draw_joined(upload: Upload, tiles: Tiles, found: Sequence[Found], style: Style, token: WorkToken) -> TiledSent:
    """The pictures of the joined maps; raises as `app.service.explaining.sent.draw_all`."""
    style = replace(style, options=with_what_others_need(style.options))
    pictures, fitted, in_tiles = [], [], []
    for row in range(len(found[0].steps_made)):
        maps = [Carried(how, one.explanation.perturbation[row]) for how, one in zip(tiles.ways, found, strict=True)]
        reader, readers = Reader(upload.fitting), [Reader(how) for how in tiles.ways]
        pictures.append(draw(upload, Joined(maps, tiles.tiling.ramp_pixels), style, [reader, *readers], token))
        fitted.append(reader.finish())
        in_tiles.append(torch.stack([one.finish() for one in readers]))
    return TiledSent(Sent(pictures, [], torch.stack(fitted)), torch.stack(in_tiles))


def judge_tiles(
    place: Place,
    tiles: Tiles,
    found: Sequence[Found],
    sent: TiledSent,
    explanations: Sequence[TargetExplanation],
    classes: Sequence[str],
    token: WorkToken,
) -> list[TargetExplanation]:
    """The explanations with their tiles, each measured on the picture that is sent; raises as `logits_of`."""
    before = logits_of(place, tiles.fitted, token).softmax(1)
    judged = []
    for row, one in enumerate(explanations):
        after = logits_of(place, sent.tiles[row], token).softmax(1)
        change = sent.tiles[row] - tiles.fitted
        sizes = zip(rms(change).tolist(), l2(change).tolist(), strict=True)
        judged.append(
            replace(
                one,
                tiles=tuple(
                    ExplainedTile(
                        box=Region(box.left, box.top, box.width, box.height),
                        predicted=_most_probable(before[at], classes),
                        probability_before=float(before[at, one.target_id]),
                        probability_after=float(after[at, one.target_id]),
                        changed_class_to=_changed(before[at], after[at], classes),
                        perturbation_rms=size_rms,
                        perturbation_l2=size_l2,
                        steps=found[at].steps_made[row],
                        converged=bool(found[at].explanation.settled[row]) and not found[at].cut_short[row],
                    )
                    for at, (box, (size_rms, size_l2)) in enumerate(zip(tiles.boxes, sizes, strict=True))
                ),
            )
        )
    return judged


def _most_probable(probabilities: Tensor, classes: Sequence[str]) -> ClassProbability:
    class_id = int(probabilities.argmax())
    return ClassProbability(classes[class_id], class_id, float(probabilities[class_id]))


def _changed(before: Tensor, after: Tensor, classes: Sequence[str]) -> str | None:
    read = int(after.argmax())
    return None if read == int(before.argmax()) else classes[read]
