"""Asking a running server in place of a model of one's own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from app.client import Client, ClientError, Problem
from app.errors import AexError, OptionError, RemoteError
from app.service.options import PredictOptions
from app.service.several import OF_ONE_PART
from app.web.problems import TABLE

_OF_ONE_IMAGE = {kind.slug for error, kind in TABLE.items() if issubclass(error, OF_ONE_PART)}

ServerAddress = Annotated[
    str | None,
    typer.Option("--server", help="Ask a running server, such as http://localhost:8000."),
]


@contextmanager
def asking(server: str, models: Path | None, device: str | None) -> Iterator[Client]:
    """A client for the server.

    Raises:
        OptionError: the models or the device were chosen, which are the server's own; or it refuses an option.
        RemoteError: it cannot be reached, or refuses what it was asked.
    """
    if models is not None or device is not None:
        raise OptionError("--models and --device are the server's own; leave them out where --server is given.")
    try:
        with Client(server) as client:
            yield client
    except ClientError as error:
        raise as_error(error) from error


def as_error(error: ClientError) -> OptionError | RemoteError:
    """What the server, or its absence, comes to here."""
    refused = isinstance(error, Problem) and error.kind == "invalid-option"
    return OptionError(str(error)) if refused else RemoteError(str(error))


def is_about_the_image(error: AexError) -> bool:
    """Whether what a server said is wrong is wrong with this image, and need not be with the next."""
    said = error.__cause__
    return isinstance(said, Problem) and said.kind in _OF_ONE_IMAGE


def given(options: PredictOptions) -> dict[str, Any]:
    """The options that are not at their defaults; they have the same names on the way."""
    values = {field.name: getattr(options, field.name) for field in fields(options)}
    return {field.name: values[field.name] for field in fields(options) if values[field.name] != field.default}
