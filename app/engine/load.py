"""How busy an engine is at this moment."""

from collections.abc import Collection
from dataclasses import dataclass

from app.engine.jobs import AnyJob


@dataclass(frozen=True)
class Load:
    """What is inside an engine.

    Attributes:
        places, taken_places: requests that may be inside, and that are.
        queued_jobs: forward passes, loops and calls asked for of which no step has had a row yet.
        waiting_rows: rows that no step has had yet.
        running_rows: rows between their first step and their last.
    """

    places: int
    taken_places: int
    queued_jobs: int
    waiting_rows: int
    running_rows: int


def load_of(jobs: Collection[AnyJob], *, places: int, taken_places: int) -> Load:
    """Counted row by row, on the thread of whoever asks: the device's own is not held up."""
    unfinished = [row for job in jobs for row in job.rows if row.at_end is None]
    waiting_rows = sum(not row.begun for row in unfinished)
    return Load(places, taken_places, sum(not job.begun for job in jobs), waiting_rows, len(unfinished) - waiting_rows)
