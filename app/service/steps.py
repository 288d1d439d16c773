"""How the gradients of served models are computed: by the quickest back end that computes what torch does."""

from pathlib import Path

from app.engine.steps.choose import Backend, choose_step
from app.engine.steps.protocol import GradientStep
from app.networks.checkpoint import Checkpoint
from app.service.catalogue import MakeStep


def step_maker(wanted: Backend, *, threads: int, cache: Path | None) -> MakeStep:
    """For `Catalogue.quicken`; the arguments are those of `choose_step`."""

    def make(checkpoint: Checkpoint) -> GradientStep:
        return choose_step(
            checkpoint.network,
            checkpoint.shape,
            len(checkpoint.description.classes),
            threads=threads,
            device=checkpoint.device,
            cache=cache,
            wanted=wanted,
            model=checkpoint.name,
        )

    return make
