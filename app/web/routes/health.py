"""GET /healthz and /readyz."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from app.web.errors import NotReady
from app.web.openapi import problems
from app.web.parts import PartsHere

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """Requests are answered at full speed."""

    status: Literal["ready"] = "ready"


@router.get("/healthz", summary="Alive")
async def healthz() -> Health:
    """Answers as long as the process does, however busy the device is."""
    return Health()


@router.get("/readyz", summary="Ready: models loaded, the default one warm", responses=problems("not-ready"))
async def readyz(parts: PartsHere) -> Ready:
    """Answers 200 once the default model has made a prediction and an explanation."""
    if parts.readiness.fault is not None:
        raise NotReady(parts.readiness.fault)
    if not parts.readiness.warm:
        raise NotReady("The default model is being warmed up; ask again in a few seconds.")
    return Ready()
