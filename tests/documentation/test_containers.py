"""Dockerfile and compose file agree with the code, and keep what they promise about safety.

No engine is needed: `make check` holds both to their grammar, these tests to ours.
"""

import re
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet

from tests.documentation.project import (
    aex_commands,
    compose_services,
    pyproject,
    read,
    settings_named,
    settings_table,
)

SERVICES = pytest.mark.parametrize("service", compose_services().values(), ids=compose_services().keys())


def instructions() -> list[str]:
    """The Dockerfile's instructions in order, continued lines joined, without comments."""
    lines = [line for line in read("Dockerfile").splitlines() if line and not line.lstrip().startswith("#")]
    return re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines()


def copied() -> list[str]:
    return [instruction.split()[1] for instruction in instructions() if instruction.startswith("COPY")]


def test_the_image_has_a_python_that_the_project_accepts() -> None:
    base = re.match(r"FROM python:(\d+\.\d+)-slim$", instructions()[0])
    assert base
    assert base[1] in SpecifierSet(pyproject()["project"]["requires-python"])


def test_dependencies_are_installed_before_the_source_is_copied() -> None:
    steps = instructions()
    dependencies = next(i for i, step in enumerate(steps) if "--requirement requirements.txt" in step)
    assert dependencies < next(i for i, step in enumerate(steps) if step.startswith("COPY app"))


def test_the_ignore_file_lets_through_what_is_copied_and_nothing_else() -> None:
    let_through = {line[1:] for line in read(".dockerignore").splitlines() if line.startswith("!")}
    assert let_through == set(copied())


def test_the_server_runs_as_a_numbered_user_who_is_not_root() -> None:
    last_user = [step for step in instructions() if step.startswith("USER")][-1]
    assert re.fullmatch(r"USER [1-9]\d+:[1-9]\d+", last_user)


def test_the_command_is_one_that_aex_has_and_listens_on_the_exposed_port() -> None:
    steps = instructions()
    assert 'CMD ["aex", "serve", "--host", "0.0.0.0", "--port", "8000"]' in steps
    assert "serve" in aex_commands()
    assert "EXPOSE 8000" in steps


def test_health_is_readiness() -> None:
    (check,) = [step for step in instructions() if step.startswith("HEALTHCHECK")]
    assert "http://127.0.0.1:8000/readyz" in check


@pytest.mark.parametrize("name", ["Dockerfile", "docker-compose.yml"])
def test_every_variable_set_is_a_setting(name: str) -> None:
    assert settings_named(read(name)) <= {variable for variable, _, _ in settings_table()}


def test_one_service_wants_a_gpu_and_the_other_waits_to_be_named() -> None:
    services = compose_services()
    (device,) = services["gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]
    assert "profiles" not in services["gpu"]
    assert services["cpu"]["profiles"] == ["cpu"]
    assert "deploy" not in services["cpu"]


@pytest.mark.parametrize(("service", "variant"), [("gpu", "cuda"), ("cpu", "cpu")])
def test_each_service_builds_its_variant(service: str, variant: str) -> None:
    assert compose_services()[service]["build"]["args"] == {"VARIANT": variant}
    assert f"{variant})" in read("Dockerfile")


@SERVICES
def test_models_are_mounted_read_only_where_the_image_looks(service: dict[str, Any]) -> None:
    (volume,) = service["volumes"]
    assert volume["read_only"] is True
    assert f"AEX_MODELS_DIR={volume['target']}" in "\n".join(instructions())


@SERVICES
def test_a_service_can_write_to_tmp_alone_and_gains_no_rights(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert [mount.split(":")[0] for mount in service["tmpfs"]] == ["/tmp"]  # noqa: S108  the container's own
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@SERVICES
def test_a_service_is_published_to_this_machine_alone_unless_told_otherwise(service: dict[str, Any]) -> None:
    assert service["ports"] == ["${PUBLISH:-127.0.0.1:8000}:8000"]
