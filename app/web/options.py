"""From what was given, as texts or JSON values, to the service's options; each refusal says what would be right."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeAlias, get_args

from app.adversarial.explain import Direction
from app.archive.address import InstanceAddress
from app.errors import OptionError
from app.images.tiling import MAX_OVERLAP
from app.service.options import (
    DEFAULT_STEPS,
    FEWEST_SIZES,
    GOALS,
    INCLUDABLE,
    INPUT,
    LEAST_ATTACK_RMS,
    LEAST_PICTURE_SIDE,
    MAX_DRAWS,
    MAX_RESTARTS,
    MAX_SIGMA,
    MAX_STEPS,
    METHOD_NAMES,
    MOST_SIDE,
    MOST_SIZES,
    PICTURES,
    TARGET_WORDS,
    AuditOptions,
    ExplainOptions,
    Heatmap,
    MarginOptions,
    Method,
    Overlay,
    PredictOptions,
)
from app.service.several import PartsAsked
from app.web.values import (
    archived,
    box,
    center_and_width,
    names,
    number,
    pixel_level,
    ranges,
    sizes,
    text,
    tile_side,
    truth,
    whole,
)

Given: TypeAlias = dict[str, list[object]]
"""Each option's values, as often as it was given: texts of a form or query, any value of JSON."""


@dataclass(frozen=True)
class Option:
    """One option: `read` turns a given value into the service's, or raises ValueError; `must_be` says what it takes.

    `schema` is its part of the API's description.
    """

    name: str
    read: Callable[[object], object]
    must_be: str
    schema: Mapping[str, object]
    is_list: bool = False


def _choice(name: str, allowed: Sequence[str], default: str, description: str) -> Option:
    schema = {"type": "string", "enum": list(allowed), "default": default, "description": description}
    return Option(name, text, f"one of {', '.join(allowed)}", schema)


def _list(name: str, must_be: str, description: str, default: Sequence[str], allowed: Sequence[str] = ()) -> Option:
    items = {"type": "string", **({"enum": list(allowed)} if allowed else {})}
    schema = {"type": "array", "items": items, "default": list(default), "description": description}
    return Option(name, names, must_be, schema, is_list=True)


def _part(name: str, description: str) -> Option:
    return Option(name, whole, "a whole number from 1", {"type": "integer", "minimum": 1, "description": description})


DICOMWEB = Option(
    "dicomweb",
    archived,
    "STUDY/SERIES/INSTANCE: three UIDs of digits and dots, each of 64 characters at the most",
    {
        "type": "string",
        "pattern": "^[0-9.]{1,64}/[0-9.]{1,64}/[0-9.]{1,64}$",
        "description": "STUDY/SERIES/INSTANCE, by their UIDs, of an image in the installation's DICOMweb archive: it is"
        " explained in place of one that is sent, such as 1.2.840.99.1/1.2.840.99.1.2/1.2.840.99.1.2.3",
    },
)
"""Where the image is, if it is not sent: no option of the service's."""

PREDICT = (
    Option(
        "model",
        text,
        "the name of a model",
        {"type": "string", "description": "name of a model; the installation's default where none is named"},
    ),
    Option(
        "top_k",
        whole,
        "a whole number, 0 for all classes",
        {"type": "integer", "minimum": 0, "default": 5, "description": "classes in the prediction, 0 for all"},
    ),
    Option(
        "second_opinion",
        truth,
        "true or false",
        {
            "type": "boolean",
            "default": True,
            "description": "whether the model's plain twin reads the image too, where the model names one",
        },
    ),
    Option(
        "timeout_ms",
        whole,
        "a whole number of milliseconds",
        {"type": "integer", "minimum": 1, "description": "milliseconds until the request is given up"},
    ),
    _part("page", "page of a PDF or TIFF, from 1; the first by default"),
    _part(
        "frame",
        "frame of a DICOM, HEIC, GIF, PNG or WebP file, from 1; the main one, of DICOM the middle one by default",
    ),
    Option(
        "window",
        center_and_width,
        "center,width: two numbers, the width above 0",
        {
            "type": "array",
            "items": {"type": "number"},
            "minItems": 2,
            "maxItems": 2,
            "description": "center and width, in the DICOM file's units such as HU, of the levels that run from black"
            " to white; the file's own by default",
        },
    ),
    Option(
        "region",
        box,
        "left,top,width,height: four whole numbers of pixels",
        {
            "type": "array",
            "items": {"type": "integer", "minimum": 0},
            "minItems": 4,
            "maxItems": 4,
            "description": "left, top, width and height, in pixels, of what the network is shown; all by default",
        },
    ),
)

