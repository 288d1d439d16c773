"""What another network, the judge, reads in the explained pictures."""

from collections.abc import Sequence

from torch import Tensor, cat

from app.engine.device import Place
from app.engine.token import WorkToken
from app.errors import OptionError
from app.networks.description import InputDescription
from app.service.catalogue import Served
from app.service.facts import model_facts
from app.service.passes import logits_of
from app.service.results.explanation import ChosenTarget
from app.service.results.quality import JudgeReading


def check_judge(judge: Served, served: Served) -> None:
    """Raise `OptionError` where a judge cannot be shown what the model sees, or lacks one of its classes."""
    name, model = judge.checkpoint.name, served.checkpoint.name
    seen, wanted = judge.checkpoint.description, served.checkpoint.description
    if seen.input != wanted.input:
        raise OptionError(
            f"judge {name} takes {_said(seen.input)}, and {model} takes {_said(wanted.input)}; name a judge that is"
            " shown the same."
        )
    unknown = [one for one in wanted.classes if one not in seen.classes]
    if unknown:
        raise OptionError(f"judge {name} has no class {unknown[0]}; name a judge that has all classes of {model}.")


def read_by_judge(
    place: Place,
    judge: Served | None,
    image: Tensor,
    explained: Tensor,
    targets: Sequence[ChosenTarget],
    token: WorkToken,
) -> list[JudgeReading | None]:
    """Show the image (channels, h, w) and the explained pictures (targets, channels, h, w) to the judge, if any.

    Raises:
        NotFinite: a logit of the judge's is NaN or infinite.
        Cancelled, DeadlineExceeded: the token is over.
    """
    if judge is None:
        return [None] * len(targets)
    checkpoint, classes = judge.checkpoint, judge.checkpoint.description.classes
    probability = logits_of(place.of(judge.model), cat([image[None], explained]), token).softmax(1)
    readings: list[JudgeReading | None] = []
    for target, after in zip(targets, probability[1:], strict=True):
        read, target_id = int(after.argmax()), classes.index(target.target)
        readings.append(
            JudgeReading(
                model=model_facts(checkpoint),
                reads=classes[read],
                reads_id=read,
                reads_target=read == target_id,
                probability_before=float(probability[0, target_id]),
                probability_after=float(after[target_id]),
            )
        )
    return readings


def _said(size: InputDescription) -> str:
    return f"{size.width} x {size.height} pixels of {size.channels} channels, fitted by {size.fit}"
