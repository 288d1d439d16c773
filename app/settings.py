"""Every environment variable of the product; its name carries its unit. Read by `main` and `cli` alone."""

import os
import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.archive.client import Archive
from app.engine.device import EngineLimits
from app.engine.memory import free_bytes
from app.engine.steps.choose import Backend
from app.errors import SettingsError
from app.images.decode import MOST_PIXELS, DecodeLimits
from app.service.catalogue import MakeStep
from app.service.several import SeveralLimits
from app.service.steps import step_maker

PREFIX = "AEX_"

PARTS_AT_ONCE = 4  # as many as are decoded at once
_ARCHIVE = re.compile(
    r"https?://[A-Za-z0-9.-]+(:\d{1,5})?(/[A-Za-z0-9._~/-]*)?|https?://\[[0-9A-Fa-f:.]+\](:\d{1,5})?(/[A-Za-z0-9._~/-]*)?"
)
_TOKEN = re.compile(r"[!-~]*")

_STEP_ROWS = {"cpu": 32, "cuda": 256}  # more gain nothing there, and make a prediction wait longer


class Settings(BaseSettings):
    """What an installation may choose, each as an environment variable `AEX_` + the name in capitals.

    Raises:
        SettingsError: a variable's value cannot be used, or its name is nearly that of a setting.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    models_dir: Annotated[Path, Field(description="folder of models, one folder each")] = Path("models")
    default_model: Annotated[str, Field(description="name of the model used where a request names none")] = "cifar10"
    device: Annotated[str, Field(description="auto (a GPU where there is one), cpu, cuda or cuda:N")] = "auto"
    step_backend: Annotated[
        Backend, Field(description="what computes gradients: auto (the quickest there is), eager, openvino or cuda")
    ] = "auto"
    cache_dir: Annotated[
        Path, Field(description="folder that keeps compiled gradients between runs; it need not be writable")
    ] = Path("~/.cache/aex")
    threads: Annotated[int, Field(ge=0, le=1024, description="processor threads for tensors, 0 for one a core")] = 0
    places: Annotated[int, Field(ge=1, le=1000, description="requests worked on or waiting at once")] = 16
    max_queue_seconds: Annotated[
        float, Field(gt=0, description="seconds of work on others that a newcomer may have to wait for, else 503")
    ] = 120.0
    max_device_bytes: Annotated[
        int,
        Field(ge=0, description="bytes of memory for work on the device, 0 for a quarter of what is free at the start"),
    ] = 0
    max_step_rows: Annotated[
        int, Field(ge=0, le=65_536, description="explanations that share a gradient step, 0 for 32 (256 on a GPU)")
    ] = 0
    max_upload_bytes: Annotated[int, Field(ge=1, description="bytes of an uploaded image at the most")] = 20_971_520
    max_upload_seconds: Annotated[float, Field(gt=0, description="seconds a request's body may take to arrive")] = 60.0
    max_image_pixels: Annotated[int, Field(ge=1, le=MOST_PIXELS, description="pixels of an image at the most")] = (
        100_000_000
    )
    max_open_pixels: Annotated[
        int,
        Field(ge=1, description="pixels of images over a megapixel that are worked on at once; others wait their turn"),
    ] = 100_000_000
    max_picture_bytes: Annotated[
        int, Field(ge=1, description="bytes of all pictures of one explanation at the most")
    ] = 200_000_000
    max_decode_seconds: Annotated[float, Field(gt=0, description="seconds that decoding an image may take")] = 10.0
    max_rows: Annotated[
        int, Field(ge=1, description="explanations (targets times sizes, or tiles) of one request at the most")
    ] = 64
    max_pages: Annotated[
        int, Field(ge=1, le=10_000, description="pages or frames of a file that one request is answered of at the most")
    ] = 50
    max_pages_bytes: Annotated[
        int, Field(ge=1, description="bytes of memory for the answers to several pages of one request")
    ] = 134_217_728
    result_ttl_seconds: Annotated[
        float, Field(ge=0, le=604_800, description="seconds that an explanation is kept, in memory; 0 keeps none")
    ] = 3600.0
    max_result_bytes: Annotated[
        int, Field(ge=0, description="bytes of memory for explanations that are kept; the oldest make room")
    ] = 268_435_456
    report_notice: Annotated[str, Field(min_length=1, max_length=2000, description="what stands first in a report")] = (
        "Not a diagnosis. This report shows what a neural network responds to in one image. It was not made to find or"
        " to rule out anything, and no decision may rest on it alone."
    )
    strip_phi: Annotated[
        bool, Field(description="whether DICOM objects are made without the patient, the study and their ids")
    ] = False
    dicomweb_url: Annotated[
        str, Field(description="address of the DICOMweb archive to fetch images from and to store in; empty for none")
    ] = ""
    dicomweb_user: Annotated[str, Field(description="the archive's name for this server; empty for none")] = ""
    dicomweb_password: Annotated[SecretStr, Field(description="its password there")] = SecretStr("")
    dicomweb_token: Annotated[
        SecretStr, Field(description="a bearer token for the archive, in place of user and password")
    ] = SecretStr("")
    max_dicomweb_seconds: Annotated[float, Field(gt=0, description="seconds an answer of the archive may take")] = 30.0
    default_timeout_ms: Annotated[int, Field(ge=1, le=3_600_000, description="milliseconds an answer may take")] = (
        120_000
    )
    max_timeout_ms: Annotated[int, Field(ge=1, le=3_600_000, description="milliseconds to be asked for at most")] = (
        600_000
    )
    log_format: Annotated[Literal["console", "json"], Field(description="json or console")] = "console"

    def __init__(self, **given: Any) -> None:  # noqa: ANN401 - settings are of many types, and checked here
        _refuse_misspelt(os.environ)
        try:
            super().__init__(**given)
        except ValidationError as error:
            raise SettingsError(" ".join(_sentences(error))) from None

    @field_validator("device")
    @classmethod
    def _check_device(cls, device: str) -> str:
        if not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", device):
            raise ValueError("it must be auto, cpu, cuda or cuda:N")
        return device

    def archive(self) -> Archive | None:
        """The DICOMweb archive, None where the operator names none.

        Raises:
            SettingsError: its address or credentials cannot be used; quotes neither.
        """
        password, token = self.dicomweb_password.get_secret_value(), self.dicomweb_token.get_secret_value()
        if not self.dicomweb_url:
            return None
        if not _ARCHIVE.fullmatch(self.dicomweb_url):
            raise SettingsError(
                "AEX_DICOMWEB_URL must be such as https://archive.example/dicom-web, without user, query or fragment."
            )
        if (token and (self.dicomweb_user or password)) or bool(self.dicomweb_user) != bool(password):
            raise SettingsError("Give AEX_DICOMWEB_USER and AEX_DICOMWEB_PASSWORD, or AEX_DICOMWEB_TOKEN, or neither.")
        if not _TOKEN.fullmatch(token):
            raise SettingsError("AEX_DICOMWEB_TOKEN has a character that a header cannot have, such as a line's end.")
        return Archive(
            self.dicomweb_url,
            auth=(self.dicomweb_user, password) if password else None,
            token=token or None,
            max_bytes=self.max_upload_bytes,
            max_seconds=self.max_dicomweb_seconds,
        )

    def decode_limits(self) -> DecodeLimits:
        """What decoding one image may cost."""
        return DecodeLimits(self.max_upload_bytes, self.max_image_pixels, self.max_decode_seconds)

    def several_limits(self) -> SeveralLimits:
        """What the pages of one file may cost; half of the places are left to others."""
        return SeveralLimits(self.max_pages, self.max_pages_bytes, at_once=max(1, min(PARTS_AT_ONCE, self.places // 2)))

    def engine_limits(self) -> EngineLimits:
        """What the engine may take of the device; raises as `torch_device` does."""
        device = self.torch_device()
        return EngineLimits(
            places=self.places,
            max_wait_seconds=self.max_queue_seconds,
            max_bytes=self.max_device_bytes or free_bytes(device) // 4,
            max_step_rows=self.max_step_rows or _STEP_ROWS[device.type],
        )

    def make_step(self) -> MakeStep:
        """How the gradients of a model are computed."""
        return step_maker(self.step_backend, threads=self.thread_count(), cache=self.cache_dir.expanduser())

    def torch_device(self) -> torch.device:
        """The device to work on.

        Raises:
            SettingsError: a GPU was asked for by name and is not there.
        """
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if self.device == "auto":
            return torch.device("cuda" if count else "cpu")
        device = torch.device(self.device)
        if device.type == "cuda" and (device.index or 0) >= count:
            raise SettingsError(f"AEX_DEVICE is {self.device}, but torch finds {count} GPUs here; use cpu or auto.")
        return device

    def thread_count(self) -> int:
        """Processor threads for tensors, at least 1."""
        return self.threads or len(os.sched_getaffinity(0))


def describe_settings() -> Iterator[tuple[str, str, str]]:
    """(environment variable, default, meaning) of every setting, in the order to be read."""
    for name, field in Settings.model_fields.items():
        yield PREFIX + name.upper(), str(field.default), str(field.description)


def _refuse_misspelt(environment: Iterable[str]) -> None:
    known = [name for name, _, _ in describe_settings()]
    for name in environment:
        if name.startswith(PREFIX) and name not in known:
            near = get_close_matches(name, known, n=1, cutoff=0.85)
            if near:
                raise SettingsError(f"{name} is no setting; did you mean {near[0]}?")


def _sentences(error: ValidationError) -> Iterator[str]:
    meanings = {name: meaning for name, _, meaning in describe_settings()}
    for fault in error.errors():
        name = PREFIX + str(fault["loc"][0]).upper()
        why = fault["msg"].removeprefix("Value error, ").replace("Input should", "it should")
        yield f"{name} is {str(fault['input'])[:80]!r}; {why} ({meanings.get(name, 'no such setting')})."
