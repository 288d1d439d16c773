"""The tables before the first step, as they are printed."""

from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from app.cli.data_report import data_tables
from app.training.data import LeftOut
from app.training.load import load_data
from app.training.report import DataReport, report
from tests.training.image_files import cats_and_dogs, png, write_folder


@pytest.fixture
def found(tmp_path: Path) -> DataReport:
    files = cats_and_dogs() | {"train/cat/large.png": png(50, 8, 9)}
    files["test/dog/leak.png"] = files["train/cat/1.png"]
    return report(load_data(write_folder(tmp_path, files)))


def printed(found: DataReport) -> str:
    console = Console(width=120)
    with console.capture() as capture:
        console.print(data_tables(found))
    return capture.get()


def test_counts_levels_sizes_and_copies_are_shown(found: DataReport) -> None:
    text = printed(found)
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines()]
    assert ["cat", "4", "3", "0.857"] in cells  # 1/4 and 1/3 have the mean 7/24
    assert ["dog", "3", "4", "1.143"] in cells
    assert ["red", f"{found.mean[0]:.4f}", f"{found.std[0]:.4f}"] in cells
    assert ["4", "6", "13"] in cells
    assert ["8", "9", "1"] in cells
    assert "1 in both splits:\n  train/cat/1.png is test/dog/leak.png" in text


def test_names_are_no_markup_and_long_lists_are_cut(found: DataReport) -> None:
    left_out = tuple(LeftOut(f"train/[red]{at}.png", "It is broken.") for at in range(12))
    text = printed(replace(found, left_out=left_out))
    assert "12 left out:\n  train/[red]0.png: It is broken." in text
    assert "  and 2 more" in text
    assert "[red]10.png" not in text
