"""README and changelog say what is there."""

import re

from tests.documentation.project import (
    ROOT,
    aex_commands,
    make_targets,
    pyproject,
    read,
    settings_named,
    settings_table,
)

_FENCED = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_TREE_LINE = re.compile(r"^([\w./-]+/[\w./-]*|[\w.-]+)\s{2,}(\S.*)$")


def fenced_blocks() -> list[str]:
    return _FENCED.findall(read("README.md"))


def tree() -> dict[str, str]:
    """Path and description of each line of the block that draws the tree, the one with lines that start with `app/`."""
    (block,) = [block for block in fenced_blocks() if re.search(r"^app/\w+\S* ", block, re.MULTILINE)]
    lines = [_TREE_LINE.match(line) for line in block.splitlines() if line]
    assert all(lines), "each line of the tree is a path from the root, two spaces or more, and what it is"
    return {line[1]: line[2] for line in lines if line}


def rooms() -> set[str]:
    """What stands directly in app/, folders with a closing slash."""
    inside = [path for path in (ROOT / "app").iterdir() if path.name not in {"__init__.py", "__pycache__", "py.typed"}]
    return {f"app/{path.name}/" if path.is_dir() else f"app/{path.name}" for path in inside}


def test_the_tree_names_every_room() -> None:
    assert {path for path in tree() if re.fullmatch(r"app/[^/]+/?", path)} == rooms()


def test_everything_in_the_tree_exists() -> None:
    assert [path for path in tree() if not (ROOT / path).exists()] == []


def test_the_layers_drawn_are_the_layers_checked() -> None:
    contracts = pyproject()["tool"]["importlinter"]["contracts"]
    (layers,) = [contract["layers"] for contract in contracts if contract["name"] == "imports go one way"]
    drawn = "\n".join(layers).replace("app.", "")
    assert drawn in [block.strip() for block in fenced_blocks()]


def test_every_make_command_shown_exists() -> None:
    shown = set(re.findall(r"(?:^|`)make ([a-z]+)", read("README.md"), re.MULTILINE))
    assert {"serve", "test"} <= shown
    assert shown <= set(make_targets())


def test_every_aex_command_shown_exists() -> None:
    shown = set(re.findall(r"(?:^|`)(?:\.venv/bin/)?aex ([a-z]+)", read("README.md"), re.MULTILINE))
    assert shown <= aex_commands()


def test_the_settings_table_is_the_code() -> None:
    rows = re.findall(r"^\| *`?(AEX_\w+)`? *\| *`?(.*?)`? *\| *(.*?) *\|$", read("README.md"), re.MULTILINE)
    assert rows == settings_table()


def test_no_setting_is_named_that_does_not_exist() -> None:
    for_tests = {"AEX_REFERENCE_DIR", "AEX_CIFAR10_NPZ"}
    assert settings_named(read("README.md")) <= {name for name, _, _ in settings_table()} | for_tests


def test_links_and_pictures_lead_to_files_that_exist() -> None:
    targets = re.findall(r"\]\(([^)#\s]+)", read("README.md")) + re.findall(r'src="([^"]+)"', read("README.md"))
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (ROOT / target).exists()] == []


def test_the_changelog_has_a_heading_for_this_version() -> None:
    version = re.escape(pyproject()["project"]["version"])
    assert re.search(rf"^## {version}\b", read("CHANGELOG.md"), re.MULTILINE)
