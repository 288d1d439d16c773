"""Free memory, as the system and the container say."""

from pathlib import Path

import pytest
import torch

from app.engine import memory
from app.engine.memory import free_bytes

CPU = torch.device("cpu")


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    (tmp_path / "meminfo").write_text("MemTotal:  9000 kB\nMemAvailable:  5000 kB\n")
    return tmp_path


def test_without_a_container_it_is_what_the_system_says(system: Path) -> None:
    assert free_bytes(CPU) == 5000 * 1024
    (system / "memory.max").write_text("max\n")
    (system / "memory.current").write_text("5\n")
    assert free_bytes(CPU) == 5000 * 1024


def test_a_containers_limit_counts_where_it_is_lower(system: Path) -> None:
    (system / "memory.max").write_text("1000000\n")
    (system / "memory.current").write_text("400000\n")
    assert free_bytes(CPU) == 600_000


def test_where_nothing_is_said_some_gigabytes_are_taken_for_granted(system: Path) -> None:
    (system / "meminfo").unlink()
    assert free_bytes(CPU) == 2**32
