"""What /metrics says, as numbers."""

from collections.abc import Mapping
from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True)
class Numbers:
    """One reading: each sample's value by its name and labels."""

    samples: Mapping[tuple[str, frozenset[tuple[str, str]]], float]

    def __getitem__(self, asked: str) -> float:
        return self.total(asked)

    def total(self, name: str, **labels: str) -> float:
        """Sum of the samples of that name that have these labels, 0 where there are none."""
        wanted = labels.items()
        return sum(value for (found, has), value in self.samples.items() if found == name and wanted <= has)

    def since(self, before: "Numbers") -> "Numbers":
        """How much more each is than it was."""
        return Numbers({key: value - before.samples.get(key, 0.0) for key, value in self.samples.items()})


def read_numbers(client: httpx.Client) -> Numbers:
    text = client.get("/metrics").raise_for_status().text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return Numbers({(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples})
