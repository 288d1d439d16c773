"""What the server answered, as objects; each has the whole JSON of it in `json`, for what has no attribute here."""

import base64
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.client.show import row_html, table_html

Json = Mapping[str, Any]


@dataclass(frozen=True)
class ClassProbability:
    """One class and its softmax probability."""

    name: str
    class_id: int
    probability: float


@dataclass(frozen=True)
class Picture:
    """A picture as the server drew it.

    Attributes:
        png: the file.
        scale: pixel level at the end of a heatmap's colour bar, else None.
        gain: by how much a perturbation is multiplied around mid-grey, else None.
    """

    png: bytes = field(repr=False)
    scale: float | None
    gain: float | None

    @property
    def image(self) -> Image.Image:
        """As PIL has it, of mode RGB."""
        return Image.open(io.BytesIO(self.png)).convert("RGB")

    def _repr_png_(self) -> bytes:
        return self.png


@dataclass(frozen=True)
class Prediction:
    """What an image was read as: `top` are the most probable classes, in falling order."""

    id: str
    model: str
    weights_sha256: str
    image_sha256: str
    top: tuple[ClassProbability, ...]
    json: Json = field(repr=False)

    @property
    def best(self) -> ClassProbability:
        return self.top[0]

    def _repr_html_(self) -> str:
        return table_html(self.model, (row_html(one.name, f"{one.probability:.3f}") for one in self.top))


@dataclass(frozen=True)
class Explained:
    """One target of an explanation; its numbers are measured on the explained picture.

    Attributes:
        pictures: by name: heatmap, perturbation, explained, and whatever else was asked for.
        changed_class_to: what the explained picture is read as, None where that is the same as before.
    """

    target: str
    target_id: int
    role: str
    direction: str
    probability_before: float
    probability_after: float
    rho: float
    perturbation_rms: float
    perturbation_l2: float
    steps: int
    converged: bool
    goal_met: bool
    changed_class_to: str | None
    pictures: Mapping[str, Picture] = field(repr=False)
    json: Json = field(repr=False)

    @property
    def heatmap(self) -> Image.Image:
        """Where and how strongly the image changed, with its colour bar."""
        return self.pictures["heatmap"].image

    @property
    def perturbation(self) -> Image.Image:
        """The change itself, around mid-grey."""
        return self.pictures["perturbation"].image

    @property
    def explained(self) -> Image.Image:
        """The changed image."""
        return self.pictures["explained"].image


@dataclass(frozen=True)
class Explanation:
    """A prediction and its reasons: `found["cat"]` is one target's, `for one in found` all of them in order.

    Attributes:
        kept_until: when the server forgets it at the latest (ISO 8601), None where it keeps nothing.
        arrays: where `include` named arrays: `image` (height, width, channels), `explained` and `perturbation`
            (targets, height, width, channels), float32, unclamped, at the network's input size; else empty.
    """

    prediction: Prediction
    targets: tuple[Explained, ...]
    kept_until: str | None
    arrays: Mapping[str, NDArray[np.float32]] = field(repr=False)
    json: Json = field(repr=False)

    @property
    def id(self) -> str:
        return self.prediction.id

    def __getitem__(self, target: str | int) -> Explained:
        """The explanation of a class, by its name or id."""
        for one in self.targets:
            if target in (one.target, one.target_id):
                return one
        raise KeyError(f"{target!r}; explained are {', '.join(one.target for one in self.targets)}")

    def __iter__(self) -> Iterator[Explained]:
        return iter(self.targets)

    def __len__(self) -> int:
        return len(self.targets)

    def _repr_html_(self) -> str:
        model, best = self.prediction.model, self.prediction.best
        return table_html(f"{model} reads {best.name} ({best.probability:.3f})", map(_row_of, self.targets))


@dataclass(frozen=True)
class Margin:
    """How much change a prediction withstands.

    Attributes:
        says: in sentences; with what is promised, where a certificate was asked for.
        flip_rms, flip_l2: sizes of the smallest change found that flips the class; None where none was found.
        flipped_to: what it flips to.
        radius_l2: below which the smoothed classifier is promised not to change; None without such a promise.
    """

    prediction: Prediction
    says: str
    flip_rms: float | None
    flip_l2: float | None
    flipped_to: str | None
    radius_l2: float | None
    json: Json = field(repr=False)


