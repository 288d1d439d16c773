"""The commands of the README and the documentation, as they stand there: curl, aex and Python, with the real server."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import pytest

from tests.cli.command import run_aex
from tests.end_to_end.conftest import ROOT

ADDRESS = "http://localhost:8000"
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
AEX = ".venv/bin/aex "

# Every call of curl fails where the server answers with an error, and says with which status it was answered.
CURL = """curl() { command curl --fail-with-body --write-out '%{stderr}status %{http_code}\\n' "$@"; }\n"""

NEEDS_FILES_OF_ONES_OWN = ("models import", "models describe", "train", "evaluate")
"""Weights or data that nobody ships: tests of these commands make some."""
TAKES_MINUTES = ("audit", "bench")


def blocks(language: str) -> list[str]:
    """Every fenced block in that language."""
    fence = re.compile(rf"^```{language}\n(.*?)^```", re.MULTILINE | re.DOTALL)
    return [block for file in DOCUMENTS for block in fence.findall(file.read_text())]


def curl_scripts() -> list[str]:
    """Each block of shell with a curl command in it: its later lines may need its earlier ones."""
    without_aex = ["".join(line for line in _lines(block) if not line.startswith(AEX)) for block in blocks("sh")]
    return [block for block in without_aex if curl_calls(block)]


def curl_calls(script: str) -> int:
    return len(re.findall(r"(?:^|[(|;] *)curl ", script, re.MULTILINE))


def aex_commands() -> list[str]:
    """What is typed after `aex`, of the commands that need nothing but this project."""
    lines = [line.removeprefix(AEX) for block in blocks("sh") for line in _lines(block) if line.startswith(AEX)]
    return [line for line in lines if not line.startswith((*NEEDS_FILES_OF_ONES_OWN, *TAKES_MINUTES))]


def _lines(block: str) -> list[str]:
    return block.replace("\\\n", " ").splitlines(keepends=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the examples and models, where what a command writes is in nobody's way."""
    for name in ("examples", "models"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


@pytest.mark.parametrize("script", curl_scripts(), ids=lambda script: script.split("\n")[-2][-60:])
def test_the_curl_commands_of_a_block_get_their_answers(
    server: str, project: Path, archived: Mapping[str, str], script: str
) -> None:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", CURL + script.replace(ADDRESS, server)],
        cwd=project,
        env={**os.environ, **archived},
        capture_output=True,
        check=False,
        text=True,
        errors="replace",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    statuses = re.findall(r"^status (\d+)$", done.stderr, re.MULTILINE)
    assert len(statuses) == curl_calls(script)
    assert set(statuses) <= {"200", "204"}
    written = [file.stat().st_size for file in project.iterdir() if file.is_file()]
    assert all(size > 200 for size in written)
    assert len(done.stdout) + sum(written) > 200


@pytest.mark.parametrize("command", aex_commands())
def test_an_aex_command_does_what_it_says(
    server: str,
    project: Path,
    archived: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
) -> None:
    monkeypatch.chdir(project)
    for name, value in archived.items():
        monkeypatch.setenv(name, value)
    words = shlex.split(os.path.expandvars(command).replace(ADDRESS, server), comments=True)
    typed = [path for word in words for path in (sorted(map(str, Path().glob(word))) if "*" in word else [word])]
    status, out, err = run_aex(monkeypatch, capsys, *typed)
    assert status == 0, err
    assert out
    for folder in [Path(word) for option, word in pairwise(typed) if option == "--out"]:
        assert list(folder.iterdir())


@pytest.mark.parametrize("block", blocks("python"))
def test_the_python_shown_runs(server: str, project: Path, block: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", block.replace(ADDRESS, server)],
        cwd=project,
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_there_are_commands_to_try() -> None:
    assert sum(map(curl_calls, curl_scripts())) >= 10
    assert len(aex_commands()) >= 5
    assert len(blocks("python")) >= 1
