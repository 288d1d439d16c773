"""What a judge that is not of this project finds wrong with a DICOM object."""

import shutil
import subprocess
from pathlib import Path

import pytest


def errors_in(data: bytes, folder: Path) -> list[str]:
    """What dciodvfy finds wrong with a file."""
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy is not installed (Debian's dicom3tools): whether objects conform is not judged")
    file = folder / "object.dcm"
    file.write_bytes(data)
    said = subprocess.run(["dciodvfy", file], capture_output=True, text=True, check=False).stderr
    assert said, "it names the kind of object at least"
    return [line for line in said.splitlines() if line.startswith("Error")]
