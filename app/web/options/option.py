"""What an option is: how its values are read, and what the API's description says of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from app.web.options.values import names, text, truth, whole


@dataclass(frozen=True)
class Option:
    """One option: `read` turns a given value into the service's, or raises ValueError; `must_be` says what it takes.

    `schema` is its part of the API's description.
    """

    name: str
    read: Callable[[object], object]
    must_be: str
    schema: Mapping[str, object]
    is_list: bool = False


def flag(name: str, default: bool, description: str) -> Option:
    """True or false."""
    schema = {"type": "boolean", "default": default, "description": description}
    return Option(name, truth, "true or false", schema)


def choice(name: str, allowed: Sequence[str], default: str, description: str) -> Option:
    """One of a few words."""
    schema = {"type": "string", "enum": list(allowed), "default": default, "description": description}
    return Option(name, text, f"one of {', '.join(allowed)}", schema)


def listed(name: str, must_be: str, description: str, default: Sequence[str], allowed: Sequence[str] = ()) -> Option:
    """A list of words, in text with commas between."""
    items = {"type": "string", **({"enum": list(allowed)} if allowed else {})}
    schema = {"type": "array", "items": items, "default": list(default), "description": description}
    return Option(name, names, must_be, schema, is_list=True)


def whole_number(
    name: str, least: int, most: int, description: str, *, default: int | None = None, unit: str = ""
) -> Option:
    """A whole number from `least` to `most`; of a default that depends, the description tells."""
    given = {} if default is None else {"default": default}
    schema = {"type": "integer", "minimum": least, "maximum": most, **given, "description": description}
    of_unit = f" of {unit}" if unit else ""
    return Option(name, whole, f"a whole number{of_unit} from {least} to {most}", schema)


def model_name(name: str, description: str) -> Option:
    """A model, by its name."""
    return Option(name, text, "the name of a model", {"type": "string", "description": description})


def seed(of: str = "of whatever is random") -> Option:
    """Of random numbers."""
    return Option("seed", whole, "a whole number", {"type": "integer", "default": 0, "description": of})
