"""What the Makefile and the script for merging promise."""

import os
import re

from tests.documentation.project import ROOT, aex_commands, make, make_targets, read


def test_every_command_of_the_makefile_is_listed_with_a_line() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", read("Makefile"), re.MULTILINE)
    assert phony
    assert set(make_targets()) == set(phony[1].split())


def test_make_alone_lists_the_commands() -> None:
    assert make() == make("help")


def test_make_calls_only_commands_that_aex_has() -> None:
    called = set(re.findall(r"\$\(BIN\)/aex (\w+)", read("Makefile")))
    assert called
    assert called <= aex_commands()


def test_serve_passes_host_port_and_args_on() -> None:
    shown = make("--dry-run", "serve", "HOST=0.0.0.0", "PORT=8001", "ARGS=--device cpu")
    assert "aex serve --host 0.0.0.0 --port 8001 --device cpu" in shown


def test_serve_ignores_a_host_that_the_shell_exports() -> None:
    assert "conda" not in make("--dry-run", "serve", HOST="x86_64-conda-linux-gnu")


def test_merging_runs_check_and_test() -> None:
    script = ROOT / ".ci/run"
    assert os.access(script, os.X_OK)
    assert re.search(r"^make check$", script.read_text(), re.MULTILINE)
    assert re.search(r"^make test$", script.read_text(), re.MULTILINE)
