"""Options of an explanation."""

from typing import get_args

from app.adversarial.explain import Direction
from app.images.tiling import MAX_OVERLAP
from app.service.options import (
    DEFAULT_STEPS,
    FEWEST_SIZES,
    INCLUDABLE,
    INPUT,
    LEAST_PICTURE_SIDE,
    MAX_STEPS,
    METHOD_NAMES,
    MOST_SIDE,
    MOST_SIZES,
    PICTURES,
    TARGET_WORDS,
    ExplainOptions,
    Heatmap,
    Method,
    Overlay,
)
from app.web.options.option import Option, choice, flag, listed, model_name, seed, whole_number
from app.web.options.predictions import PREDICT
from app.web.options.values import number, pixel_level, sizes, text, tile_side

EXPLAIN = (
    *PREDICT,
    listed(
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
    choice("direction", get_args(Direction), "encourage", "more of the class, or less of it"),
    choice(
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
    whole_number(
        "steps",
        1,
        MAX_STEPS,
        "gradient steps at the most; by default as many as the method needs: "
        + ", ".join(f"{steps} for {method}" for method, steps in DEFAULT_STEPS.items()),
    ),
    choice("heatmap", get_args(Heatmap), "signed", "mean of the change over colours, or its size"),
    choice("overlay", get_args(Overlay), "original", "what the heatmap lies on"),
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
    listed(
        "methods",
        f"any of {', '.join(METHOD_NAMES)}",
        "the adversarial explanation, which is always made, and other methods whose maps lie beside it, at its RMS",
        ExplainOptions.methods,
        METHOD_NAMES,
    ),
    listed(
        "include",
        f"any of {', '.join(INCLUDABLE)}",
        "pictures to draw of each target, sheet (all targets side by side), original (the upload as read) and arrays;"
        " secondary_capture and parametric_map, of DICOM; and report, which is for store",
        PICTURES,
        INCLUDABLE,
    ),
    whole_number(
        "picture_side",
        LEAST_PICTURE_SIDE,
        MOST_SIDE,
        "pixels of the longer side at which pictures are drawn, where the upload's is longer; its"
        " own by default. Numbers are of the picture at the upload's own size all the same",
        unit="pixels",
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
    seed(),
    flag(
        "margin",
        ExplainOptions.margin,
        "say how much change the prediction withstands, too, as of /v1/margins without restarts",
    ),
    flag(
        "store",
        ExplainOptions.store,
        "store what include names of secondary_capture, parametric_map and report in the DICOMweb"
        " archive, in the study of the image that dicomweb names",
    ),
    flag(
        "quality",
        ExplainOptions.quality,
        "measure how good each method's map is: what probability a change like it gains, deletion"
        " and insertion of pixels beside random and edge orders, how it stands noise; and let another network read"
        " the explained picture. It costs about twenty explanations more",
    ),
    model_name(
        "judge",
        "with quality, name of the model that reads the explained picture; by default the model's"
        " plain twin, where it names one and second_opinion is not false",
    ),
    flag(
        "partial",
        False,
        "whether, after timeout_ms, the answer is the explanation made so far, each target saying"
        " whether it was cut short and after how many steps, in place of a 504; without a prediction by then it is"
        " 504 all the same",
    ),
)
