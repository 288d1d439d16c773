"""The quickest step that computes what torch computes, on the device where the network is."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, get_args

import structlog
import torch
from torch import nn

from app.engine.steps.bucketed import BucketedStep
from app.engine.steps.cuda import cuda_step
from app.engine.steps.eager import eager
from app.engine.steps.openvino import openvino_step
from app.engine.steps.protocol import GradientStep
from app.errors import StepUnavailable

Backend = Literal["auto", "eager", "openvino", "cuda"]
"""A back end by its name, or "auto" for the best of the device."""

BACKENDS: tuple[Backend, ...] = get_args(Backend)

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("aex")


def choose_step(
    network: nn.Module,
    shape: Sequence[int],
    classes: int,
    *,
    threads: int,
    device: torch.device | str = "cpu",
    cache: Path | None = None,
    wanted: Backend = "auto",
    model: str = "",
) -> GradientStep:
    """The back end asked for; torch's own, with a line in the log that says why, where that cannot be had.

    The step is ready: compiled, and held to torch, for every batch size, which takes seconds where nothing was kept.

    Args:
        network: on `device`, in evaluation mode.
        shape: of one image, (channels, height, width).
        classes: number of logits.
        threads: that a step may use on the CPU.
        device: where the network is.
        cache: folder that keeps compiled graphs between runs; None for none.
        wanted: the back end.
        model: its name, for the log.
    """
    device = torch.device(device)
    makers: dict[str, Callable[[], BucketedStep]] = {
        "openvino": lambda: openvino_step(network, shape, classes, threads=threads, cache=cache),
        "cuda": lambda: cuda_step(network, shape, classes, device=device),
    }
    name = wanted
    if wanted == "auto":
        name = "cuda" if device.type == "cuda" else "openvino"
    if name not in makers:
        return eager(network)
    try:
        step = makers[name]()
        step.prepare()
    except StepUnavailable as error:
        _log.warning("step_fallback", model=model, wanted=name, used="eager", reason=str(error))
        return eager(network)
    _log.info("step_ready", model=model, used=step.name, buckets=step.buckets)
    return step
