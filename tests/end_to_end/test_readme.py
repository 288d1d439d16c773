"""The README's curl commands, as they stand there, against the real server."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.conftest import ROOT

ADDRESS = "http://localhost:8000"


def curl_commands() -> list[list[str]]:
    """Words of each curl command in a fenced block, lines that end in a backslash joined."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines if line.startswith("curl ")]


@pytest.mark.parametrize("words", curl_commands(), ids=lambda words: words[-1])
def test_a_curl_command_gets_an_answer(server: str, tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    asked = [word.replace(ADDRESS, server) for word in words]
    done = subprocess.run([*asked, "--fail-with-body"], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout
    written = [file.read_bytes() for file in tmp_path.iterdir() if file.is_file()]
    assert sum(map(len, [done.stdout, *written])) > 200


def test_there_are_curl_commands_to_try() -> None:
    assert len(curl_commands()) >= 4
