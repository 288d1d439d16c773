"""What a run writes of itself: whole lines only, and the same numbers for TensorBoard."""

import json
from pathlib import Path

import pytest

from app.errors import NotWritten
from app.training import journal as module
from app.training.journal import Journal

NUMBERS = {"step": 3, "steps": 9, "loss": 1.5, "psi": 220.0, "seconds": 4.0, "held_out_accuracy": 0.5}


def steps(run: Path) -> list[int]:
    return [json.loads(line)["step"] for line in (run / "log.jsonl").read_text().splitlines()]


def test_a_line_for_each_report(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 0)
    journal.write(NUMBERS)
    journal.write(NUMBERS | {"step": 6})
    journal.close()
    assert steps(tmp_path) == [3, 6]


def test_half_a_line_of_a_killed_run_is_dropped(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"step": 3}\n{"st')
    Journal(tmp_path, 3).write(NUMBERS | {"step": 6})
    assert steps(tmp_path) == [3, 6]


def test_a_run_from_the_start_begins_a_new_log(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"step": 3}\n')
    Journal(tmp_path, 0).write(NUMBERS | {"step": 6})
    assert steps(tmp_path) == [6]


def test_tensorboard_reads_the_same_numbers(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    journal = Journal(tmp_path, 0)
    journal.write(NUMBERS)
    journal.close()
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert set(events.Tags()["scalars"]) == {"train/loss", "train/psi", "held_out/accuracy"}
    (loss,) = events.Scalars("train/loss")
    assert (loss.step, loss.value) == (3, 1.5)


def test_without_tensorboard_there_is_the_log_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TENSORBOARD_INSTALLED", False)
    journal = Journal(tmp_path, 0)
    journal.write(NUMBERS)
    journal.close()
    assert [file.name for file in tmp_path.iterdir()] == ["log.jsonl"]


def test_a_full_disk_is_a_sentence(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 0)
    (tmp_path / "log.jsonl").unlink()
    (tmp_path / "log.jsonl").symlink_to("/dev/full")
    with pytest.raises(NotWritten, match=r"log\.jsonl cannot be written: No space left on device"):
        journal.write(NUMBERS)
    journal.close()
