"""Numbers in words, for readers who do not read JSON."""

from collections.abc import Iterator, Sequence

from app.service.options import ExplainOptions, Heatmap, Overlay
from app.service.results.explanation import TargetExplanation
from app.service.results.facts import ClassProbability, DrawnPicture, ImageFacts, ModelFacts, SecondOpinion
from app.service.results.quality import ExplanationQuality, Level, Verdict

LIMITS = (
    "The change shows what this network responds to. It does not show what is true of what is pictured, nor that one is"
    " the cause of the other.",
    "An explanation is only as good as its network is robust: of a network that is not, the smallest changes look like"
    " noise, whatever the picture shows. What was measured of this one stands under The model.",
    "The search follows gradients and finds one change of the size asked for; there are others, and perhaps stronger"
    " ones.",
    "The network sees the image at its own input size, so details finer than its pixels are neither seen nor explained."
    " A signed heatmap is the mean over the colours: where one colour rises as another falls, it shows little.",
    "Probabilities are the network's own. They say how sure it is, not how often it is right.",
    "Images can be made to deceive: a change too small to see can move a prediction, an explanation, or both.",
)

_ROLES = {
    "predicted": "the class it was read as",
    "runner_up": "the second most probable class",
    "named": "a class asked for",
}
_LEVELS: dict[Level, str] = {
    "high": "All that was measured speaks for it.",
    "low": "With care.",
    "abstain": "No: read nothing from it.",
}
_FITS = {
    "stretch": "stretched to the input's shape",
    "letterbox": "fitted whole, with bars at the edges",
    "center_crop": "cropped to its middle; the edges are not seen",
}
_HEATMAPS: dict[Heatmap, str] = {"signed": "signed, mean of the colours", "magnitude": "size, RMS of the colours"}
_OVERLAYS: dict[Overlay, str] = {"original": "on the image", "grayscale": "on the image in grey", "none": "alone"}


