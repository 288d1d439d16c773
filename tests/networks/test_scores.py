"""Scores as tables a person can read."""

from app.networks.scores import in_markdown, score_tables

SCORES = {
    "accuracy": 0.67902,
    "command": "aex evaluate a|b",
    "areas": {"attack_ara": {"value": 0.0185, "low": 0.015, "high": 0.0221}, "images": 200, "nothing": None},
    "robust_accuracy": [{"rms": 0.01, "after": {"fab": 0.5}}, {"rms": 0.02, "after": {"fab": 0.25}}],
}


def test_a_card_shows_tables() -> None:
    assert in_markdown(score_tables(SCORES)) == (
        "| measure | value |\n| --- | --- |\n| accuracy | 0.679 |\n| command | aex evaluate a\\|b |\n\n"
        "### areas\n\n| measure | value |\n| --- | --- |\n"
        "| attack ara | 0.0185 (0.015 to 0.0221) |\n| images | 200 |\n\n"
        "### robust accuracy\n\n| rms | after: fab |\n| --- | --- |\n| 0.01 | 0.5 |\n| 0.02 | 0.25 |"
    )


def test_no_scores_are_no_tables() -> None:
    assert score_tables({}) == []


def test_a_line_break_in_a_text_breaks_no_table() -> None:
    (table,) = score_tables({"note": "one\ntwo", "list": [1, 2]})
    assert table.rows == (("note", "one two"), ("list", "[1, 2]"))
