"""How much is measured."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """What the benchmark may cost.

    Attributes:
        repeats: rounds of what is timed call by call; medians of them are reported.
        rounds, round_seconds: of what is timed while clients ask for some seconds.
        requests: mixed ones, after which the server's memory is looked at, twice.
        most_rows: that share a step, to see how the cost of one grows; from 1 on, doubled each time.
        sides: of images, to see the same.
    """

    repeats: int = 5
    rounds: int = 3
    round_seconds: float = 8.0
    requests: tuple[int, int] = (200, 2000)
    most_rows: int = 256
    sides: tuple[int, ...] = (32, 64, 128, 224)

    @property
    def warm_up_seconds(self) -> float:
        """Of clients asking, before the rounds that count."""
        return self.round_seconds / 8


QUICK = Plan(repeats=2, rounds=1, round_seconds=1.5, requests=(16, 48), most_rows=16, sides=(32, 64))
"""To see that it runs: its figures are not to be quoted."""