def printable(text: str) -> str:
    """Names and paragraphs as they may stand on a page, in one line; what cannot be shown is marked as such."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in " ".join(text.split()))


def percent(probability: float) -> str:
    """A probability to a tenth of a percent; one that is only nearly 0 or 1 does not look like it is."""
    if 0 < probability < 0.0005:
        return "under 0.1%"
    if 0.9995 <= probability < 1:
        return "over 99.9%"
    return f"{100 * probability:.1f}%"


def title_of(one: TargetExplanation) -> str:
    """What was searched for, as a heading."""
    contrast = "" if one.against is None else f", rather than {printable(one.against)}"
    return f"{'More' if one.direction == 'encourage' else 'Less'} of {printable(one.target)}{contrast}"


def wish(one: TargetExplanation) -> str:
    """What was searched for, as a sentence."""
    contrast = "" if one.against is None else f", rather than of {printable(one.against)}"
    more = "more" if one.direction == "encourage" else "less"
    return (
        f"To be {more} of {printable(one.target)}{contrast}, the image was changed by RMS {one.perturbation_rms:.4f}"
        " (of pixel levels from 0, black, to 1, white)."
    )


def outcome(one: TargetExplanation, read_as: str) -> str:
    """What came of it: the probability, the class, and whether it is to be relied on."""
    verb = "rises" if one.probability_after > one.probability_before else "falls"
    before, after = percent(one.probability_before), percent(one.probability_after)
    moved = f"{verb} from {before} to {after}" if before != after else f"stays at {after}"
    now = (
        f"read as {printable(one.changed_class_to)} in place of {printable(read_as)}"
        if one.changed_class_to is not None
        else f"still read as {printable(read_as)}"
    )
    sentences = [f"The probability of {printable(one.target)} {moved}, and the changed image is {now}."]
    if one.cut_short:
        sentences.append("The time was over before the search was: do not rely on it.")
    elif not one.converged:
        sentences.append("The search did not settle at the size asked for: do not rely on it.")
    elif not one.goal_met:
        sentences.append("The change did not move what it was meant to move: there is nothing to be read from it.")
    return " ".join(sentences)


def verdict_in_words(verdict: Verdict) -> str:
    """How far, and why."""
    return " ".join([_LEVELS[verdict.level], *(printable(reason.sentence) for reason in verdict.reasons)])


def quality_in_words(quality: ExplanationQuality) -> Iterator[tuple[str, str]]:
    """How good each map is, a row each, and what to compare it with."""
    for method, found in quality.methods.items():
        rank = found.repeat_rank_correlation_least
        yield (
            f"map by {method.replace('_', ' ')}",
            f"gain for a change of its kind {found.probability_gain_per_rms:.3g} for each unit of RMS; pixels deleted"
            f" {found.deletion_area:.3f}, inserted {found.insertion_area:.3f}; under noise it changes by up to"
            f" {found.max_sensitivity:.3f} of its size"
            + ("" if rank is None else f", and ranks correlate by {rank:.3f} or more"),
        )
    yield (
        "pixels in other orders",
        f"deleted {quality.random.deletion_area:.3f} at random, {quality.edges.deletion_area:.3f} edges first; inserted"
        f" {quality.random.insertion_area:.3f} and {quality.edges.insertion_area:.3f} (areas under the probability;"
        " deleted should be less, inserted more)",
    )


def second_in_words(second: SecondOpinion) -> str:
    """What the plain twin says."""
    best = second.prediction.best
    agrees = "agrees" if second.agrees else "disagrees"
    return (
        f"Its plain twin {second.model.name} {agrees}: it reads {printable(best.name)} ({percent(best.probability)})."
    )


def role_in_words(role: str) -> str:
    """Why this class."""
    return _ROLES.get(role, role)


def fit_in_words(fit: str) -> str:
    """How an image meets the network."""
    return _FITS.get(fit, fit)


def heatmap_in_words(options: ExplainOptions) -> str:
    """What is drawn, and on what."""
    return f"{_HEATMAPS[options.heatmap]}, {_OVERLAYS[options.overlay]}"


def seen_in_words(image: ImageFacts, model: ModelFacts) -> str:
    """The part of an image that the network saw, and at what size."""
    seen = image.seen
    whole = (seen.left, seen.top, seen.width, seen.height) == (0, 0, image.width, image.height)
    part = "all of it" if whole else f"{seen.width} x {seen.height} pixels from ({seen.left}, {seen.top})"
    return f"{part}, at {model.width} x {model.height} pixels"


def part_in_words(image: ImageFacts) -> str:
    """Which page, frame and window of the file was taken; "" where there was no choice."""
    said = []
    if (image.pages or 1) > 1:
        said.append(f"page {image.page} of {image.pages}")
    if (image.frames or 1) > 1:
        said.append(f"frame {image.frame} of {image.frames}")
    if image.window is not None:
        said.append(f"levels of a window at {image.window.center:g}, {image.window.width:g} wide")
    return ", ".join(said)


def ranked(classes: Sequence[ClassProbability]) -> str:
    """Classes with their probabilities."""
    return ", ".join(f"{printable(one.name)} ({percent(one.probability)})" for one in classes)


def caption(name: str, drawn: DrawnPicture, one: TargetExplanation) -> tuple[str, str]:
    """Title of a picture, and what is to be known of its colours."""
    target = printable(one.target)
    known = {
        "heatmap": ("Heatmap", f"where the image changed, and how much; the bar ends at {drawn.scale or 0:.3g}"),
        "perturbation": ("The change itself", f"around mid-grey, multiplied by {drawn.gain or 0:.3g}"),
        "explained": ("The changed image", f"probability of {target}: {percent(one.probability_after)}"),
        "film_strip": ("At rising sizes", "the changed image at each size of the sweep, from left to right"),
        "curve": ("At rising sizes", f"probability of {target} by the size of the change"),
    }
    if name in known:
        return known[name]
    if name.endswith("_heatmap"):
        method = name.removesuffix("_heatmap").replace("_", " ")
        return f"Beside it: {method}", "the same class by another method, drawn to the same size (RMS)"
    return "Further picture", name.replace("_", " ")
