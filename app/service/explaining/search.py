"""What is searched for, of an image seen at once or by tiles; and what is sent of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.engine.device import Place
from app.engine.token import WorkToken
from app.service.explaining.beside import Beside
from app.service.explaining.counterfactual import find_counterfactuals
from app.service.explaining.pictures import Style, draw_original
from app.service.explaining.sent import Sent, draw_all, draw_small
from app.service.explaining.tiles import TiledSent, Tiles, draw_joined, explain_tiles, in_all, judge_tiles
from app.service.options import COUNTERFACTUAL, ORIGINAL, ExplainOptions
from app.service.passes import Chosen, Found, explain_targets
from app.service.progress import Follower
from app.service.results.explanation import TargetExplanation
from app.service.results.facts import DrawnPicture
from app.service.uploads import Upload


@dataclass(frozen=True)
class Searched:
    """What was found: at the size asked for, at each other size of a sweep, and in each tile."""

    found: Found
    at_others: Sequence[Found] = ()
    tiles: Tiles | None = None
    in_tiles: Sequence[Found] = ()

    @property
    def all_sizes(self) -> list[Found]:
        return [self.found, *self.at_others]


@dataclass(frozen=True)
class AllSent:
    """What is sent, at each size; the upload's own picture, where it was asked for; and what the tiles become."""

    at_sizes: Sequence[Sent]
    original: DrawnPicture | None
    tiled: TiledSent | None


def search(
    place: Place,
    upload: Upload,
    tiles: Tiles | None,
    chosen: Chosen,
    options: ExplainOptions,
    sizes: Sequence[float],
    token: WorkToken,
    follower: Follower,
) -> Searched:
    """Search for every target's change by the method asked for; the first size is the one asked for.

    Raises:
        NotFinite, Cancelled, DeadlineExceeded: as of `explain_targets`.
    """
    if tiles is not None:
        in_tiles = explain_tiles(place, tiles, chosen, options, sizes[0], token, follower)
        follower.end(in_tiles[0])
        return Searched(in_all(in_tiles), tiles=tiles, in_tiles=in_tiles)
    if options.method == COUNTERFACTUAL:
        searched = Searched(find_counterfactuals(place, upload, chosen, options, token))
    else:
        found, *at_others = explain_targets(place, upload.fitted, chosen, options, sizes, token, follower)
        searched = Searched(found, at_others)
    follower.end(searched.found)
    return searched


def draw_searched(upload: Upload, searched: Searched, beside: Beside, style: Style, token: WorkToken) -> AllSent:
    """All pictures; raises as `draw_all`."""
    tiled = None
    if searched.tiles is not None:
        tiled = draw_joined(upload, searched.tiles, searched.in_tiles, style, token)
    sent = [draw_all(upload, searched.found, beside, style, token) if tiled is None else tiled.whole]
    sent += [draw_small(upload, one, token) for one in searched.at_others]
    original = None
    if ORIGINAL in style.options.include:
        original = draw_original(upload, style.options.picture_side, style.room)
    return AllSent(sent, original, tiled)


def with_tiles(
    place: Place,
    searched: Searched,
    sent: AllSent,
    judged: list[TargetExplanation],
    classes: Sequence[str],
    token: WorkToken,
) -> list[TargetExplanation]:
    """The explanations with their tiles, if there are any; raises as `judge_tiles`."""
    if searched.tiles is None or sent.tiled is None:
        return judged
    return judge_tiles(place, searched.tiles, searched.in_tiles, sent.tiled, judged, classes, token)
