"""How good the maps of an explanation are, as a table."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from app.cli.common import console


def print_quality(answer: Mapping[str, Any]) -> None:
    """A row for each map of each target, and what pixels in other orders come to; then what the judge reads."""
    table = Table(
        *("target", "map", "gain/RMS", "deletion", "insertion", "sensitivity", "repeats"),
        caption="deletion: less is better; insertion: more is better; sensitivity: change under noise, less is better",
    )
    for one in answer["explanations"]:
        if one["quality"] is None:
            continue
        for method, found in one["quality"]["methods"].items():
            rank = found["repeat_rank_correlation_least"]
            table.add_row(
                one["target"],
                method,
                f"{found['probability_gain_per_rms']:.3g}",
                f"{found['deletion_area']:.3f}",
                f"{found['insertion_area']:.3f}",
                f"{found['max_sensitivity']:.3f}",
                "none" if rank is None else f"{rank:.3f}",
            )
        for order in ("random", "edges"):
            areas = one["quality"][order]
            deletion, insertion = areas["deletion_area"], areas["insertion_area"]
            table.add_row(one["target"], f"{order} pixels", "", f"{deletion:.3f}", f"{insertion:.3f}", "", "")
    console.print(table)
    for one in answer["explanations"]:
        if one["judge"] is not None:
            read = one["judge"]
            console.print(f"{read['model']['name']} reads the explained picture for {one['target']} as {read['reads']}")
