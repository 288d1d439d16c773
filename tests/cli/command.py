"""`aex` in this process, as somebody types it."""

import sys

import pytest

from app.cli import main


def run_aex(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: object
) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of `aex *words`."""
    monkeypatch.setattr(sys, "argv", ["aex", *map(str, words)])
    status = 0
    try:
        main()
    except SystemExit as ended:
        status = int(ended.code or 0)
    said = capsys.readouterr()
    return status, said.out, said.err
