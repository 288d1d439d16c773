"""Options of a robustness margin."""

from app.service.options import MAX_DRAWS, MAX_RESTARTS, MAX_SIGMA, MarginOptions
from app.web.options.option import Option, flag, seed, whole_number
from app.web.options.predictions import PREDICT
from app.web.options.values import number

MARGIN = (
    *PREDICT,
    whole_number(
        "restarts",
        0,
        MAX_RESTARTS,
        "further searches for smaller changes, from random ones",
        default=MarginOptions.restarts,
    ),
    flag(
        "certificate",
        MarginOptions.certificate,
        "certify a radius too, by randomized smoothing: a promise, of the smoothed classifier",
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
    whole_number(
        "draws",
        1,
        MAX_DRAWS,
        "noisy images that the certificate estimates by: more promise a larger radius",
        default=MarginOptions.draws,
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
    seed(),
)