_SEED = Option(
    "seed", whole, "a whole number", {"type": "integer", "default": 0, "description": "of whatever is random"}
)

MARGIN = (
    *PREDICT,
    Option(
        "restarts",
        whole,
        f"a whole number from 0 to {MAX_RESTARTS}",
        {
            "type": "integer",
            "minimum": 0,
            "maximum": MAX_RESTARTS,
            "default": MarginOptions.restarts,
            "description": "further searches for smaller changes, from random ones",
        },
    ),
    Option(
        "certificate",
        truth,
        "true or false",
        {
            "type": "boolean",
            "default": MarginOptions.certificate,
            "description": "certify a radius too, by randomized smoothing: a promise, of the smoothed classifier",
        },
    ),
    Option(
        "sigma",
        number,
        f"a number above 0 and at most {MAX_SIGMA:g}",
        {
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": MAX_SIGMA,
            "default": MarginOptions.sigma,
            "description": "standard deviation of the certificate's noise, pixels in [0, 1]",
        },
    ),
    Option(
        "draws",
        whole,
        f"a whole number from 1 to {MAX_DRAWS}",
        {
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_DRAWS,
            "default": MarginOptions.draws,
            "description": "noisy images that the certificate estimates by: more promise a larger radius",
        },
    ),
    Option(
        "alpha",
        number,
        "a number above 0 and below 1",
        {
            "type": "number",
            "exclusiveMinimum": 0,
            "exclusiveMaximum": 1,
            "default": MarginOptions.alpha,
            "description": "the share of certificates that may be wrong",
        },
    ),
    _SEED,
)

AUDIT = (
    *PREDICT,
    Option(
        "beside",
        text,
        "the name of a model",
        {
            "type": "string",
            "description": "name of another model whose explanations are attacked too; by default the model's plain"
            " twin, where it names one and second_opinion is not false",
        },
    ),
    _list(
        "methods",
        f"any of {', '.join(METHOD_NAMES)}",
        "whose explanations are attacked: the adversarial one, of the model's own RMS, and other methods",
        AuditOptions.methods,
        METHOD_NAMES,
    ),
    _list(
        "goals",
        f"any of {', '.join(GOALS)}",
        "move: keep the class and move the map as far as it goes; keep: change the class and keep the map",
        AuditOptions.goals,
        GOALS,
    ),
    Option(
        "size_rms",
        number,
        f"a number from {LEAST_ATTACK_RMS:g} to 1",
        {
            "type": "number",
            "minimum": LEAST_ATTACK_RMS,
            "maximum": 1,
            "default": AuditOptions.size_rms,
            "description": "RMS size of the change at the most, pixels in [0, 1]",
        },
    ),
    Option(
        "steps",
        whole,
        f"a whole number from 1 to {MAX_STEPS}",
        {
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_STEPS,
            "default": AuditOptions.steps,
            "description": "gradient steps of each attack",
        },
    ),
    Option("seed", whole, "a whole number", {"type": "integer", "default": 0, "description": "of the random start"}),
)

