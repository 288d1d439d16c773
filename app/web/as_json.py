"""How a result becomes the JSON of an answer."""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from app.images.animation import AnimatedPicture
from app.service.progress import Started
from app.service.results import audit, explanation, facts, margin, quality
from app.web.file_names import (
    ORIGINAL,
    SHEET_FILE,
    animation_name,
    attacked_name,
    audit_picture_name,
    object_name,
    picture_name,
    sweep_picture_name,
)
from app.web.media_types import DICOM, PNG, WEBP
from app.web.schemas.audit import AuditAnswer, ExplanationAudit, ModelAudit
from app.web.schemas.explanation import (
    Animation,
    DicomObject,
    ExplainedTile,
    Explanation,
    ExplanationAnswer,
    StoredObject,
    SweepPoint,
)
from app.web.schemas.facts import (
    ClassProbability,
    Image,
    InDistribution,
    InputSize,
    Model,
    Picture,
    Prediction,
    PredictionAnswer,
    Region,
    SecondOpinion,
)
from app.web.schemas.margin import Certificate, Margin, MarginAnswer
from app.web.schemas.quality import AgreementTable, JudgeReading, MethodCost, Quality, Verdict

_Result = facts.PredictResult | explanation.ExplainResult | margin.MarginResult


def prediction_answer(result: facts.PredictResult) -> dict[str, Any]:
    """A prediction as plain JSON values."""
    answer = PredictionAnswer(
        **_common(result),
        in_distribution=_in_distribution(result.in_distribution),
        second_opinion=_second_opinion(result.second_opinion),
    )
    return answer.model_dump(by_alias=True)


def margin_answer(result: margin.MarginResult) -> dict[str, Any]:
    """A robustness margin as plain JSON values."""
    certificate = None if result.certificate is None else Certificate.model_validate(asdict(result.certificate))
    answer = MarginAnswer(**_common(result), margin=_margin(result.margin), certificate=certificate)
    return answer.model_dump(by_alias=True)


def _margin(measured: margin.RobustnessMargin) -> Margin:
    return Margin.model_validate(asdict(measured))


def explanation_answer(result: explanation.ExplainResult, *, embed: bool = True) -> dict[str, Any]:
    """An explanation as plain JSON values, its pictures and arrays within (`embed`) or named as files beside it."""
    arrays = in_base64(result.arrays_npz) if embed and result.arrays_npz is not None else None
    explanations = [_explanation(one, embed=embed) for one in result.explanations]
    original = None if result.original is None else _picture(result.original, ORIGINAL, embed=embed)
    sheet = None if result.sheet is None else _picture(result.sheet, SHEET_FILE, embed=embed)
    kept_until = None if result.kept_until is None else _utc(result.kept_until)
    answer = ExplanationAnswer(
        **_common(result),
        second_opinion=_second_opinion(result.second_opinion),
        in_distribution=_in_distribution(result.in_distribution),
        explanations=explanations,
        margin=None if result.margin is None else _margin(result.margin),
        original=original,
        sheet=sheet,
        arrays=arrays,
        kept_until=kept_until,
        stored=[StoredObject.model_validate(asdict(one)) for one in result.stored],
    )
    return answer.model_dump(by_alias=True)


def audit_answer(result: audit.AuditResult, *, embed: bool = True) -> dict[str, Any]:
    """An audit as plain JSON values, its pictures within (`embed`) or named as files beside it."""
    models = [_model_audit(one, embed=embed) for one in result.models]
    answer = AuditAnswer(**facts_of(result), models=models, timing_ms=_rounded(result.timing_ms))
    return answer.model_dump(by_alias=True)


def facts_of(result: facts.Result | Started) -> Mapping[str, Any]:
    """Id, time, model and image of an answer, as its fields."""
    return {
        "id": result.id,
        "created": _utc(result.created),
        "model": _model(result.model),
        "image": Image.model_validate(asdict(result.image)),
    }


def _model(model: facts.ModelFacts) -> Model:
    size = InputSize(height=model.height, width=model.width, channels=model.channels, fit=model.fit)
    return Model(name=model.name, weights_sha256=model.weights_sha256, input=size)


def _second_opinion(second: facts.SecondOpinion | None) -> SecondOpinion | None:
    if second is None:
        return None
    prediction = prediction_field(second.prediction)
    return SecondOpinion(model=_model(second.model), prediction=prediction, agrees=second.agrees)


def prediction_field(prediction: facts.Prediction) -> Prediction:
    """The prediction, as an answer's field."""
    best = prediction.best
    return Prediction(
        class_name=best.name,
        class_id=best.class_id,
        probability=best.probability,
        top=_top(prediction.top),
    )


def _top(classes: Iterable[facts.ClassProbability]) -> list[ClassProbability]:
    return [
        ClassProbability(class_name=one.name, class_id=one.class_id, probability=one.probability) for one in classes
    ]


