"""What `aex models` does: list, show, import and describe the folders under models/."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from app.errors import CheckpointError, UnknownModel
from app.networks.card import PICTURES
from app.networks.checkpoint import CARD, load_checkpoint, read_description, read_pictures, save_checkpoint
from app.networks.description import (
    MAX_CLASS_NAME,
    NAME_RULE,
    ExplanationDefaults,
    ModelDescription,
    is_class_name,
    is_model_name,
)
from app.networks.importing import ImportOptions, import_network
from app.service.catalogue import model_folders

_MAX_CLASSES_BYTES = 8 * 2**20
_MAX_PICTURE_BYTES = 2 * 2**20


@dataclass(frozen=True)
class ListedModel:
    """A model folder: what it says of itself, or the `problem` with that. The weights were not looked at."""

    name: str
    description: ModelDescription | None
    problem: str | None


@dataclass(frozen=True)
class ShownModel:
    """One model: `card` is the text of its CARD.md, empty without one."""

    folder: Path
    name: str
    description: ModelDescription
    weights_sha256: str
    card: str


def list_models(models: Path) -> tuple[ListedModel, ...]:
    """Every model folder under `models`, by name."""
    listed = []
    for folder in model_folders(models):
        try:
            listed.append(ListedModel(folder.name, read_description(folder)[0], None))
        except CheckpointError as error:
            listed.append(ListedModel(folder.name, None, str(error)))
    return tuple(listed)


def show_model(models: Path, name: str) -> ShownModel:
    """What is written down about one model.

    Raises:
        UnknownModel: there is none of that name; lists what is there.
        CheckpointError: its model.json is wrong.
    """
    folders = {folder.name: folder for folder in model_folders(models)}
    if name not in folders:
        raise UnknownModel(f"There is no model {name} in {models}; there are: {', '.join(folders) or 'none'}.")
    description, sha256 = read_description(folders[name])
    card = folders[name] / CARD
    return ShownModel(folders[name], name, description, sha256, card.read_text("utf-8") if card.is_file() else "")


def import_model(file: Path, models: Path, name: str, options: ImportOptions, *, force: bool = False) -> Path:
    """Make the folder `models`/`name` out of weights that others trained; returns it.

    Raises:
        CheckpointError: the name, the file or an option is at fault, or the model is there and `force` was not said.
    """
    if not is_model_name(name):
        raise CheckpointError(f"A model cannot be called {name!r}; a name is {NAME_RULE}.")
    folder = models / name
    if folder.exists() and not force:
        raise CheckpointError(f"{folder} is there already; choose another --name, or replace it with --force.")
    imported = import_network(file, options)
    save_checkpoint(folder, imported.network, imported.description, pictures={})
    return folder


def describe_model(
    models: Path,
    name: str,
    *,
    source: str | None = None,
    intended_use: str | None = None,
    known_failures: str | None = None,
    rho: float | None = None,
    scale: float | None = None,
    twin: str | None = None,
    pictures: Mapping[str, Path] | None = None,
) -> Path:
    """Write paragraphs, pictures and defaults of explanations into a model's description and card; returns its folder.

    What is None stays as it was; `rho` and `scale` are those of `ExplanationDefaults`; `twin` is the model that gives a
    second opinion; `pictures` are PNG files by what they show, as `app.networks.card.PICTURES` without the ending.

    Raises:
        UnknownModel: there is none of that name, or none of the twin's.
        CheckpointError: a default is out of range; the twin has other classes; a picture is of no kind that cards have,
            cannot be read, is too large or no PNG.
    """
    folder = show_model(models, name).folder
    if twin is not None:
        _require_twin(models, name, twin)
    checkpoint = load_checkpoint(folder, "cpu")
    before = checkpoint.description
    described = replace(
        before,
        source=before.source if source is None else source,
        intended_use=before.intended_use if intended_use is None else intended_use,
        known_failures=before.known_failures if known_failures is None else known_failures,
        explanation=ExplanationDefaults(
            rho=before.explanation.rho if rho is None else rho,
            scale=before.explanation.scale if scale is None else scale,
        ),
        twin=before.twin if twin is None else twin,
    )
    kept = read_pictures(folder) | {f"{kind}.png": _read_picture(kind, file) for kind, file in (pictures or {}).items()}
    save_checkpoint(folder, checkpoint.network, described, kept, checkpoint.domain)
    return folder


def _require_twin(models: Path, name: str, twin: str) -> None:
    if twin == name:
        raise CheckpointError(f"{name} cannot be its own twin; name another model.")
    ours, theirs = (show_model(models, one).description.classes for one in (name, twin))
    if ours != theirs:
        raise CheckpointError(f"{twin} has other classes than {name}; a twin has the same, in the same order.")


def _read_picture(kind: str, file: Path) -> bytes:
    if f"{kind}.png" not in PICTURES:
        kinds = ", ".join(name.removesuffix(".png") for name in PICTURES)
        raise CheckpointError(f"A card has no picture {kind!r}; it may have {kinds}.")
    try:
        with file.open("rb") as stream:
            png = stream.read(_MAX_PICTURE_BYTES + 1)
    except OSError as error:
        raise CheckpointError(f"{file} cannot be read: {error.strerror}.") from None
    if len(png) > _MAX_PICTURE_BYTES or not png.startswith(b"\x89PNG\r\n"):
        raise CheckpointError(f"{file} must be a PNG of at most {_MAX_PICTURE_BYTES // 2**20} MiB.")
    return png


def read_classes(file: Path) -> tuple[str, ...]:
    """Class names by id: one a line of a UTF-8 text.

    Raises:
        CheckpointError: it cannot be read, or a line is no class name; says which.
    """
    try:
        with file.open("rb") as stream:
            lines = stream.read(_MAX_CLASSES_BYTES).decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        raise CheckpointError(f"{file} cannot be read as text; give a UTF-8 file with one class name a line.") from None
    for number, line in enumerate(lines, start=1):
        if not is_class_name(line):
            raise CheckpointError(
                f"{file}: line {number} is no class name; it must be 1 to {MAX_CLASS_NAME} printable characters,"
                " without blanks around them."
            )
    return tuple(lines)