EXPLAIN = (
    *PREDICT,
    _list(
        "targets",
        f"class names or ids, or {', '.join(TARGET_WORDS)}",
        "classes to explain, by name or id, or predicted, runner_up, all",
        ExplainOptions.targets,
    ),
    Option(
        "against",
        text,
        "the name or id of a class, or predicted or runner_up",
        {
            "type": "string",
            "description": "class, by name or id, predicted or runner_up, to contrast each target with: why the one and"
            " not the other",
        },
    ),
    _choice("direction", get_args(Direction), "encourage", "more of the class, or less of it"),
    _choice(
        "method",
        get_args(Method),
        ExplainOptions.method,
        "how the change is searched for: fast comes as far as paper, the paper's own loop, in fewer steps;"
        " counterfactual is the smallest change that makes the picture read as the target, or as any other class where"
        " the target is what it is read as: it takes no rho, steps, sweep, against or direction",
    ),
    Option(
        "rho",
        number,
        "a number above 0 and at most 1",
        {
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": 1,
            "description": "RMS size of the change, pixels in [0, 1]; the model's own by default",
        },
    ),
    Option(
        "sweep",
        sizes,
        f"a number of sizes from {FEWEST_SIZES} to {MOST_SIZES}, or the sizes, rising, such as 0.01,0.02,0.05",
        {
            "anyOf": [
                {"type": "integer", "minimum": FEWEST_SIZES, "maximum": MOST_SIZES},
                {
                    "type": "array",
                    "items": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
                    "minItems": FEWEST_SIZES,
                    "maxItems": MOST_SIZES,
                },
            ],
            "description": "explain each target at further sizes too: how many, evenly up to twice rho, or the sizes as"
            " RMS, rising, in text with commas between; include names what to draw of it: sweep (the explained picture"
            " at each size), film_strip, animation, curve",
        },
    ),
    Option(
        "steps",
        whole,
        f"a whole number from 1 to {MAX_STEPS}",
        {
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_STEPS,
            "description": "gradient steps at the most; by default as many as the method needs: "
            + ", ".join(f"{steps} for {method}" for method, steps in DEFAULT_STEPS.items()),
        },
    ),
    _choice("heatmap", get_args(Heatmap), "signed", "mean of the change over colours, or its size"),
    _choice("overlay", get_args(Overlay), "original", "what the heatmap lies on"),
    Option(
        "color_map",
        text,
        "the name of a colour map",
        {
            "type": "string",
            "description": "diverging for signed, sequential for magnitude; colour-blind-safe by default",
        },
    ),
    Option(
        "scale",
        pixel_level,
        "a number above 0 and at most 1, or auto",
        {
            "anyOf": [{"type": "number", "exclusiveMinimum": 0, "maximum": 1}, {"const": "auto"}],
            "description": "pixel level at the end of the heatmap's colour bar; the model's own by default",
        },
    ),
    _list(
        "methods",
        f"any of {', '.join(METHOD_NAMES)}",
        "the adversarial explanation, which is always made, and other methods whose maps lie beside it, at its RMS",
        ExplainOptions.methods,
        METHOD_NAMES,
    ),
    _list(
        "include",
        f"any of {', '.join(INCLUDABLE)}",
        "pictures to draw of each target, sheet (all targets side by side), original (the upload as read) and arrays;"
        " secondary_capture and parametric_map, of DICOM; and report, which is for store",
        PICTURES,
        INCLUDABLE,
    ),
    Option(
        "picture_side",
        whole,
        f"a whole number of pixels from {LEAST_PICTURE_SIDE} to {MOST_SIDE}",
        {
            "type": "integer",
            "minimum": LEAST_PICTURE_SIDE,
            "maximum": MOST_SIDE,
            "description": "pixels of the longer side at which pictures are drawn, where the upload's is longer; its"
            " own by default. Numbers are of the picture at the upload's own size all the same",
        },
    ),
    Option(
        "tile",
        tile_side,
        f"a whole number of pixels from 1 to {MOST_SIDE}, or {INPUT}",
        {
            "anyOf": [{"type": "integer", "minimum": 1, "maximum": MOST_SIDE}, {"const": INPUT}],
            "description": "explain a large image in square tiles of this side, in its own pixels, each fitted to the"
            " network by itself, and join their maps; input is the side of the network's own input. Targets predicted"
            " and runner_up are those of the whole image (or region) seen at once. Targets times tiles are bounded; no"
            " sweep, counterfactual, other methods, arrays or parametric_map",
        },
    ),
    Option(
        "tile_overlap",
        number,
        f"a number from 0 to {MAX_OVERLAP:g}",
        {
            "type": "number",
            "minimum": 0,
            "maximum": MAX_OVERLAP,
            "default": ExplainOptions.tile_overlap,
            "description": "share of a tile's side that neighbours have in common, over which one map goes over into"
            " the next; with 0 there are seams",
        },
    ),
    _SEED,
    Option(
        "margin",
        truth,
        "true or false",
        {
            "type": "boolean",
            "default": ExplainOptions.margin,
            "description": "say how much change the prediction withstands, too, as of /v1/margins without restarts",
        },
    ),
    Option(
        "store",
        truth,
        "true or false",
        {
            "type": "boolean",
            "default": ExplainOptions.store,
            "description": "store what include names of secondary_capture, parametric_map and report in the DICOMweb"
            " archive, in the study of the image that dicomweb names",
        },
    ),
    Option(
        "quality",
        truth,
        "true or false",
        {
            "type": "boolean",
            "default": ExplainOptions.quality,
            "description": "measure how good each method's map is: what probability a change like it gains, deletion"
            " and insertion of pixels beside random and edge orders, how it stands noise; and let another network read"
            " the explained picture. It costs about twenty explanations more",
        },
    ),
    Option(
        "judge",
        text,
        "the name of a model",
        {
            "type": "string",
            "description": "with quality, name of the model that reads the explained picture; by default the model's"
            " plain twin, where it names one and second_opinion is not false",
        },
    ),
    Option(
        "partial",
        truth,
        "true or false",
        {
            "type": "boolean",
            "default": False,
            "description": "whether, after timeout_ms, the answer is the explanation made so far, each target saying"
            " whether it was cut short and after how many steps, in place of a 504; without a prediction by then it is"
            " 504 all the same",
        },
    ),
)


