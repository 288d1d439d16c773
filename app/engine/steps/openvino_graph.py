"""From a network to OpenVINO's compiled graphs, and those to bytes and back. Nothing else here knows OpenVINO.

Conversion is by OpenVINO's front end itself: `openvino.convert_model` would report each conversion to its makers.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, fx

from app.errors import StepUnavailable

try:
    import openvino  # type: ignore[import-untyped]  # it marks no types
    from openvino.frontend import FrontEndManager, OpConversionFailure  # type: ignore[import-untyped]  # as above
    from openvino.frontend.pytorch.fx_decoder import TorchFXPythonDecoder  # type: ignore[import-untyped]  # as above
except ImportError:  # an optional dependency
    openvino = None


class CompiledGraph:
    """One graph for batches of one size, with the memory that it works in."""

    def __init__(self, compiled: "openvino.CompiledModel") -> None:
        self._compiled = compiled
        self._request = compiled.create_infer_request()

    def __call__(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """The graph's outputs, which the next call overwrites."""
        out = self._request.infer([tensor.numpy() for tensor in tensors], share_inputs=True, share_outputs=True)
        return [torch.from_numpy(out[number]) for number in range(len(out))]

    def to_bytes(self) -> bytes:
        blob: bytes = self._compiled.export_model().getvalue()
        return blob


class OpenvinoCompiler:
    """OpenVINO on this machine's CPU.

    Args:
        threads: that one graph may use.

    Raises:
        StepUnavailable: openvino is not installed.
    """

    def __init__(self, threads: int) -> None:
        if openvino is None:
            raise StepUnavailable("The openvino step needs the package openvino, which is not installed.")
        self._core = openvino.Core()
        self._config = {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": "f32",
            "ENABLE_CPU_PINNING": False,  # two servers on one machine would be pinned to the same cores
        }

    def describe(self) -> str:
        """All but the graph that makes one compiled graph another: for the name it is kept under."""
        processor = [self._core.get_property("CPU", name) for name in ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES")]
        return f"{openvino.get_version()} {torch.__version__} {processor} {self._config}"

    def convert(self, graph: fx.GraphModule) -> "openvino.Model":
        """A traced graph in OpenVINO's operators.

        Raises:
            StepUnavailable: it has no rule for an operator; names it.
        """
        front_end = FrontEndManager().load_by_framework("pytorch")
        decoder = TorchFXPythonDecoder(graph)  # the front end holds no reference of its own
        try:
            return front_end.convert(front_end.load(decoder))
        except OpConversionFailure as error:
            why = str(error).strip().splitlines()[-1].removeprefix("-- ")
            raise StepUnavailable(f"openvino cannot take this network: {why}") from error

    def compile(self, model: "openvino.Model") -> CompiledGraph:
        """Ready to run, for batches of the size that was traced."""
        return CompiledGraph(self._core.compile_model(model, "CPU", self._config))

    def from_bytes(self, blob: bytes) -> CompiledGraph | None:
        """What `to_bytes` gave, or None where this version or machine cannot use it."""
        try:
            return CompiledGraph(self._core.import_model(blob, "CPU", self._config))
        except RuntimeError:
            return None


def first_answer(model: "openvino.Model") -> "openvino.Model":
    """The part of a model that its first output needs, as a function of its first input."""
    return openvino.Model(model.get_results()[:1], model.get_parameters()[:1], "first").clone()
