"""The step as one inference graph on the CPU, by OpenVINO: both of torch's passes at about half their time."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from app.adversarial.aims import Aims
from app.engine.steps.blobs import Blobs, weights_sha256
from app.engine.steps.bucketed import BucketedStep
from app.engine.steps.check import require_same
from app.engine.steps.eager import eager
from app.engine.steps.gradient_graph import gradient_graph
from app.engine.steps.openvino_graph import CompiledGraph, OpenvinoCompiler, first_answer
from app.errors import StepUnavailable

BUCKETS = (1, 2, 4, 16)
"""A row costs no less in a larger batch (ResNet-44, one thread: 5.2 ms in batches of 4 and 16, 6.6 ms in 64)."""


def openvino_step(
    network: nn.Module,
    shape: Sequence[int],
    classes: int,
    *,
    threads: int,
    buckets: Sequence[int] = BUCKETS,
    cache: Path | None = None,
) -> BucketedStep:
    """A step by graphs of a few batch sizes, made when first asked for or by `prepare`, and each held to torch first.

    Args:
        network: in evaluation mode, float32, on the CPU.
        shape: of one image, (channels, height, width).
        classes: number of logits.
        threads: that a step may use.
        buckets: the batch sizes that are compiled.
        cache: folder that keeps compiled graphs between runs; None for none.

    Raises:
        StepUnavailable: openvino is not installed, or the network is not of that kind. The step's methods raise it
            where an operator has no rule, or what was compiled is wrong.
    """
    _require_suitable(network)
    maker = _Maker(network, tuple(shape), classes, OpenvinoCompiler(threads), Blobs(cache))
    return BucketedStep(_FixedStep.name, classes, buckets, maker.make)


class _FixedStep:
    """Two graphs for batches of one size."""

    name = "openvino"

    def __init__(self, both: CompiledGraph, logits: CompiledGraph) -> None:
        self._both = both
        self._logits = logits

    def logits(self, images: Tensor) -> Tensor:
        return self._logits([images])[0]

    def logits_and_gradient(self, images: Tensor, aims: Aims) -> tuple[Tensor, Tensor]:
        logits, gradient = self._both([images, aims.label, aims.margin, aims.rivals])
        return logits, gradient


class _Maker:
    """Makes the graphs of one network, or finds those that an earlier run left."""

    def __init__(
        self, network: nn.Module, shape: tuple[int, ...], classes: int, compiler: OpenvinoCompiler, blobs: Blobs
    ) -> None:
        self._network = network
        self._shape = shape
        self._classes = classes
        self._compiler = compiler
        self._blobs = blobs
        self._identity = f"{weights_sha256(network)} {shape} {classes} {compiler.describe()}"

    def make(self, bucket: int) -> _FixedStep:
        return self._kept(bucket) or self._made(bucket)

    def _kept(self, bucket: int) -> _FixedStep | None:
        blobs = [self._blobs.get(name) for name in self._file_names(bucket)]
        graphs = [self._compiler.from_bytes(blob) for blob in blobs if blob is not None]
        both, logits = graphs if len(graphs) == 2 else (None, None)
        if both is None or logits is None:
            return None
        step = _FixedStep(both, logits)
        try:
            self._require_right(step, bucket)
        except (StepUnavailable, RuntimeError):
            return None  # another network's, or of a version that did it otherwise: made anew
        return step

    def _made(self, bucket: int) -> _FixedStep:
        graph = gradient_graph(self._network, torch.zeros(bucket, *self._shape), self._classes)
        model = self._compiler.convert(graph)
        both, logits = self._compiler.compile(model), self._compiler.compile(first_answer(model))
        step = _FixedStep(both, logits)
        self._require_right(step, bucket)
        for name, made in zip(self._file_names(bucket), (both, logits), strict=True):
            self._blobs.put(name, made.to_bytes())
        return step

    def _require_right(self, step: _FixedStep, bucket: int) -> None:
        require_same(step, eager(self._network), self._shape, bucket)

    def _file_names(self, bucket: int) -> tuple[str, str]:
        digest = hashlib.sha256(f"{self._identity} {bucket}".encode()).hexdigest()
        return f"{digest}.both", f"{digest}.logits"


def _require_suitable(network: nn.Module) -> None:
    tensors = [*network.parameters(), *network.buffers()]
    if any(tensor.device.type != "cpu" for tensor in tensors):
        raise StepUnavailable("The openvino step computes on the CPU, and this network is elsewhere.")
    if any(tensor.is_floating_point() and tensor.dtype != torch.float32 for tensor in tensors):
        raise StepUnavailable("The openvino step computes in float32, and this network does not.")
    if network.training:
        raise StepUnavailable("The openvino step is for networks in evaluation mode, and this one is being trained.")
