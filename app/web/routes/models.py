"""GET /v1/models, /v1/models/{name} and /v1/models/{name}/card."""

from typing import Any

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, Field
from starlette.responses import Response

from app.networks.checkpoint import CARD, Checkpoint
from app.service.catalogue import Catalogue
from app.web.openapi import problems
from app.web.parts import PartsHere
from app.web.schemas.facts import InputSize

router = APIRouter(tags=["models"])


class ExplanationDefaults(BaseModel):
    """What an explanation has unless a request says otherwise."""

    rho: float = Field(description="RMS size of the change, pixels in [0, 1]")
    scale: float = Field(description="pixel level at the end of the heatmap's colour bar")


class ModelSummary(BaseModel):
    """A model that can be asked."""

    name: str
    default: bool
    weights_sha256: str
    input: InputSize
    class_count: int = Field(description="how many classes it tells apart")


class ModelCard(ModelSummary):
    """Everything that is known of a model."""

    classes: list[str] = Field(description="their names, by class id")
    explanation: ExplanationDefaults
    source: str = Field(description="where the weights come from, and under which licence")
    twin: str | None = Field(description="the model that gives a second opinion, null where it names none")
    training: dict[str, Any] | None = Field(description="the recipe it was trained with, null where it is not known")
    scores: dict[str, Any] = Field(description="what was measured of it, empty where nothing was")


class ModelList(BaseModel):
    """All models that can be asked."""

    models: list[ModelSummary]


@router.get("/v1/models", summary="What is served")
async def list_models(parts: PartsHere) -> ModelList:
    """All models that can be asked, by name."""
    catalogue = parts.catalogue
    return ModelList(models=[ModelSummary(**_summary(catalogue, catalogue.get(name))) for name in catalogue.names()])


@router.get("/v1/models/{name}", summary="What is known of a model", responses=problems("unknown-model"))
async def show_model(name: str, parts: PartsHere) -> ModelCard:
    """A model's classes, sizes, training and scores."""
    checkpoint = parts.catalogue.get(name)
    description = checkpoint.description
    defaults = description.explanation
    return ModelCard(
        **_summary(parts.catalogue, checkpoint),
        classes=list(description.classes),
        explanation=ExplanationDefaults(rho=defaults.rho, scale=defaults.scale),
        source=description.source,
        twin=description.twin,
        training=None if description.training is None else dict(description.training),
        scores=dict(description.scores),
    )


@router.get(
    "/v1/models/{name}/card",
    summary="A model's card, for people",
    response_class=Response,
    responses={200: {"content": {"text/markdown": {"schema": {"type": "string"}}}}, **problems("unknown-model")},
)
async def show_card(name: str, parts: PartsHere) -> Response:
    """The model's CARD.md."""
    file = parts.catalogue.get(name).folder / CARD
    try:
        card = await parts.workers.run(file.read_bytes)
    except FileNotFoundError:
        raise HTTPException(404) from None
    return Response(card, media_type="text/markdown")


def _summary(catalogue: Catalogue, checkpoint: Checkpoint) -> dict[str, Any]:
    description, size = checkpoint.description, checkpoint.description.input
    return {
        "name": checkpoint.name,
        "default": checkpoint.name == catalogue.default,
        "weights_sha256": checkpoint.weights_sha256,
        "input": InputSize(height=size.height, width=size.width, channels=size.channels, fit=size.fit),
        "class_count": len(description.classes),
    }
