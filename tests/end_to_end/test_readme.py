"""The curl commands of the README and the documentation, as they stand there, against the real server."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.conftest import ROOT

ADDRESS = "http://localhost:8000"
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]

# Every call of curl fails where the server answers with an error, and says with which status it was answered.
CURL = """curl() { command curl --fail-with-body --write-out '%{stderr}status %{http_code}\\n' "$@"; }\n"""


def curl_scripts() -> list[str]:
    """Each fenced block of shell with a curl command in it: its later lines may need its earlier ones."""
    blocks = [block for file in DOCUMENTS for block in re.findall(r"^```sh\n(.*?)^```", file.read_text(), re.M | re.S)]
    return [block for block in blocks if curl_calls(block)]


def curl_calls(script: str) -> int:
    return len(re.findall(r"(?:^|[(|;] *)curl ", script, re.MULTILINE))


@pytest.mark.parametrize("script", curl_scripts(), ids=lambda script: script.split("\n")[-2][-60:])
def test_the_curl_commands_of_a_block_get_their_answers(server: str, tmp_path: Path, script: str) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", CURL + script.replace(ADDRESS, server)],
        cwd=tmp_path,
        capture_output=True,
        check=False,
        text=True,
        errors="replace",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    statuses = re.findall(r"^status (\d+)$", done.stderr, re.MULTILINE)
    assert len(statuses) == curl_calls(script)
    assert set(statuses) <= {"200", "204"}
    written = [file.stat().st_size for file in tmp_path.iterdir() if file.is_file()]
    assert all(size > 200 for size in written)
    assert len(done.stdout) + sum(written) > 200


def test_there_are_curl_commands_to_try() -> None:
    assert sum(map(curl_calls, curl_scripts())) >= 10
