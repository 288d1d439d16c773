"""Where the project's own files are, and how these tests read them."""

import os
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import typer
import yaml

from app.cli import cli
from app.settings import PREFIX, describe_settings

ROOT = Path(__file__).resolve().parents[2]


def read(name: str) -> str:
    """Text of a file, named from the root of the project."""
    return (ROOT / name).read_text(encoding="utf-8")


def pyproject() -> dict[str, Any]:
    return tomllib.loads(read("pyproject.toml"))


def compose_services() -> dict[str, dict[str, Any]]:
    services: dict[str, dict[str, Any]] = yaml.safe_load(read("docker-compose.yml"))["services"]
    return services


def make(*arguments: str, **environment: str) -> str:
    """What `make` prints, with these variables added to the environment; the `make test` around it is kept out."""
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")} | environment
    run = subprocess.run(["make", *arguments], cwd=ROOT, env=surroundings, check=True, capture_output=True, text=True)
    return run.stdout


def make_targets() -> dict[str, str]:
    """Each command that `make help` lists, with what it says of it."""
    rows = [line.split(maxsplit=2) for line in make("help").splitlines()]
    return {target: description for _make, target, description in rows}


def aex_commands() -> set[str]:
    """Every command of `aex`, those of groups as two words."""
    tree = typer.main.get_command(cli)
    commands = set()
    for name, command in getattr(tree, "commands", {}).items():
        commands |= {name, *(f"{name} {below}" for below in getattr(command, "commands", {}))}
    return commands


def settings_table() -> list[tuple[str, str, str]]:
    """Name, default and meaning of every setting, as the code has them."""
    return list(describe_settings())


def settings_named(text: str) -> set[str]:
    """Environment variables in a text that look like settings of the product."""
    words = "".join(letter if letter.isalnum() or letter == "_" else " " for letter in text).split()
    return {word for word in words if word.startswith(PREFIX) and word != PREFIX}
