"""What is measured: a network by the step that a server would compute it with, behind an engine, and its pictures."""

import io
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from app.adversarial.aims import Aims
from app.adversarial.rows import Rows
from app.engine.device import Engine, EngineLimits
from app.engine.jobs import Ask, Climbed
from app.engine.model import DeviceModel
from app.engine.token import WorkToken
from app.errors import DataError
from app.images.decode import DecodeLimits
from app.images.selection import Selection
from app.networks.checkpoint import Checkpoint
from app.networks.description import is_model_name
from app.networks.importing import ImportOptions
from app.service.catalogue import Catalogue, MakeStep
from app.service.models import import_model
from app.service.uploads import read_upload

_PLACES = 64  # more than there are clients: whoever measures the engine is not turned away
_MAX_PICTURES = 16
_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}


@dataclass(frozen=True)
class Subject:
    """A network and all that is needed to ask it.

    Attributes:
        checkpoint: its folder is in one that holds no other model, so that a server may be started on it.
        model: as the engine asks it.
        engine: of this process.
        make_step: what chose the model's step.
        files: encoded pictures, one or more, of any size.
        pictures: the same as the network sees them, (pictures, channels, height, width), on the CPU.
        small_files: these as PNG.
    """

    checkpoint: Checkpoint
    model: DeviceModel
    engine: Engine
    make_step: MakeStep
    files: Sequence[bytes]
    pictures: Tensor
    small_files: Sequence[bytes]

    @property
    def network(self) -> nn.Module:
        return self.checkpoint.network

    @property
    def device(self) -> torch.device:
        return self.checkpoint.device

    @property
    def classes(self) -> Sequence[str]:
        return self.checkpoint.description.classes

    @property
    def rho(self) -> float:
        """RMS of the model's explanations."""
        return self.checkpoint.description.explanation.rho

    def likeliest(self, count: int) -> Tensor:
        """Classes that each picture is read as, likeliest first, int64 (pictures, count, or as many as there are)."""
        with torch.no_grad():
            logits: Tensor = self.network(self.pictures.to(self.device))
        return logits.argsort(1, descending=True)[:, :count].cpu()

    def climb(self, images: Tensor, rows: Rows) -> Climbed:
        """Run the loop by way of the engine, as the server does; the cross entropy is climbed."""
        aims = Aims.alike(rows.label, margin=False, classes=len(self.classes))
        with self.engine.place(self.model, rows=len(images), steps=int(rows.steps.max())) as place:
            return place.climb(Ask(images, rows, aims), WorkToken())


@contextmanager
def open_subject(
    model: Path,
    pictures: Path,
    *,
    device: torch.device,
    make_step: MakeStep,
    engine_limits: EngineLimits,
    decode_limits: DecodeLimits,
) -> Iterator[Subject]:
    """A model folder, or a file of weights to import, and the pictures of a folder, until the end of the block.

    Raises:
        CheckpointError: the model is at fault.
        DataError: there are no pictures, or one cannot be read.
    """
    with TemporaryDirectory(prefix="aex-bench-") as folder:
        catalogue = Catalogue(Path(folder), device, _put_into(Path(folder), model))
        files = _read_files(pictures)
        catalogue.quicken(catalogue.default, make_step)
        served = catalogue.served()
        wanted = served.checkpoint.description.input
        shown = torch.stack([read_upload(content, decode_limits, wanted, Selection()).fitted for content in files])
        shown = (255 * shown).round() / 255  # as a file keeps it
        engine = Engine(replace(engine_limits, places=_PLACES))
        try:
            yield Subject(
                served.checkpoint, served.model, engine, make_step, files, shown, [_as_png(one) for one in shown]
            )
        finally:
            engine.close()


def _put_into(folder: Path, model: Path) -> str:
    """Copy or import the model; returns its name there."""
    if model.is_dir():
        shutil.copytree(model, folder / model.name)
        return model.name
    name = model.stem if is_model_name(model.stem) else "imported"
    import_model(model, folder, name, ImportOptions())
    return name


def _read_files(folder: Path) -> list[bytes]:
    found = sorted(file for file in folder.glob("*") if file.suffix.lower() in _SUFFIXES)[:_MAX_PICTURES]
    if not found:
        raise DataError(f"{folder} has no pictures; give a folder with some ({', '.join(sorted(_SUFFIXES))}).")
    try:
        return [file.read_bytes() for file in found]
    except OSError as error:
        raise DataError(f"{error.filename} cannot be read: {error.strerror}.") from None


def _as_png(picture: Tensor) -> bytes:
    """A picture (channels, height, width) in [0, 1], grey or in colour."""
    pixels = (255 * picture).round().permute(1, 2, 0).squeeze(2).numpy().astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()
