"""From what was given, as texts or JSON values, to the service's options; each refusal says what would be right."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, TypeAlias

from app.archive.address import InstanceAddress
from app.errors import OptionError
from app.service.options import AuditOptions, ExplainOptions, MarginOptions, PredictOptions
from app.service.several import PartsAsked
from app.web.options.audits import AUDIT
from app.web.options.explanations import EXPLAIN
from app.web.options.image import DICOMWEB, SEVERAL
from app.web.options.margins import MARGIN
from app.web.options.option import Option
from app.web.options.predictions import PREDICT

Given: TypeAlias = dict[str, list[object]]
"""Each option's values, as often as it was given: texts of a form or query, any value of JSON."""


def parts_asked(given: Given) -> tuple[PartsAsked | None, Given]:
    """The pages or frames that are asked for, None where it is one answer; and the options of each.

    Raises:
        OptionError: they cannot be read, or contradict another option.
    """
    names = [option.name for option in SEVERAL]
    read = _read({name: given[name] for name in names if name in given}, SEVERAL)
    others = {name: values for name, values in given.items() if name not in names}
    if not read:
        return None, others
    single = [name for name in ("page", "frame") if any(value is not None for value in others.get(name, []))]
    if len(read) + len(single) > 1:
        raise OptionError(f"{' and '.join([*read, *single])} are given; give one of them.")
    (name, wanted) = read.popitem()
    return PartsAsked("page" if name == "pages" else "frame", wanted), others


def image_address(given: Given) -> InstanceAddress | None:
    """Where the image is in the archive; None where it was sent.

    Raises:
        OptionError: it is no address; quotes nothing of it.
    """
    try:
        address = _read({DICOMWEB.name: given.get(DICOMWEB.name, [])}, [DICOMWEB]).get(DICOMWEB.name)
    except OptionError:
        raise OptionError(f"{DICOMWEB.name} must be given once, as {DICOMWEB.must_be}.") from None
    return address if isinstance(address, InstanceAddress) else None


def predict_options(given: Given) -> PredictOptions:
    """Options of a prediction.

    Raises:
        OptionError: an option is unknown, cannot be read, or is out of range.
    """
    return PredictOptions(**_read(given, PREDICT))


def margin_options(given: Given) -> MarginOptions:
    """Options of a robustness margin; raises as `predict_options` does."""
    return MarginOptions(**_read(given, MARGIN))


def audit_options(given: Given) -> AuditOptions:
    """Options of an audit; raises as `predict_options` does."""
    return AuditOptions(**_read(given, AUDIT))


def explain_options(given: Given) -> ExplainOptions:
    """Options of an explanation; raises as `predict_options` does."""
    return ExplainOptions(**_read(given, EXPLAIN))


def _read(given: Given, options: Sequence[Option]) -> dict[str, Any]:
    known = {option.name: option for option in options}
    for name in given:
        if name not in known:
            raise OptionError(_unknown(name, list(known)))
    said = {name: [value for value in values if value is not None] for name, values in given.items()}
    return {name: _value(known[name], values) for name, values in said.items() if values}


def _value(option: Option, values: list[object]) -> object:
    if len(values) > 1 and not option.is_list:
        raise OptionError(f"{option.name} is given {len(values)} times; give it once.")
    try:
        read = [option.read(value) for value in values]
    except ValueError:
        raise OptionError(f"{option.name} is {_shown(values)}; it must be {option.must_be}.") from None
    if not option.is_list:
        return read[0]
    return tuple(name for several in read if isinstance(several, tuple) for name in several)


def _shown(values: list[object]) -> str:
    (value, *more) = values
    if more or isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "an object"
    return repr(value[:60]) if isinstance(value, str) else str(value)[:60]


def _unknown(name: str, known: Sequence[str]) -> str:
    for options, whose in (((*EXPLAIN, *SEVERAL), "explanations"), (MARGIN, "margins"), (AUDIT, "audits")):
        if name in {option.name for option in options}:
            return f"{name} is an option of {whose}, and not one here."
    near = get_close_matches(name[:80], known, n=2, cutoff=0.65)
    hint = f"did you mean {' or '.join(near)}?" if near else f"the options are {', '.join(known)}."
    return f"{name[:80]!r} is no option; {hint}"
