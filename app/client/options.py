"""What may be asked for; the server's documentation of each option holds, and its defaults where one is left out."""

from collections.abc import Sequence
from typing import Literal, TypedDict

Class = str | int
"""By its name or id, or one of the words `predicted`, `runner_up`, `all`."""


class PredictOptions(TypedDict, total=False):
    """Options of a prediction."""

    model: str
    top_k: int
    second_opinion: bool
    timeout_ms: int
    page: int
    frame: int
    window: tuple[float, float]
    region: tuple[int, int, int, int]


class ExplainOptions(PredictOptions, total=False):
    """Options of an explanation."""

    targets: Sequence[Class]
    against: Class
    direction: Literal["encourage", "discourage"]
    method: Literal["fast", "paper"]
    rho: float
    sweep: int | Sequence[float]
    steps: int
    heatmap: Literal["signed", "magnitude"]
    overlay: Literal["original", "grayscale", "none"]
    color_map: str
    scale: float | Literal["auto"]
    methods: Sequence[str]
    include: Sequence[str]
    picture_side: int
    tile: int | Literal["input"]
    tile_overlap: float
    seed: int
    partial: bool
    store: bool
    margin: bool
    quality: bool
    judge: str


class MarginOptions(PredictOptions, total=False):
    """Options of a margin, and of its certificate."""

    restarts: int
    certificate: bool
    sigma: float
    draws: int
    alpha: float
    seed: int
