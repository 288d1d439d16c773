"""The pinned versions, and what no file of the project may name."""

import re
import subprocess
from importlib.metadata import PackageNotFoundError, version

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.documentation.project import ROOT, pyproject, read

# Written so that this file does not match itself.
MACHINES_AND_REGISTRIES = re.compile(
    r"/wor[k]/|/tmp/[w]/|/opt/py[p]i|files\.pythonhoste[d]|registry\.npmj[s]|//pypi\.or[g]"
)
ONE_PLACE_EACH = {r"\.\./share[d]": ".ci/run", r"download\.pytorc[h]": "Dockerfile"}


def pins() -> dict[str, Version]:
    lines = [line for line in read("constraints.txt").splitlines() if line and not line.startswith("#")]
    pairs = [line.split("==") for line in lines]
    return {canonicalize_name(name): Version(pinned) for name, pinned in pairs}


def texts() -> dict[str, str]:
    """Every file that git tracks and that is text, by its path from the root."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git clone: which files belong to the project is unknown")
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    contents = {name: (ROOT / name).read_bytes() for name in names.split("\0") if (ROOT / name).is_file()}
    return {name: data.decode() for name, data in contents.items() if b"\0" not in data}


def test_every_dependency_is_pinned() -> None:
    project = pyproject()["project"]
    wanted = project["dependencies"] + [name for extra in project["optional-dependencies"].values() for name in extra]
    assert {canonicalize_name(Requirement(line).name) for line in wanted} <= set(pins())


def test_what_is_tested_is_what_is_pinned() -> None:
    parted = {}
    for name, pinned in pins().items():
        try:
            installed = Version(version(name))
        except PackageNotFoundError:
            continue  # of another platform, or CUDA's where torch is a build without
        if installed.public != pinned.public:
            parted[name] = (str(installed), str(pinned))
    assert parted == {}


def test_no_file_names_a_machine_or_a_registry() -> None:
    assert [name for name, text in texts().items() if MACHINES_AND_REGISTRIES.search(text)] == []


@pytest.mark.parametrize(("what", "where"), ONE_PLACE_EACH.items())
def test_what_lies_outside_is_named_in_one_place(what: str, where: str) -> None:
    assert {name for name, text in texts().items() if re.search(what, text)} <= {where}
