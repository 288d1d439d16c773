"""How much change one image's answer withstands: what attacks find, and apart from it what can be promised."""

from math import inf

import torch

from app.adversarial.explain import probability_of
from app.adversarial.nearest import Nearest
from app.adversarial.robustness import robustness
from app.adversarial.sizes import l2_per_rms
from app.adversarial.smoothing import certify
from app.engine.asked_step import AskedStep
from app.engine.device import Place
from app.engine.steps.protocol import StepNetwork
from app.engine.token import WorkToken
from app.errors import DeadlineExceeded
from app.networks.checkpoint import Checkpoint
from app.networks.description import ModelDescription
from app.service.options import ExplainOptions, MarginOptions
from app.service.results.margin import RadiusCertificate, RobustnessMargin, SmallestChange
from app.service.standing import Goal, images_measured, percentile_of
from app.service.uploads import Upload


def margin_of(
    place: Place, upload: Upload, class_id: int, options: MarginOptions, checkpoint: Checkpoint, token: WorkToken
) -> RobustnessMargin:
    """The smallest changes found that take `class_id`, which is what the image is read as, away.

    Args:
        place: of the request; the search shares it with others, pass by pass.
        upload: the image; what the network sees of it is changed, and not a letterbox's bars.
        class_id: the prediction.
        options: of the search.
        checkpoint: of the model.
        token: asked before every pass.
    """
    description, step = checkpoint.description, AskedStep(place, token, upload.changeable())
    network = StepNetwork(step, len(description.classes))
    label, random = torch.tensor([class_id]), torch.Generator().manual_seed(options.seed)
    found = robustness(network, upload.fitted[None], label, restarts=options.restarts, random=random)
    flip = _smallest(found.flip, class_id, "flip", description)
    chance = _smallest(found.chance, class_id, "chance", description)
    test_images = images_measured(description)
    return RobustnessMargin(
        flip=flip,
        chance=chance,
        chance_probability=1 / len(description.classes),
        test_images=test_images,
        restarts=options.restarts,
        gradient_evaluations=step.gradient_evaluations,
        says=_margin_says(flip, test_images),
    )


def certificate_of(
    place: Place, upload: Upload, class_id: int, options: MarginOptions, checkpoint: Checkpoint, token: WorkToken
) -> RadiusCertificate:
    """What randomized smoothing promises at the image; the arguments are those of `margin_of`."""
    smoothing, classes = options.smoothing, checkpoint.description.classes
    found = certify(
        AskedStep(place, token).logits,
        upload.fitted,
        smoothing,
        random=torch.Generator().manual_seed(options.seed),
        rows_at_once=place.rows_at_once,
    )
    name = classes[found.class_id] if found.class_id >= 0 else None
    radius_rms = None if found.radius_l2 is None else found.radius_l2 / l2_per_rms(*upload.fitted.shape)
    whose = (
        "the smoothed classifier, which answers what the network most often reads in the image with normal noise of"
        f" {smoothing.sigma:g} on it; it says nothing of the network without noise."
    )
    if found.radius_l2 is None:
        says = f"It abstains: no class has more than half for certain. It would be of {whose}"
    else:
        size = f"L2 {found.radius_l2:.4g}, RMS {radius_rms:.4g},"
        confidence = f"{1 - smoothing.alpha:.6g}"
        says = f"With confidence {confidence}, no change below {size} changes the answer {name} of {whose}"
    return RadiusCertificate(
        abstains=found.radius_l2 is None,
        smoothed_class=name,
        smoothed_class_id=found.class_id if found.class_id >= 0 else None,
        agrees=found.class_id == class_id,
        probability_at_least=found.probability_at_least,
        radius_l2=found.radius_l2,
        radius_rms=radius_rms,
        sigma=smoothing.sigma,
        draws=smoothing.draws,
        alpha=smoothing.alpha,
        says=says,
    )


def _smallest(found: Nearest, class_id: int, goal: Goal, description: ModelDescription) -> SmallestChange:
    """Of a batch of one."""
    met, tried_rms = bool(found.goal_met), float(found.largest_rms_tried)
    size_rms, after = float(found.perturbation_rms), int(found.logits.argmax(1))
    changed = met and after != class_id
    return SmallestChange(
        found=met,
        perturbation_rms=size_rms if met else None,
        perturbation_l2=float(found.perturbation_l2) if met else None,
        probability_after=float(probability_of(found.logits, torch.tensor([class_id]))) if met else None,
        changed_class_to=description.classes[after] if changed else None,
        changed_class_id=after if changed else None,
        largest_rms_tried=tried_rms,
        largest_l2_tried=tried_rms * l2_per_rms(*found.images.shape[1:]),
        percentile=percentile_of(description, goal, size_rms if met else inf),
    )


def _margin_says(flip: SmallestChange, test_images: int | None) -> str:
    if flip.found:
        size = f"RMS {flip.perturbation_rms:.4g}, L2 {flip.perturbation_l2:.4g}"
        says = f"The smallest change found that flips the class has {size}; it becomes {flip.changed_class_to}."
    else:
        size = f"RMS {flip.largest_rms_tried:.4g}, L2 {flip.largest_l2_tried:.4g}"
        says = f"Not flipped by any change tried, up to {size}; that is no proof that none does."
    if test_images is None or flip.percentile is None:
        return f"{says} The model's measures do not say how that compares: aex evaluate --only margins --record does."
    return f"{says} Of {test_images} test images, {flip.percentile:.0f}% flip at a smaller one."


def margin_beside(
    place: Place,
    upload: Upload,
    class_id: int,
    options: ExplainOptions,
    checkpoint: Checkpoint,
    token: WorkToken,
) -> RobustnessMargin | None:
    """The margin that an explanation was asked for with; left out where the time was over, and partial asked for."""
    if not options.margin:
        return None
    try:
        return margin_of(place, upload, class_id, MarginOptions(seed=options.seed), checkpoint, token)
    except DeadlineExceeded:
        if options.partial:
            return None
        raise
