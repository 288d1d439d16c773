"""`aex`, the command line: serve, explain, predict, margins, audit, models, train, evaluate, bench; a file each."""

import sys

import typer

from app.cli import audit, bench, evaluate, explain, margins, predict, serve, train
from app.cli.models import cli as models_cli
from app.errors import AexError

cli = typer.Typer(
    name="aex",
    help="Classify images with robust networks, and explain each answer by attacking it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="markdown",
)
cli.command("serve", help=serve.serve_help())(serve.serve)
cli.command("explain")(explain.explain)
cli.command("predict")(predict.predict)
cli.command("margins")(margins.margins)
cli.command("audit")(audit.audit)
cli.add_typer(models_cli, name="models")
cli.command("train")(train.train)
cli.command("evaluate")(evaluate.evaluate)
cli.command("bench")(bench.bench)


def main() -> None:
    """Run `aex`; a deliberate error ends with its sentence and exit status 1, without a trace."""
    try:
        cli()
    except AexError as error:
        sys.stderr.write(f"aex: {error}\n")
        sys.exit(1)
