"""The step on a CUDA device as one recorded graph for each of a few batch sizes: no launches to wait for."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from app.adversarial.aims import Aims
from app.engine.steps.bucketed import BucketedStep
from app.engine.steps.check import MAX_RELATIVE_ERROR, require_same
from app.engine.steps.eager import EagerStep, eager
from app.errors import StepUnavailable

BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
MAX_BFLOAT16_ERROR = 0.05  # eight bits of mantissa leave 2**-9 an operation

Record = Callable[[Callable[[], None]], Callable[[], None]]
"""From work on fixed memory to what does that work again."""

_WARM_UPS = 3  # before a recording, libraries choose their algorithms: torch's own recipe


def record_graph(work: Callable[[], None]) -> Callable[[], None]:
    """A CUDA graph of the work."""
    aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch forgot to
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(_WARM_UPS):
            work()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph.replay


def cuda_step(
    network: nn.Module,
    shape: Sequence[int],
    classes: int,
    *,
    device: torch.device,
    bfloat16: bool = False,
    buckets: Sequence[int] = BUCKETS,
    record: Record = record_graph,
) -> BucketedStep:
    """A step by graphs of a few batch sizes, recorded when first asked for or by `prepare`, each held to torch first.

    Args:
        network: on `device`, in evaluation mode.
        shape: of one image, (channels, height, width).
        classes: number of logits.
        device: where the network is.
        bfloat16: compute most of it in bfloat16, and allow for that.
        buckets: the batch sizes.
        record: how work is recorded.

    Raises:
        StepUnavailable: there is no such device. The step's methods raise it where what was recorded is wrong.
    """
    if record is record_graph and (device.type != "cuda" or not torch.cuda.is_available()):
        raise StepUnavailable("The cuda step needs a CUDA device, and the network is on none.")
    inner = EagerStep(_InBfloat16(network), channels_last=True) if bfloat16 else eager(network)

    def make(bucket: int) -> _RecordedStep:
        step = _RecordedStep(inner, torch.zeros(bucket, *shape, device=device), classes, record)
        allowed = MAX_BFLOAT16_ERROR if bfloat16 else MAX_RELATIVE_ERROR
        require_same(step, eager(network), shape, bucket, device=device, allowed=allowed)
        return step

    return BucketedStep(_RecordedStep.name, classes, buckets, make)


class _RecordedStep:
    """Two recordings on the same memory, for batches of one size."""

    name = "cuda"

    def __init__(self, inner: EagerStep, images: Tensor, classes: int, record: Record) -> None:
        self._inner = inner
        self._images = images
        self._aims = Aims.alike(
            torch.zeros(len(images), dtype=torch.int64, device=images.device), margin=False, classes=classes
        )
        self._forward = record(self._look)
        self._both = record(self._climb)

    def logits(self, images: Tensor) -> Tensor:
        self._images.copy_(images)
        self._forward()
        return self._logits

    def logits_and_gradient(self, images: Tensor, aims: Aims) -> tuple[Tensor, Tensor]:
        self._images.copy_(images)
        self._aims.label.copy_(aims.label)
        self._aims.margin.copy_(aims.margin)
        self._aims.rivals.copy_(aims.rivals)
        self._both()
        return self._logits_beside, self._gradient

    def _look(self) -> None:
        self._logits = self._inner.logits(self._images)

    def _climb(self) -> None:
        self._logits_beside, self._gradient = self._inner.logits_and_gradient(self._images, self._aims)


class _InBfloat16(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        with torch.autocast(images.device.type, torch.bfloat16):
            logits: Tensor = self.network(images)
        return logits.float()
