"""Which media type to answer with: the header Accept, with its q-values (RFC 9110, 12.5.1)."""

import re
from collections.abc import Sequence

from starlette.datastructures import Headers

from app.errors import OptionError
from app.web.errors import NotAcceptable

_RANGE = re.compile(r"\s*([\w!#$&^.+*-]+)/([\w!#$&^.+*-]+)\s*((?:;[^;]*)*)", re.ASCII)
_WEIGHT = re.compile(r";\s*q=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*(?=;|$)", re.ASCII | re.IGNORECASE)


def negotiate(headers: Headers, offered: Sequence[str]) -> str:
    """The media type to answer a request with.

    Raises:
        NotAcceptable: the client takes none of those offered.
        OptionError: it prefers an answer later (RFC 7240), which this build does not offer.
    """
    if any("respond-async" in prefer.lower() for prefer in headers.getlist("prefer")):
        raise OptionError("Prefer: respond-async is not offered by this build; leave it out and wait for the answer.")
    return choose(",".join(headers.getlist("accept")), offered)


def choose(accept: str, offered: Sequence[str]) -> str:
    """The offered media type that the client likes best; the first offered one among equals.

    Raises:
        NotAcceptable: the client takes none of them.
    """
    if not accept.strip():
        return offered[0]
    ranges = _ranges(accept)
    weights = [_weight(media_type, ranges) for media_type in offered]
    best = max(weights)
    if best == 0:
        raise NotAcceptable(f"None of the media types in Accept is offered here; ask for {' or '.join(offered)}.")
    return offered[weights.index(best)]


def _ranges(accept: str) -> list[tuple[str, str, float]]:
    """(type, subtype, q) of each range that can be read."""
    ranges = []
    for part in accept.split(","):
        if (found := _RANGE.fullmatch(part)) is not None:
            weight = _WEIGHT.search(found[3])
            ranges.append((found[1].lower(), found[2].lower(), float(weight[1]) if weight else 1.0))
    return ranges


def _weight(media_type: str, ranges: list[tuple[str, str, float]]) -> float:
    """The q of the most specific range that covers the media type, 0 where none does."""
    kind, _, subtype = media_type.partition("/")
    for wanted in ((kind, subtype), (kind, "*"), ("*", "*")):
        weights = [q for *what, q in ranges if tuple(what) == wanted]
        if weights:
            return max(weights)
    return 0.0
