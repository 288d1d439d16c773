"""The files an explanation is made of, under names that are safe in any file system, header or archive."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from app.service.results.audit import AuditResult, ExplanationAudit, ModelAudit
from app.service.results.explanation import ExplainResult, TargetExplanation
from app.web.media_types import BYTES, DICOM, PNG, WEBP

RESULT = "explanation.json"
AUDIT_RESULT = "audit.json"
ORIGINAL = "original.png"
SHEET_FILE = "sheet.png"
ARRAYS = "explanation.npz"
MAX_CLASS_CHARACTERS = 40


@dataclass(frozen=True)
class NamedFile:
    """A file that an answer's JSON names."""

    name: str
    media_type: str
    content: bytes


def files_of(result: ExplainResult) -> Iterator[NamedFile]:
    """Everything that the JSON names when it is not within: pictures, films, objects, the upload, the sheet, arrays."""
    for one in result.explanations:
        for name, drawn in one.pictures.items():
            yield NamedFile(picture_name(one, name), PNG, drawn.png)
        for number, point in enumerate(one.sweep):
            for name, drawn in point.pictures.items():
                yield NamedFile(sweep_picture_name(one, name, number), PNG, drawn.png)
        for kind, content in one.objects.items():
            yield NamedFile(object_name(one, kind), DICOM, content)
        if one.animation is not None:
            yield NamedFile(animation_name(one), WEBP, one.animation.webp)
    if result.original is not None:
        yield NamedFile(ORIGINAL, PNG, result.original.png)
    if result.sheet is not None:
        yield NamedFile(SHEET_FILE, PNG, result.sheet.png)
    if result.arrays_npz is not None:
        yield NamedFile(ARRAYS, BYTES, result.arrays_npz)


def audit_files_of(result: AuditResult) -> Iterator[NamedFile]:
    """Every picture that the JSON of an audit names when it is not within."""
    for one in result.models:
        yield NamedFile(attacked_name(one), PNG, one.image.png)
        for attack in one.audits:
            for name, drawn in attack.pictures.items():
                yield NamedFile(audit_picture_name(one, attack, name), PNG, drawn.png)


def attacked_name(audited: ModelAudit) -> str:
    """Such as cifar10-image.png: names of models are safe."""
    return f"{audited.model.name}-image.png"


def audit_picture_name(audited: ModelAudit, attack: ExplanationAudit, picture: str) -> str:
    """Such as cifar10-gradcam-move-changed.png."""
    return f"{audited.model.name}-{attack.method}-{attack.goal}-{picture}.png"


def picture_name(explanation: TargetExplanation, picture: str) -> str:
    """Such as heatmap-5-dog.png: the class by its id, and by what is safe of its name, for people."""
    return f"{_stem(explanation, picture)}.png"


def sweep_picture_name(explanation: TargetExplanation, picture: str, number: int) -> str:
    """Such as explained-5-dog-03.png, for the sweep's size of that number."""
    return f"{_stem(explanation, picture)}-{number:02}.png"


def object_name(explanation: TargetExplanation, kind: str) -> str:
    """Such as secondary_capture-5-dog.dcm."""
    return f"{_stem(explanation, kind)}.dcm"


def animation_name(explanation: TargetExplanation) -> str:
    """Such as animation-5-dog.webp."""
    return f"{_stem(explanation, 'animation')}.webp"


def _stem(explanation: TargetExplanation, what: str) -> str:
    readable = re.sub(r"[^A-Za-z0-9]+", "_", explanation.target).strip("_")[:MAX_CLASS_CHARACTERS]
    return "-".join(part for part in (what, str(explanation.target_id), readable) if part)
