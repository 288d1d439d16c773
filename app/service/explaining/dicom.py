"""DICOM objects of an explanation, for the study of the image that was explained."""

import io
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from app.engine.token import WorkToken
from app.errors import NoSuchPart
from app.images.apart.object_facts import ObjectFacts, ObjectKind, WrittenKind
from app.images.apart.process import check_writable, write_apart
from app.images.decode import DecodeLimits
from app.images.fit import Carried
from app.service.options import OBJECTS, REPORT, ExplainOptions
from app.service.results.explanation import ExplainResult, Record, TargetExplanation
from app.service.results.facts import ModelFacts
from app.service.uploads import Upload

WEIGHTS_DIGITS = 12  # of their hash, to tell them apart by
_SECRET = secrets.token_hex()  # so that nobody can find out which study stripped objects come from by trying


class DicomObjects:
    """Writes the objects that were asked for of one explanation.

    Args:
        data: the upload.
        upload: the same, read.
        explanation_id: makes the objects' UIDs, unless they are stripped.
        model: that explains.
        options: name the objects in `include`.
        limits: on reading the upload once more.
        strip_phi: leave out all that may tell who the patient is.

    Raises:
        ImageError: the upload is no DICOM image, or lacks what an object is made of.
    """

    def __init__(
        self,
        data: bytes,
        upload: Upload,
        explanation_id: str,
        model: ModelFacts,
        options: ExplainOptions,
        *,
        limits: DecodeLimits,
        strip_phi: bool,
    ) -> None:
        self._data = data
        self._upload = upload
        self._seconds = limits.max_seconds
        self._kinds: list[ObjectKind] = [kind for kind in OBJECTS if kind in options.include]
        self._facts = _facts(explanation_id, model, upload.decoded.selected.frame or 1, strip_phi=strip_phi)
        reports: list[WrittenKind] = ["encapsulated_pdf"] if REPORT in options.include else []
        for kind in (*self._kinds, *reports):
            if upload.decoded.format != "DICOM":
                raise NoSuchPart(f"{kind} is made of DICOM images, and the file is a {upload.decoded.format}.")
            check_writable(data, replace(self._facts, kind=kind), max_seconds=self._seconds)

    def added_to(
        self, explanations: Sequence[TargetExplanation], perturbation: Tensor, scale: float, token: WorkToken
    ) -> tuple[TargetExplanation, ...]:
        """The explanations with their objects.

        Args:
            explanations: with their heatmaps.
            perturbation: (targets, channels, height, width), as it was found.
            scale: pixel level at the end of a map's colours.
            token: the right to go on.
        """
        if not self._kinds:
            return tuple(explanations)
        made = []
        for number, one in enumerate(explanations, start=1):
            token.check()
            facts = replace(self._facts, number=number, description=_description(one), scale=scale)
            objects: Mapping[str, bytes] = {
                kind: write_apart(
                    self._data,
                    _picture(one) if kind == "secondary_capture" else self._map(perturbation[number - 1]),
                    replace(facts, kind=kind),
                    max_seconds=self._seconds,
                )
                for kind in self._kinds
            }
            made.append(replace(one, objects=objects))
        return tuple(made)

    def _map(self, perturbation: Tensor) -> NDArray[np.float32]:
        """The mean change over channels in the image's own pixels, as it was found; 0 where nothing was seen."""
        carried = Carried(self._upload.fitting, perturbation)
        mean: NDArray[np.float32] = np.concatenate([carried.rows(rows).mean(axis=2) for rows in self._upload.bands()])
        np.nan_to_num(mean, nan=0.0, copy=False)
        return mean


def uid_of_object(result: ExplainResult, kind: ObjectKind, number: int) -> str:
    """The SOP Instance UID of the object of a kind of the explanation of that number, from 1; not of stripped ones."""
    return replace(_facts(result.id, result.model, 1, strip_phi=False), kind=kind, number=number).sop_instance_uid


def uid_of_report(result: ExplainResult) -> str:
    """The SOP Instance UID of what `report_object` makes; not of stripped ones."""
    return replace(_facts(result.id, result.model, 1, strip_phi=False), kind="encapsulated_pdf").sop_instance_uid


def report_object(record: Record, report: bytes, *, limits: DecodeLimits, strip_phi: bool) -> bytes:
    """The PDF of a report as a DICOM object.

    Raises:
        ImageError: what was explained is no DICOM image, or lacks what an object is made of.
    """
    result = record.result
    if result.image.format != "DICOM":
        raise NoSuchPart(f"A report in DICOM is made of DICOM images, and the file is a {result.image.format}.")
    facts = replace(
        _facts(result.id, result.model, result.image.frame or 1, strip_phi=strip_phi), kind="encapsulated_pdf"
    )
    content = np.frombuffer(report, dtype=np.uint8)
    return write_apart(record.upload, content, facts, max_seconds=limits.max_seconds)


def _facts(explanation_id: str, model: ModelFacts, frame: int, *, strip_phi: bool) -> ObjectFacts:
    return ObjectFacts(
        kind="secondary_capture",
        frame=frame,
        key=f"{_SECRET} {explanation_id}" if strip_phi else explanation_id,
        number=1,
        title=f"Adversarial explanation by {model.name}",
        description="",
        model=model.name,
        weights=model.weights_sha256[:WEIGHTS_DIGITS],
        scale=1.0,
        stripped=strip_phi,
    )


def _picture(one: TargetExplanation) -> NDArray[Any]:
    with Image.open(io.BytesIO(one.pictures["heatmap"].png)) as picture:
        return np.asarray(picture.convert("RGB"))


def _description(one: TargetExplanation) -> str:
    aim = "more" if one.direction == "encourage" else "less"
    than = "" if one.against is None else f" than {one.against}"
    return (
        f"Change to be {aim} {one.target}{than}: RMS {one.perturbation_rms:.3f},"
        f" p {one.probability_before:.2f} to {one.probability_after:.2f}"
    )
