"""What model.json says was measured, as tables for a card or a terminal."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

_ESTIMATE = {"value", "low", "high"}


@dataclass(frozen=True)
class ScoreTable:
    """A heading, empty for what stands first, a header, and rows of as many cells."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def score_tables(scores: Mapping[str, object]) -> list[ScoreTable]:
    """One table for the numbers of `scores` itself, and one for each mapping or list of mappings in it.

    A mapping of `value`, `low` and `high` is one number with its 95% interval. What is null was not measured.
    """
    plain = _rows({name: value for name, value in scores.items() if not _is_nested(value)})
    tables = [ScoreTable("", ("measure", "value"), tuple(plain))] if plain else []
    for name, value in scores.items():
        if isinstance(value, Mapping) and _is_nested(value):
            tables.append(ScoreTable(_words(name), ("measure", "value"), tuple(_rows(value))))
        elif isinstance(value, list) and _is_nested(value):
            lines = [dict(_rows(line)) for line in value]
            header = tuple(dict.fromkeys(column for line in lines for column in line))
            cells = tuple(tuple(line.get(column, "") for column in header) for line in lines)
            tables.append(ScoreTable(_words(name), header, cells))
    return tables


def in_markdown(tables: list[ScoreTable]) -> str:
    """The tables below headings of the third level."""
    return "\n\n".join(_markdown(table) for table in tables)


def _markdown(table: ScoreTable) -> str:
    lines = [table.header, tuple("---" for _ in table.header), *table.rows]
    text = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
    return f"### {table.title}\n\n{text}" if table.title else text


def _is_nested(value: object) -> bool:
    if isinstance(value, Mapping):
        return bool(value) and set(value) != _ESTIMATE
    return isinstance(value, list) and bool(value) and all(isinstance(line, Mapping) and line for line in value)


def _rows(values: Mapping[str, object], before: str = "") -> list[tuple[str, str]]:
    rows = []
    for name, value in values.items():
        words = f"{before}{_words(name)}"
        if value is None:
            continue
        if isinstance(value, Mapping) and _is_nested(value):
            rows += _rows(value, f"{words}: ")
        else:
            rows.append((words, _cell(value)))
    return rows


def _cell(value: object) -> str:
    if isinstance(value, Mapping) and set(value) == _ESTIMATE:
        return f"{_cell(value['value'])} ({_cell(value['low'])} to {_cell(value['high'])})"
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, str):
        return " ".join(value.split())
    return json.dumps(value, ensure_ascii=False)


def _words(name: str) -> str:
    return " ".join(name.replace("_", " ").split())
