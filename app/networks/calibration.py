"""What was found out on held-out images about a model, for the service to judge by: a part of model.json."""

from dataclasses import dataclass

from app.networks.fields import Fields

PERCENTILES = 101
"""Of held-out images: the smallest value, one for each percent, and the largest."""

_LARGEST = 1e9


@dataclass(frozen=True)
class DomainCalibration:
    """How far held-out images lie from the model's own, as `app.networks.domain` measures it.

    Attributes:
        threshold: of the score, above which an image is called unlike the model's own.
        percentiles: of the held-out images' scores, rising, `PERCENTILES` of them.
        sha256: of the file with the domain's numbers, hexadecimal.
    """

    threshold: float
    percentiles: tuple[float, ...]
    sha256: str


@dataclass(frozen=True)
class GainCalibration:
    """How far explanations of held-out images move a probability for their size.

    Each is what 95 in a hundred of them reach or pass: probability moved as asked for, over the RMS of the change,
    measured on the explained picture, clamped and rounded to 8 bits.

    Attributes:
        rho: RMS of these explanations.
        encourage_predicted, discourage_predicted: of the class that the image is read as.
        encourage_other, discourage_other: of the second most probable class.
    """

    rho: float
    encourage_predicted: float
    encourage_other: float
    discourage_predicted: float
    discourage_other: float

    def least_usual(self, direction: str, *, predicted: bool) -> float:
        """The one for an explanation in this direction, encourage or discourage."""
        if direction == "encourage":
            return self.encourage_predicted if predicted else self.encourage_other
        return self.discourage_predicted if predicted else self.discourage_other


@dataclass(frozen=True)
class StabilityCalibration:
    """How explanations of held-out images change under noise that nobody sees, as `app.comparison.stability` has it.

    Attributes:
        rho: RMS of these explanations.
        most_usual_sensitivity: max-sensitivity that 95 in a hundred of them do not pass.
        least_usual_rank_correlation: with maps of the image under Gaussian noise, which 95 in a hundred reach.
    """

    rho: float
    most_usual_sensitivity: float
    least_usual_rank_correlation: float


@dataclass(frozen=True)
class Calibration:
    """What the service judges by; None where it was not measured."""

    domain: DomainCalibration | None = None
    gain: GainCalibration | None = None
    stability: StabilityCalibration | None = None


def read_calibration(fields: Fields) -> Calibration:
    """The member of model.json; raises `CheckpointError` as `Fields` does."""
    calibration = Calibration(
        domain=_domain(fields.nested("domain")) if fields.has("domain") else None,
        gain=_gain(fields.nested("gain")) if fields.has("gain") else None,
        stability=_stability(fields.nested("stability")) if fields.has("stability") else None,
    )
    fields.done()
    return calibration


def _domain(fields: Fields) -> DomainCalibration:
    domain = DomainCalibration(
        threshold=fields.positive("threshold", _LARGEST),
        percentiles=_percentiles(fields),
        sha256=fields.text("sha256", "64 hexadecimal digits", is_sha256),
    )
    fields.done()
    return domain


def _gain(fields: Fields) -> GainCalibration:
    gain = GainCalibration(
        rho=fields.positive("rho", 1),
        encourage_predicted=fields.number("encourage_predicted", -_LARGEST, _LARGEST),
        encourage_other=fields.number("encourage_other", -_LARGEST, _LARGEST),
        discourage_predicted=fields.number("discourage_predicted", -_LARGEST, _LARGEST),
        discourage_other=fields.number("discourage_other", -_LARGEST, _LARGEST),
    )
    fields.done()
    return gain


def _stability(fields: Fields) -> StabilityCalibration:
    stability = StabilityCalibration(
        rho=fields.positive("rho", 1),
        most_usual_sensitivity=fields.positive("most_usual_sensitivity", _LARGEST),
        least_usual_rank_correlation=fields.number("least_usual_rank_correlation", -1, 1),
    )
    fields.done()
    return stability


def _percentiles(fields: Fields) -> tuple[float, ...]:
    values = fields.numbers("percentiles", PERCENTILES, lowest=-_LARGEST, highest=_LARGEST)
    if list(values) != sorted(values):
        fields.fail("percentiles", values, "rising numbers")
    return values


def is_sha256(text: str) -> bool:
    """Whether a text may be a SHA-256 in hexadecimal."""
    return len(text) == 64 and set(text) <= set("0123456789abcdef")
