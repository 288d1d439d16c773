"""aex serve."""

from typing import Annotated

import typer
import uvicorn

from app.cli.common import DeviceName, ModelsFolder, read_settings
from app.main import create_app
from app.settings import describe_settings

STOP_SECONDS = 10  # running answers have this long to finish; who waits longer is told 503


def serve_help() -> str:
    """What `aex serve --help` prints: the settings come from the code that reads them."""
    settings = "\n".join(f"* {name} ({default}): {meaning}" for name, default, meaning in describe_settings())
    return (
        "Serve predictions and explanations over HTTP.\n\n"
        "Examples: aex serve    aex serve --host 0.0.0.0 --port 80 --device cuda\n\n"
        f"Settings are environment variables (default):\n\n{settings}"
    )


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for every network.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
    models: ModelsFolder = None,
    device: DeviceName = None,
) -> None:
    """Serve over HTTP until stopped."""
    uvicorn.run(
        create_app(read_settings(models, device)),
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
