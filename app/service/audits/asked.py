"""Attacks on the explanations of one image, made through the engine: others' steps go between any two of theirs."""

from collections.abc import Callable, Iterator

from torch import Tensor

from app.adversarial.aims import Aims
from app.adversarial.explain import fast_rows
from app.adversarial.rows import Rows
from app.adversarial.sizes import l2
from app.comparison.attribution import ExplainedBy
from app.comparison.audit import GRADIENTS_A_STEP, Climb, Goal, audit
from app.engine.asked_network import AskedNetwork
from app.engine.device import Place
from app.engine.token import WorkToken
from app.errors import OptionError
from app.networks.checkpoint import Checkpoint
from app.service.audits.attacks import MethodAudit, climb_of
from app.service.audits.pictures import draw_audit
from app.service.explaining.asked_methods import asked_explanation, asked_method
from app.service.options import ADVERSARIAL, AuditOptions
from app.service.results.audit import ExplanationAudit


def audit_image(
    place: Place, checkpoint: Checkpoint, image: Tensor, options: AuditOptions, token: WorkToken
) -> Iterator[MethodAudit]:
    """Attack each method's explanation of one image for each goal, as `audit_model` does.

    Args:
        place: of the model's, in the engine.
        checkpoint: the model.
        image: (channels, height, width), multiples of 1/255 in [0, 1], on the CPU.
        options: methods, goals, and how hard it is tried.
        token: asked before every step.

    Raises:
        OptionError: the network has nothing that a method reads, such as a last feature map.
        NotFinite, Cancelled, DeadlineExceeded: as of an explanation.
    """
    network = AskedNetwork(checkpoint.network, place, token)
    for method in dict.fromkeys(options.methods):
        climb = place.call(lambda method=method: climb_of(checkpoint, method), token)  # type: ignore[misc]
        if climb is None:
            raise OptionError(
                f"{method} reads the last feature map, and {checkpoint.name} has none; choose another method."
            )
        explained_by = _explained_by(place, checkpoint, method, token)
        for goal in dict.fromkeys(options.goals):
            asked = _AskedClimb(climb, place, token)
            found = audit(network, explained_by, asked, image[None], goal, options.attack)
            yield MethodAudit(checkpoint.name, method, goal, found)


class _AskedClimb:
    """A climb whose every step is a call on the device's thread; tensors are on the CPU."""

    def __init__(self, climb: Climb, place: Place, token: WorkToken) -> None:
        self._climb, self._place, self._token = climb, place, token

    def pattern(self, images: Tensor, label: Tensor) -> Tensor:
        device = self._place.model.device
        return self._called(lambda: self._climb.pattern(images.to(device), label.to(device)), len(images))

    def slope(self, at: Tensor, label: Tensor, wanted: Tensor, goal: Goal) -> Tensor:
        device = self._place.model.device
        return self._called(
            lambda: self._climb.slope(at.to(device), label.to(device), wanted.to(device), goal), len(at)
        )

    def _called(self, work: Callable[[], Tensor], rows: int) -> Tensor:
        return self._place.call(lambda: work().cpu(), self._token, rows=GRADIENTS_A_STEP * rows)


def _explained_by(place: Place, checkpoint: Checkpoint, name: str, token: WorkToken) -> ExplainedBy:
    if name != ADVERSARIAL:
        method = asked_method(place, checkpoint.network, name, token)
        return lambda images, target: method(images, target).map
    classes, rho = len(checkpoint.description.classes), checkpoint.description.explanation.rho

    def rows(target: Tensor) -> tuple[Rows, Aims]:
        return fast_rows(target, direction="encourage", rho=rho), Aims.alike(target, margin=False, classes=classes)

    return asked_explanation(place, rows, token)


def audited(picture: Tensor, attack: MethodAudit, checkpoint: Checkpoint) -> ExplanationAudit:
    """What one attack on one image (channels, height, width) came to."""
    audit, classes = attack.audit, checkpoint.description.classes
    found, before, after = bool(audit.found), int(audit.class_before), int(audit.class_after)

    def said(figure: Tensor) -> float | None:
        return float(figure) if found and figure.isfinite() else None

    return ExplanationAudit(
        method=attack.method,
        goal=attack.goal,
        found=found,
        rank_correlation=said(audit.spearman),
        ssim=said(audit.ssim),
        center_distance_pixels=said(audit.center_distance),
        perturbation_rms=said(audit.perturbation_rms),
        perturbation_l2=said(l2(audit.pictures - picture)),
        class_before=classes[before],
        class_before_id=before,
        class_after=classes[after] if found else None,
        class_after_id=after if found else None,
        pictures=draw_audit(picture, attack.method, audit),
    )