def _in_distribution(known: facts.InDistribution | None) -> InDistribution | None:
    return None if known is None else InDistribution.model_validate(asdict(known))


def _common(result: _Result) -> Mapping[str, Any]:
    timing_ms = _rounded(result.timing_ms)
    return {**facts_of(result), "prediction": prediction_field(result.prediction), "timing_ms": timing_ms}


def _rounded(timing_ms: Mapping[str, float]) -> dict[str, float]:
    return {part: round(milliseconds, 3) for part, milliseconds in timing_ms.items()}


def _model_audit(one: audit.ModelAudit, *, embed: bool) -> ModelAudit:
    audits = []
    for attack in one.audits:
        names = {name: audit_picture_name(one, attack, name) for name in attack.pictures}
        said = {name: getattr(attack, name) for name in ExplanationAudit.model_fields if name != "pictures"}
        audits.append(ExplanationAudit(**said, pictures=_pictures(attack.pictures, names, embed=embed)))
    return ModelAudit(
        model=_model(one.model),
        prediction=prediction_field(one.prediction),
        image=_picture(one.image, attacked_name(one), embed=embed),
        audits=audits,
    )


def _explanation(one: explanation.TargetExplanation, *, embed: bool) -> Explanation:
    sweep = []
    for number, point in enumerate(one.sweep):
        names = {name: sweep_picture_name(one, name, number) for name in point.pictures}
        pictures = _pictures(point.pictures, names, embed=embed)
        sweep.append(SweepPoint(**_said(point, SweepPoint), pictures=pictures))
    names = {name: picture_name(one, name) for name in one.pictures}
    return Explanation(
        **_said(one, Explanation),
        methods={name: MethodCost.model_validate(asdict(cost)) for name, cost in one.methods.items()},
        agreement=None if one.agreement is None else AgreementTable.model_validate(asdict(one.agreement)),
        pictures=_pictures(one.pictures, names, embed=embed),
        objects={
            kind: DicomObject(
                media_type=DICOM,
                data=in_base64(content) if embed else None,
                file=None if embed else object_name(one, kind),
            )
            for kind, content in one.objects.items()
        },
        sweep=sweep,
        animation=None if one.animation is None else _animation(one.animation, animation_name(one), embed=embed),
        quality=None if one.quality is None else Quality.model_validate(asdict(one.quality)),
        judge=None if one.judge is None else _judge(one.judge),
        verdict=None if one.verdict is None else Verdict.model_validate(asdict(one.verdict)),
        tiles=[_tile(tile) for tile in one.tiles],
        most_moved_tile=None if one.most_moved_tile is None else Region(**asdict(one.most_moved_tile.box)),
    )


def _tile(tile: explanation.ExplainedTile) -> ExplainedTile:
    return ExplainedTile(**{**asdict(tile), "predicted": _top([tile.predicted])[0]})


def _judge(read: quality.JudgeReading) -> JudgeReading:
    said = {name: getattr(read, name) for name in JudgeReading.model_fields if name != "model"}
    return JudgeReading(model=_model(read.model), **said)


def _said(one: explanation.TargetExplanation, answer: type[BaseModel]) -> Mapping[str, Any]:
    """What an explanation and a point of its sweep both say."""
    built = {"methods", "agreement", "top_after", "pictures", "objects", "sweep", "animation"}
    built |= {"quality", "judge", "verdict", "tiles", "most_moved_tile"}
    plain = {name: getattr(one, name) for name in answer.model_fields if name not in built}
    return {**plain, "top_after": _top(one.top_after)}


def _pictures(
    drawn: Mapping[str, facts.DrawnPicture], file_names: Mapping[str, str], *, embed: bool
) -> dict[str, Picture]:
    return {name: _picture(picture, file_names[name], embed=embed) for name, picture in drawn.items()}


def _animation(film: AnimatedPicture, file: str, *, embed: bool) -> Animation:
    return Animation(
        media_type=WEBP,
        width=film.width,
        height=film.height,
        frames=film.frames,
        seconds=film.seconds,
        data=in_base64(film.webp) if embed else None,
        file=None if embed else file,
    )


def _picture(drawn: facts.DrawnPicture, file: str, *, embed: bool) -> Picture:
    return Picture(
        media_type=PNG,
        width=drawn.width,
        height=drawn.height,
        data=in_base64(drawn.png) if embed else None,
        file=None if embed else file,
        scale=drawn.scale,
        gain=drawn.gain,
        color_map=drawn.color_map,
        enlarged=drawn.enlarged,
    )


def in_base64(content: bytes) -> str:
    """Bytes as JSON holds them."""
    return base64.b64encode(content).decode("ascii")


def _utc(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
