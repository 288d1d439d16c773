"""What may be asked for, checked once: a bad value is an `OptionError` that says what would be right."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from app.adversarial.explain import FAST_STEPS, PAPER_STEPS, Direction
from app.adversarial.nearest import FLIP_EVALUATIONS
from app.adversarial.robustness import EVALUATIONS
from app.adversarial.smoothing import Smoothing
from app.comparison.audit import GRADIENTS_A_STEP, AttackOptions, Goal
from app.comparison.deletion import BASELINE_ORDERS, PASSES_OF_AN_ORDER
from app.comparison.methods import EXPECTED_GRADIENTS, METHODS
from app.comparison.stability import StabilityOptions
from app.errors import OptionError
from app.images.apart.object_facts import ObjectKind
from app.images.selection import Selection
from app.images.tiling import MAX_OVERLAP

Heatmap = Literal["signed", "magnitude"]
Overlay = Literal["original", "grayscale", "none"]
Picture = Literal["heatmap", "perturbation", "explained"]
SweepPicture = Literal["film_strip", "curve"]
Method = Literal["fast", "paper", "counterfactual"]

PICTURES: tuple[str, ...] = get_args(Picture)
SWEEP_PICTURES: tuple[str, ...] = get_args(SweepPicture)
OF_A_SWEEP = (*SWEEP_PICTURES, "animation", "sweep")
ORIGINAL, SHEET = "original", "sheet"
CAPTURE: ObjectKind = "secondary_capture"
OBJECTS: tuple[ObjectKind, ...] = get_args(ObjectKind)
REPORT = "report"
STORABLE = (*OBJECTS, REPORT)
INCLUDABLE = (*PICTURES, *OF_A_SWEEP, SHEET, ORIGINAL, "arrays", *STORABLE)
TARGET_WORDS = ("predicted", "runner_up", "all")
RIVAL_WORDS = ("predicted", "runner_up")
ADVERSARIAL = "adversarial"
COUNTERFACTUAL = "counterfactual"
METHOD_NAMES = (ADVERSARIAL, *METHODS)
GOALS: tuple[Goal, ...] = get_args(Goal)
LEAST_ATTACK_RMS = 0.001  # rounding to 8 bits is about as large
MAX_STEPS = 1000
MAX_RESTARTS = 20
MAX_DRAWS = 100_000
MAX_SIGMA = 10.0
MAX_PARTS = 1_000_000
DEFAULT_STEPS: Mapping[Method, int] = {"fast": FAST_STEPS, "paper": PAPER_STEPS, "counterfactual": FLIP_EVALUATIONS}
MAX_SCALE = 1.0
MAX_SIZE = 1.0
FEWEST_SIZES, MOST_SIZES = 2, 32
LEAST_PICTURE_SIDE, MOST_SIDE = 16, 65_535
INPUT = "input"
QUALITY_NOISE = StabilityOptions()
SWEPT_BEYOND = 2.0  # times rho, up to which a sweep of so many sizes goes


@dataclass(frozen=True)
class PredictOptions:
    """Options of a prediction.

    Attributes:
        model: name of the model, or None for the installation's default.
        top_k: how many classes to list, 0 for all.
        second_opinion: whether the model's twin is asked, too, where it names one.
        timeout_ms: milliseconds until the request is given up, or None for the installation's.
        page, frame, window, region: which part of the file, as in `Selection`.
    """

    model: str | None = None
    top_k: int = 5
    second_opinion: bool = True
    timeout_ms: int | None = None
    page: int | None = None
    frame: int | None = None
    window: tuple[float, float] | None = None
    region: tuple[int, int, int, int] | None = None

    def __post_init__(self) -> None:
        _within("top_k", self.top_k, 0, 1_000_000, "a number of classes, 0 for all")
        if self.timeout_ms is not None:
            _within("timeout_ms", self.timeout_ms, 1, 3_600_000, "milliseconds")
        for name, number in (("page", self.page), ("frame", self.frame)):
            if number is not None:
                _within(name, number, 1, MAX_PARTS, "a number")
        if self.window is not None and self.window[1] <= 0:
            raise OptionError(f"The window's width is {self.window[1]:g}; give center,width with a width above 0.")

        if self.region is not None and (min(self.region) < 0 or min(self.region[2:]) < 1):
            raise OptionError(f"region is {self.region}; give left,top,width,height in pixels, the last two above 0.")

    @property
    def selection(self) -> Selection:
        """The part of the file that is asked for."""
        return Selection(self.page, self.frame, self.window, self.region)


@dataclass(frozen=True)
class MarginOptions(PredictOptions):
    """Options of a robustness margin.

    Attributes:
        restarts: further searches, from random changes.
        certificate: whether to certify a radius, too.
        sigma, draws, alpha: of the certificate, as in `Smoothing`.
        seed: of the restarts and of the certificate's noise.
    """

    restarts: int = 0
    certificate: bool = False
    sigma: float = Smoothing.sigma
    draws: int = Smoothing.draws
    alpha: float = Smoothing.alpha
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        _within("restarts", self.restarts, 0, MAX_RESTARTS, "a number of searches")
        _within("draws", self.draws, 1, MAX_DRAWS, "a number of noisy images")
        if not 0 < self.sigma <= MAX_SIGMA:
            raise OptionError(f"sigma is {self.sigma:g}; it is a pixel level above 0 and at most {MAX_SIGMA:g}.")
        if not 0 < self.alpha < 1:
            raise OptionError(f"alpha is {self.alpha:g}; it is a share of certificates, above 0 and below 1.")

    @property
    def smoothing(self) -> Smoothing:
        """How the certificate is drawn."""
        return Smoothing(self.sigma, self.draws, self.alpha)

    @property
    def expected_gradients(self) -> int:
        """About how many gradient evaluations it costs; a forward pass costs about a third of one."""
        looks = self.smoothing.looks if self.certificate else 0
        return EVALUATIONS * (1 + self.restarts) + looks // 3


@dataclass(frozen=True)
class ExplainOptions(PredictOptions):
    """Options of an explanation.

    Attributes:
        targets: classes to explain, by name or id, or `predicted`, `runner_up`, `all`.
        against: a class, by name, id, `predicted` or `runner_up`, that each target is contrasted with: what is climbed
            is the margin between the two, in place of the target's cross entropy.
        direction: encourage (g_explain+) or discourage (g_explain-).
        method: how the change is searched for: "fast" comes as far as "paper", the paper's own loop, in fewer steps;
            "counterfactual" is the smallest change that makes the picture read as the target, or as any other class
            where the target is what it is read as.
        rho: RMS size of the perturbation, in (0, 1]; None for the model's own.
        sweep: further sizes to explain each target at: how many, evenly up to twice rho, or the sizes, rising; or None.
        steps: gradient steps at the most; None for as many as the method needs.
        heatmap: `signed` (mean over channels) or `magnitude` (RMS over channels).
        overlay: what the heatmap lies on.
        color_map: name of a colour map; None for a colour-blind-safe one fit for the heatmap.
        scale: pixel level at the end of the colour bar; "auto" for this map's own largest; None for the model's own.
        methods: what explains: always the adversarial change, and beside it other methods, by `METHOD_NAMES`.
        include: pictures to draw of each target, `sheet` (all of them on one picture), `original` (the upload as it was
            read), and `arrays`; of a sweep its `film_strip` and `curve`, its `animation`, and `sweep`, which is the
            explained picture at each size; of DICOM, objects for its study, and `report`, which is for `store`.
        picture_side: pixels of the longer side that heatmap, perturbation and explained picture are drawn at, where the
            upload's is longer; None for the upload's own. What is measured is the picture of the upload's own size.
        tile: side, in the upload's pixels, of square tiles that are each explained by itself, and their maps joined;
            "input" for the network's own side; None to explain what is seen at once.
        tile_overlap: of neighbouring tiles, as a share of their side.
        seed: of whatever is random; neither method is.
        margin: whether to say how much change the prediction withstands, too.
        quality: whether to measure how good each map is, too, and to let another network read the explained picture.
        judge: name of that network; None for the model's twin, if it gives a second opinion.
        partial: where the time is over, the answer is what was found by then, in place of an error.
        store: whether objects and report are to be stored in the archive that the image came from.
    """

    targets: tuple[str, ...] = ("predicted", "runner_up")
    against: str | None = None
    direction: Direction = "encourage"
    method: Method = "fast"
    rho: float | None = None
    sweep: int | tuple[float, ...] | None = None
    steps: int | None = None
    heatmap: Heatmap = "signed"
    overlay: Overlay = "original"
    color_map: str | None = None
    scale: float | Literal["auto"] | None = None
    methods: tuple[str, ...] = (ADVERSARIAL,)
    include: tuple[str, ...] = PICTURES
    picture_side: int | None = None
    tile: int | Literal["input"] | None = None
    tile_overlap: float = 0.25
    seed: int = 0
    margin: bool = False
    quality: bool = False
    judge: str | None = None
    partial: bool = False
    store: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.targets:
            raise OptionError(f"targets is empty; give class names or ids, or {', '.join(TARGET_WORDS)}.")
        _one_of("direction", self.direction, get_args(Direction))
        _one_of("method", self.method, get_args(Method))
        if self.rho is not None and not 0 < self.rho <= 1:
            raise OptionError(f"rho is {self.rho:g}; it is an RMS pixel size above 0 and at most 1.")
        if self.method == COUNTERFACTUAL:
            self._require_free_size()
        if self.judge is not None and not self.quality:
            raise OptionError("judge is given, but reads explained pictures for quality alone; give quality=true.")
        _require_sweep(self.sweep)
        if self.steps is not None:
            _within("steps", self.steps, 1, MAX_STEPS, "gradient steps")
        _one_of("heatmap", self.heatmap, get_args(Heatmap))
        _one_of("overlay", self.overlay, get_args(Overlay))
        if self.scale is not None and self.scale != "auto" and not 0 < self.scale <= MAX_SCALE:
            raise OptionError(f"scale is {self.scale:g}; it is a pixel level above 0 and at most 1, or auto.")
        for name in self.methods:
            _one_of("methods", name, METHOD_NAMES)
        for name in self.include:
            _one_of("include", name, INCLUDABLE)
        if not self.include:
            raise OptionError(f"include is empty; give any of {', '.join(INCLUDABLE)}.")
        of_a_sweep = [name for name in self.include if name in OF_A_SWEEP]
        if of_a_sweep and self.sweep is None:
            raise OptionError(f"include names {of_a_sweep[0]}, but there is no sweep; give one, such as sweep=8.")
        self._require_storable()
        self._require_sides()

    def _require_sides(self) -> None:
        if self.picture_side is not None:
            _within("picture_side", self.picture_side, LEAST_PICTURE_SIDE, MOST_SIDE, "pixels")
        if not 0 <= self.tile_overlap <= MAX_OVERLAP:
            raise OptionError(
                f"tile_overlap is {self.tile_overlap:g}; it is a share of a tile's side, from 0 to {MAX_OVERLAP:g}."
            )
        if self.tile is not None:
            self._require_tiles()

    def _require_tiles(self) -> None:
        if self.tile != INPUT:
            _within("tile", int(self.tile or 0), 1, MOST_SIDE, f"pixels, or {INPUT}")
        if self.method == COUNTERFACTUAL:
            raise OptionError("method is counterfactual, which is of the image seen at once; leave tile out.")
        if self.sweep is not None:
            raise OptionError("sweep is given, but tiles are explained at one size; leave sweep or tile out.")
        if self.other_methods:
            raise OptionError(
                f"methods names {self.other_methods[0]}, but tiles are explained adversarially alone; leave methods or"
                " tile out."
            )
        if self.quality:
            raise OptionError("quality is of the image seen at once; leave quality or tile out.")
        for name in ("arrays", "parametric_map"):
            if name in self.include:
                raise OptionError(f"include names {name}, which is of the image seen at once; leave it or tile out.")

    def _require_storable(self) -> None:
        if self.store and not set(self.include) & set(STORABLE):
            raise OptionError(f"include names nothing to store; add any of {', '.join(STORABLE)}.")
        if REPORT in self.include and not self.store:
            raise OptionError("include names report, which is for store; without it, the report has its own address.")

    def _require_free_size(self) -> None:
        given = ("rho", self.rho), ("steps", self.steps), ("sweep", self.sweep), ("against", self.against)
        for name, value in given:
            if value is not None:
                raise OptionError(f"{name} is given, but method counterfactual finds it by itself; leave {name} out.")
        if self.quality:
            raise OptionError(
                "quality is measured of explanations of one size, and method counterfactual has a size of its own;"
                " leave quality out."
            )
        if self.direction == "discourage":
            raise OptionError(
                "direction is discourage, but method counterfactual leads away from the class that was predicted and"
                " towards any other; leave direction out."
            )

    @property
    def most_steps(self) -> int:
        """Gradient steps of each row at the most."""
        return DEFAULT_STEPS[self.method] if self.steps is None else self.steps

    def sweep_sizes(self, rho: float) -> tuple[float, ...]:
        """The sizes of the sweep, rising; none without a sweep. `rho` is the explanation's own."""
        if not isinstance(self.sweep, int):
            return self.sweep or ()
        beyond = min(SWEPT_BEYOND, MAX_SIZE / rho)
        return tuple(min(MAX_SIZE, rho * (beyond * number / self.sweep)) for number in range(1, self.sweep + 1))

    @property
    def other_methods(self) -> tuple[str, ...]:
        """Beside the adversarial change, each once."""
        return tuple(name for name in dict.fromkeys(self.methods) if name != ADVERSARIAL)

    def scale_or(self, default: float) -> float:
        """Pixel level at the end of the colours of what has none of its own."""
        return self.scale if isinstance(self.scale, float) else default

    def expected_gradients(self, rows: int, sizes: int) -> int:
        """About how many gradient evaluations each of `rows` rows costs, targets times sizes.

        What is found once, the maps of other methods at one size and the margin, is shared out among them.
        """
        others = sum(EXPECTED_GRADIENTS[name] for name in self.other_methods)
        once = others + (self._quality_gradients(others) if self.quality else 0)
        return self.most_steps - (-once // sizes) + (EVALUATIONS // rows if self.margin else 0)

    @property
    def copies(self) -> int:
        """Images that are explained at once beside the targets."""
        return QUALITY_NOISE.maps if self.quality else 0

    def _quality_gradients(self, others: int) -> int:
        """Of one target, whose further methods take `others`; a forward pass counts as a third of one."""
        orders = 1 + len(self.other_methods) + BASELINE_ORDERS
        return QUALITY_NOISE.maps * (self.most_steps + others) + orders * PASSES_OF_AN_ORDER // 3


@dataclass(frozen=True)
class AuditOptions(PredictOptions):
    """Options of attacks on the explanations of an image.

    Attributes:
        beside: name of a further model whose explanations are attacked; None for the model's twin, if it gives a second
            opinion.
        methods: whose explanations are attacked, by `METHOD_NAMES`.
        goals: "move" keeps the class and moves the map, "keep" changes the class and keeps the map.
        size_rms: of the change at the most.
        steps: gradient steps of each attack.
        seed: of its random start.
    """

    beside: str | None = None
    methods: tuple[str, ...] = (ADVERSARIAL, "gradcam")
    goals: tuple[Goal, ...] = GOALS
    size_rms: float = AttackOptions.size_rms
    steps: int = AttackOptions.steps
    seed: int = AttackOptions.seed

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in self.methods:
            _one_of("methods", name, METHOD_NAMES)
        for goal in self.goals:
            _one_of("goals", goal, GOALS)
        if not self.methods:
            raise OptionError(f"methods is empty; give any of {', '.join(METHOD_NAMES)}.")
        if not self.goals:
            raise OptionError(f"goals is empty; give any of {', '.join(GOALS)}.")
        if not LEAST_ATTACK_RMS <= self.size_rms <= MAX_SIZE:
            raise OptionError(
                f"size_rms is {self.size_rms:g}; it is the RMS of a change, from {LEAST_ATTACK_RMS:g} to {MAX_SIZE:g}."
            )
        _within("steps", self.steps, 1, MAX_STEPS, "gradient steps")

    @property
    def attack(self) -> AttackOptions:
        """Of each attack."""
        return AttackOptions(size_rms=self.size_rms, steps=self.steps, seed=self.seed)

    @property
    def expected_gradients(self) -> int:
        """About how many gradient evaluations the audit of one model costs."""
        looks = self.steps // self.attack.look_every + 2
        of_a_look = {ADVERSARIAL: FAST_STEPS, **EXPECTED_GRADIENTS}
        methods, goals = set(self.methods), len(set(self.goals))
        return goals * sum(self.steps * GRADIENTS_A_STEP + looks * (1 + of_a_look[name]) for name in methods)


def _require_sweep(sweep: int | tuple[float, ...] | None) -> None:
    if sweep is None:
        return
    if isinstance(sweep, int):
        _within("sweep", sweep, FEWEST_SIZES, MOST_SIZES, "a number of sizes")
        return
    if not FEWEST_SIZES <= len(sweep) <= MOST_SIZES:
        raise OptionError(f"sweep has {len(sweep)} sizes; it must have {FEWEST_SIZES} to {MOST_SIZES}.")
    for before, size in zip((0.0, *sweep), sweep, strict=False):
        if not before < size <= MAX_SIZE:
            raise OptionError(
                f"sweep has {size:g} after {before:g}; its sizes must rise from above 0, to at most {MAX_SIZE:g}."
            )


def _within(name: str, value: int, lowest: int, highest: int, unit: str) -> None:
    if not lowest <= value <= highest:
        raise OptionError(f"{name} is {value}; it must be {unit}, from {lowest} to {highest}.")


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise OptionError(f"{name} {value!r} is not offered; it must be one of {', '.join(allowed)}.")
