"""Server-sent events, read as a client reads them."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

EVENTS = {"accept": "text/event-stream"}


@dataclass(frozen=True)
class Event:
    """One event, and its data out of JSON."""

    name: str
    number: int
    data: dict[str, Any]


def read_events(lines: Iterable[str]) -> Iterator[Event]:
    """Each event as soon as its last line is there; comments are passed over."""
    fields: dict[str, str] = {}
    for line in lines:
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(": ")
            assert name not in fields, "an event has each field once"
            fields[name] = value
        elif fields:
            yield Event(fields["event"], int(fields["id"]), json.loads(fields["data"]))
            fields = {}
    assert not fields, "the last event is whole"
