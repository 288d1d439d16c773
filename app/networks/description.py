"""model.json: what a network is, how to build it again, how images meet it, and what was measured of it."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from app.networks.activations import ACTIVATIONS
from app.networks.build import Architecture, TorchvisionConfig, torchvision_names
from app.networks.calibration import Calibration, is_sha256, read_calibration
from app.networks.fields import Fields, parse_json
from app.networks.resnet import ResNetConfig

FORMAT_VERSION = 1
_SAFE_NAME = re.compile(r"[a-z0-9_-]{1,64}")
Fit = Literal["stretch", "letterbox", "center_crop"]

NAME_RULE = "1 to 64 of a-z, 0-9, _ and -"
"""What a model may be called."""

MAX_SIDE_PIXELS = 2048
MAX_CLASSES = 100_000
MAX_CLASS_NAME = 200
MAX_PARAGRAPH = 10_000


@dataclass(frozen=True)
class InputDescription:
    """What the network takes: height and width in pixels, 1 or 3 channels, and how another shape is fitted to it."""

    height: int
    width: int
    channels: int
    fit: Fit


@dataclass(frozen=True)
class ExplanationDefaults:
    """Defaults of an explanation: `rho`, RMS of the perturbation; `scale`, pixel level at the end of the colour bar."""

    rho: float
    scale: float


@dataclass(frozen=True)
class ModelDescription:
    """Everything in model.json but the format version and the weights' SHA-256.

    Attributes:
        architecture: how to build the network.
        classes: their names, by class id.
        input: what it takes.
        explanation: defaults.
        training: the recipe it was trained with, as plain JSON; None where it is not known.
        scores: what was measured of it, as plain JSON; empty where nothing was.
        source: a paragraph on where the weights come from and under which licence; empty where it is not known.
        intended_use, known_failures: paragraphs; empty where nothing is written down.
        calibration: what the service judges images and explanations by; None where nothing was calibrated.
        twin: name of a model of the same classes, trained without attacks, that gives a second opinion; None for none.
    """

    architecture: Architecture
    classes: tuple[str, ...]
    input: InputDescription
    explanation: ExplanationDefaults
    training: Mapping[str, object] | None
    scores: Mapping[str, object]
    source: str = ""
    intended_use: str = ""
    known_failures: str = ""
    calibration: Calibration | None = None
    twin: str | None = None


def as_text(description: ModelDescription, weights_sha256: str) -> bytes:
    """The content of model.json."""
    text = json.dumps(_as_json(description, weights_sha256), indent=2, ensure_ascii=False)
    return f"{text}\n".encode(errors="backslashreplace")


def _as_json(description: ModelDescription, weights_sha256: str) -> dict[str, object]:
    architecture = description.architecture
    if isinstance(architecture, ResNetConfig):
        built: dict[str, object] = {"kind": "resnet", "config": asdict(architecture)}
    else:
        built = {"kind": "torchvision", **asdict(architecture)}
    calibration = description.calibration
    parts = (
        {} if calibration is None else {name: part for name, part in asdict(calibration).items() if part is not None}
    )
    return {
        "format_version": FORMAT_VERSION,
        "architecture": built,
        "classes": description.classes,
        "input": asdict(description.input),
        "explanation": asdict(description.explanation),
        "training": None if description.training is None else dict(description.training),
        "scores": dict(description.scores),
        "source": description.source,
        "intended_use": description.intended_use,
        "known_failures": description.known_failures,
        **({"calibration": parts} if parts else {}),
        "twin": description.twin,
        "weights_sha256": weights_sha256,
    }


def from_json(value: object, file: Path) -> tuple[ModelDescription, str]:
    """The description, and the weights' SHA-256 (hexadecimal), out of the JSON value of `file`.

    Raises:
        CheckpointError: a field is missing, unknown, of the wrong type or out of range; names the file and the field.
    """
    fields = Fields(file, "", value)
    version = fields.take("format_version", str(FORMAT_VERSION))
    if type(version) is not int or version != FORMAT_VERSION:
        fields.fail("format_version", version, f"{FORMAT_VERSION}, the only one this version reads")
    architecture = _architecture(fields.nested("architecture"))
    description = ModelDescription(
        architecture=architecture,
        classes=_classes(fields, architecture),
        input=_input(fields.nested("input"), architecture),
        explanation=_explanation(fields.nested("explanation")),
        training=_training(fields),
        scores=fields.plain("scores"),
        source=_paragraph(fields, "source"),
        intended_use=_paragraph(fields, "intended_use") if fields.has("intended_use") else "",
        known_failures=_paragraph(fields, "known_failures") if fields.has("known_failures") else "",
        calibration=read_calibration(fields.nested("calibration")) if fields.has("calibration") else None,
        twin=_twin(fields) if fields.has("twin") else None,
    )
    sha256 = fields.text("weights_sha256", "64 hexadecimal digits", is_sha256)
    fields.done()
    return description, sha256


def require_valid(description: ModelDescription, file: Path) -> None:
    """Check a description made in memory as one that is read; `CheckpointError` blames `file`."""
    from_json(parse_json(as_text(description, "0" * 64), file), file)


def _architecture(fields: Fields) -> Architecture:
    if fields.one_of("kind", ("resnet", "torchvision")) == "resnet":
        architecture: Architecture = _resnet(fields.nested("config"))
    else:
        known = torchvision_names()
        name = fields.text("name", "a classifier of torchvision, such as resnet50", lambda name: name in known)
        architecture = TorchvisionConfig(name, *_normalization(fields, channels=3))
    fields.done()
    return architecture


def _resnet(fields: Fields) -> ResNetConfig:
    channels = _channels(fields)
    widths = fields.wholes("widths", count=8, highest=8192)
    blocks = fields.wholes("blocks", count=8, highest=100)
    if len(blocks) != len(widths):
        fields.fail("blocks", blocks, f"as many numbers as widths, {len(widths)}")
    activation = fields.one_of("activation", tuple(ACTIVATIONS))
    stem_kernel = fields.whole("stem_kernel", 1, 15)
    if stem_kernel % 2 == 0:
        fields.fail("stem_kernel", stem_kernel, "odd")
    mean, std = _normalization(fields, channels)
    config = ResNetConfig(
        classes=fields.whole("classes", 1, MAX_CLASSES),
        channels=channels,
        widths=widths,
        blocks=blocks,
        activation=activation,
        stem_kernel=stem_kernel,
        stem_pool=fields.whole("stem_pool", 1, 16),
        downsample=cast(Literal["stride", "average"], fields.one_of("downsample", ("stride", "average"))),
        mean=mean,
        std=std,
    )
    fields.done()
    return config


def _normalization(fields: Fields, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    mean = fields.numbers("mean", channels, lowest=-100, highest=100)
    return mean, fields.numbers("std", channels, lowest=0, highest=100)


def _channels(fields: Fields) -> int:
    channels = fields.whole("channels", 1, 3)
    if channels == 2:
        fields.fail("channels", channels, "1 (grey) or 3 (red, green, blue)")
    return channels


def _classes(fields: Fields, architecture: Architecture) -> tuple[str, ...]:
    right = f"a list of different names of 1 to {MAX_CLASS_NAME} printable characters"
    classes = fields.texts("classes", right, is_class_name)
    if not 1 <= len(classes) <= MAX_CLASSES or len(set(classes)) != len(classes):
        fields.fail("classes", classes, right)
    if isinstance(architecture, ResNetConfig) and len(classes) != architecture.classes:
        fields.fail("classes", classes, f"a list of {architecture.classes} names, the classes of the architecture")
    return classes


def is_model_name(name: str) -> bool:
    """Whether a model may be called this: see `NAME_RULE`."""
    return _SAFE_NAME.fullmatch(name) is not None


def is_class_name(name: str) -> bool:
    """Whether a class may be called this."""
    return 1 <= len(name) <= MAX_CLASS_NAME and name.isprintable() and name.strip() == name


def _input(fields: Fields, architecture: Architecture) -> InputDescription:
    channels = _channels(fields)
    if isinstance(architecture, ResNetConfig) and channels != architecture.channels:
        fields.fail("channels", channels, f"{architecture.channels}, the channels of the architecture")
    described = InputDescription(
        height=fields.whole("height", 1, MAX_SIDE_PIXELS),
        width=fields.whole("width", 1, MAX_SIDE_PIXELS),
        channels=channels,
        fit=cast(Fit, fields.one_of("fit", get_args(Fit))),
    )
    fields.done()
    return described


def _explanation(fields: Fields) -> ExplanationDefaults:
    defaults = ExplanationDefaults(rho=fields.positive("rho", 1), scale=fields.positive("scale", 1))
    fields.done()
    return defaults


def _training(fields: Fields) -> dict[str, object] | None:
    recipe = fields.take("training", "an object or null")
    if recipe is not None and not isinstance(recipe, dict):
        fields.fail("training", recipe, "an object or null")
    return recipe


def _twin(fields: Fields) -> str | None:
    right = f"the name of a model, which is {NAME_RULE}, or null"
    name = fields.take("twin", right)
    if name is not None and not (isinstance(name, str) and is_model_name(name)):
        fields.fail("twin", name, right)
    return name


def _paragraph(fields: Fields, name: str) -> str:
    return fields.text(name, f"text of at most {MAX_PARAGRAPH} characters", lambda text: len(text) <= MAX_PARAGRAPH)