@dataclass(frozen=True)
class Started:
    """The server has begun: by this id the explanation can be cancelled."""

    id: str
    json: Json = field(repr=False)


@dataclass(frozen=True)
class TargetsChosen:
    """What the image was read as, and the names of the classes that are explained."""

    best: ClassProbability
    targets: tuple[str, ...]
    json: Json = field(repr=False)


@dataclass(frozen=True)
class Progress:
    """One target's search so far; `picture` is the image with its change by now."""

    target: str
    target_id: int
    step: int
    steps: int
    probability: float
    picture: Picture
    json: Json = field(repr=False)


Event = Started | TargetsChosen | Progress | Explanation


def prediction_of(answer: Json) -> Prediction:
    """Of the JSON of a prediction or explanation."""
    return Prediction(
        id=answer["id"],
        model=answer["model"]["name"],
        weights_sha256=answer["model"]["weights_sha256"],
        image_sha256=answer["image"]["sha256"],
        top=tuple(map(_class_of, answer["prediction"]["top"])),
        json=answer,
    )


def explanation_of(answer: Json) -> Explanation:
    """Of the JSON of an explanation."""
    return Explanation(
        prediction=prediction_of(answer),
        targets=tuple(map(_explained_of, answer["explanations"])),
        kept_until=answer["kept_until"],
        arrays={} if answer["arrays"] is None else _arrays_of(base64.b64decode(answer["arrays"])),
        json=answer,
    )


def margin_of(answer: Json) -> Margin:
    """Of the JSON of a margin."""
    flip, certificate = answer["margin"]["flip"], answer["certificate"]
    says = answer["margin"]["says"] + ("" if certificate is None else f" {certificate['says']}")
    return Margin(
        prediction=prediction_of(answer),
        says=says,
        flip_rms=flip["perturbation_rms"],
        flip_l2=flip["perturbation_l2"],
        flipped_to=flip["changed_class_to"],
        radius_l2=None if certificate is None else certificate["radius_l2"],
        json=answer,
    )


def event_of(name: str, data: Json) -> Event | None:
    """Of one event of a stream; None for one that this client does not know."""
    match name:
        case "started":
            return Started(data["id"], data)
        case "targets":
            targets = tuple(one["target"] for one in data["targets"])
            return TargetsChosen(_class_of(data["prediction"]), targets, data)
        case "progress":
            numbers = {key: data[key] for key in ("target", "target_id", "step", "steps", "probability")}
            return Progress(**numbers, picture=_picture_of(data["picture"]), json=data)
        case "result":
            return explanation_of(data)
    return None


def _class_of(entry: Json) -> ClassProbability:
    return ClassProbability(entry["class"], entry["class_id"], entry["probability"])


def _explained_of(one: Json) -> Explained:
    said = {name: one[name] for name in Explained.__dataclass_fields__ if name not in ("pictures", "json")}
    return Explained(**said, pictures={name: _picture_of(each) for name, each in one["pictures"].items()}, json=one)


def _row_of(one: Explained) -> str:
    """Its numbers and pictures."""
    more = "more" if one.direction == "encourage" else "less"
    read = "read as before" if one.changed_class_to is None else f"then read as {one.changed_class_to}"
    return row_html(
        f"{more} {one.target}: {one.probability_before:.3f} to {one.probability_after:.3f}\n"
        f"RMS {one.perturbation_rms:.4f}\n{read}",
        pictures={name: one.pictures[name].png for name in ("heatmap", "explained") if name in one.pictures},
    )


def _picture_of(picture: Json) -> Picture:
    return Picture(base64.b64decode(picture["data"]), picture.get("scale"), picture.get("gain"))


def _arrays_of(npz: bytes) -> dict[str, NDArray[np.float32]]:
    with np.load(io.BytesIO(npz), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays}
