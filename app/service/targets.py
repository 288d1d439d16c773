"""From the targets asked for to class ids."""

from collections.abc import Sequence
from difflib import get_close_matches

from torch import Tensor

from app.errors import OptionError
from app.service.options import RIVAL_WORDS, TARGET_WORDS


def choose_targets(asked: Sequence[str], classes: Sequence[str], logits: Tensor) -> tuple[list[int], list[str]]:
    """Ids of the classes to explain, each once and in the order asked for, and the role of each.

    Args:
        asked: class names or ids, or `predicted`, `runner_up`, `all` (these words come before a class of that name).
        classes: names by id.
        logits: (classes,) of the image.

    Raises:
        OptionError: a class the model does not have; names the nearest.
    """
    ranking = _ranking(logits)
    roles = dict(zip(ranking, ("predicted", "runner_up"), strict=False))
    ids: list[int] = []
    for word in asked:
        ids += _ids_of(word, classes, ranking, "target", TARGET_WORDS)
    unique = list(dict.fromkeys(ids))
    return unique, [roles.get(i, "named") for i in unique]


def choose_rival(asked: str, classes: Sequence[str], logits: Tensor) -> int:
    """Id of the one class that targets are contrasted with.

    Args:
        asked: its name or id, or `predicted`, `runner_up`.
        classes: names by id.
        logits: (classes,) of the image.

    Raises:
        OptionError: it is no class of the model; names the nearest.
    """
    (rival,) = _ids_of(asked, classes, _ranking(logits), "against", RIVAL_WORDS)
    return rival


def check_rival(asked: str, classes: Sequence[str]) -> None:
    """Raise as `choose_rival` does, before anything is computed."""
    _ids_of(asked, classes, range(len(classes)), "against", RIVAL_WORDS)


def check_targets(asked: Sequence[str], classes: Sequence[str]) -> int:
    """How many rows the targets can come to, before anything is computed; raises as `choose_targets` does."""
    ranking = range(len(classes))
    return len({i for word in asked for i in _ids_of(word, classes, ranking, "target", TARGET_WORDS)})


def _ranking(logits: Tensor) -> list[int]:
    return [int(i) for i in logits.argsort(descending=True, stable=True)]


def _ids_of(
    word: str, classes: Sequence[str], ranking: Sequence[int], option: str, words: Sequence[str]
) -> Sequence[int]:
    if word in words:
        return {"predicted": ranking[:1], "runner_up": ranking[1:2], "all": range(len(classes))}[word]
    if word in classes:
        return [classes.index(word)]
    if word.isascii() and word.isdigit() and len(word) < 10 and int(word) < len(classes):
        return [int(word)]
    near = get_close_matches(word, classes, n=3, cutoff=0.5) or classes[:5]
    raise OptionError(
        f"{option} {word[:80]!r} is no class of this model; give a name such as {', '.join(near)},"
        f" an id from 0 to {len(classes) - 1}, or {', '.join(words)}."
    )