def _several(name: str, what: str, by_itself: str) -> Option:
    return Option(
        name,
        ranges,
        "all, or numbers and ranges from 1 such as 1,3-5",
        {
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "integer", "minimum": 1}}],
            "description": f"{what}, each answered as by {by_itself}=N: all, or numbers and ranges such as 1,3-5; the"
            f" answer is then a list {name}, in which one that has a problem says so",
        },
    )


SEVERAL = (
    _several("pages", "pages of a PDF or TIFF", "page"),
    _several("frames", "frames of a DICOM, HEIC, GIF, PNG or WebP file, or of a zipped series", "frame"),
)
"""Of predictions and explanations."""


def parts_asked(given: Given) -> tuple[PartsAsked | None, Given]:
    """The pages or frames that are asked for, None where it is one answer; and the options of each.

    Raises:
        OptionError: they cannot be read, or contradict another option.
    """
    names = [option.name for option in SEVERAL]
    read = _read({name: given[name] for name in names if name in given}, SEVERAL)
    others = {name: values for name, values in given.items() if name not in names}
    if not read:
        return None, others
    single = [name for name in ("page", "frame") if any(value is not None for value in others.get(name, []))]
    if len(read) + len(single) > 1:
        raise OptionError(f"{' and '.join([*read, *single])} are given; give one of them.")
    (name, wanted) = read.popitem()
    return PartsAsked("page" if name == "pages" else "frame", wanted), others


def image_address(given: Given) -> InstanceAddress | None:
    """Where the image is in the archive; None where it was sent.

    Raises:
        OptionError: it is no address; quotes nothing of it.
    """
    try:
        address = _read({DICOMWEB.name: given.get(DICOMWEB.name, [])}, [DICOMWEB]).get(DICOMWEB.name)
    except OptionError:
        raise OptionError(f"{DICOMWEB.name} must be given once, as {DICOMWEB.must_be}.") from None
    return address if isinstance(address, InstanceAddress) else None


def predict_options(given: Given) -> PredictOptions:
    """Options of a prediction.

    Raises:
        OptionError: an option is unknown, cannot be read, or is out of range.
    """
    return PredictOptions(**_read(given, PREDICT))


def margin_options(given: Given) -> MarginOptions:
    """Options of a robustness margin; raises as `predict_options` does."""
    return MarginOptions(**_read(given, MARGIN))


def audit_options(given: Given) -> AuditOptions:
    """Options of an audit; raises as `predict_options` does."""
    return AuditOptions(**_read(given, AUDIT))


def explain_options(given: Given) -> ExplainOptions:
    """Options of an explanation; raises as `predict_options` does."""
    return ExplainOptions(**_read(given, EXPLAIN))


def _read(given: Given, options: Sequence[Option]) -> dict[str, Any]:
    known = {option.name: option for option in options}
    for name in given:
        if name not in known:
            raise OptionError(_unknown(name, list(known)))
    said = {name: [value for value in values if value is not None] for name, values in given.items()}
    return {name: _value(known[name], values) for name, values in said.items() if values}


def _value(option: Option, values: list[object]) -> object:
    if len(values) > 1 and not option.is_list:
        raise OptionError(f"{option.name} is given {len(values)} times; give it once.")
    try:
        read = [option.read(value) for value in values]
    except ValueError:
        raise OptionError(f"{option.name} is {_shown(values)}; it must be {option.must_be}.") from None
    if not option.is_list:
        return read[0]
    return tuple(name for several in read if isinstance(several, tuple) for name in several)


def _shown(values: list[object]) -> str:
    (value, *more) = values
    if more or isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "an object"
    return repr(value[:60]) if isinstance(value, str) else str(value)[:60]


def _unknown(name: str, known: Sequence[str]) -> str:
    for options, whose in (((*EXPLAIN, *SEVERAL), "explanations"), (MARGIN, "margins"), (AUDIT, "audits")):
        if name in {option.name for option in options}:
            return f"{name} is an option of {whose}, and not one here."
    near = get_close_matches(name[:80], known, n=2, cutoff=0.65)
    hint = f"did you mean {' or '.join(near)}?" if near else f"the options are {', '.join(known)}."
    return f"{name[:80]!r} is no option; {hint}"
