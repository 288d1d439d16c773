"""Options of a prediction, which all others have too."""

from app.web.options.image import IMAGE
from app.web.options.option import Option, flag, model_name
from app.web.options.values import whole

PREDICT = (
    model_name("model", "name of a model; the installation's default where none is named"),
    Option(
        "top_k",
        whole,
        "a whole number, 0 for all classes",
        {"type": "integer", "minimum": 0, "default": 5, "description": "classes in the prediction, 0 for all"},
    ),
    flag("second_opinion", True, "whether the model's plain twin reads the image too, where the model names one"),
    Option(
        "timeout_ms",
        whole,
        "a whole number of milliseconds",
        {"type": "integer", "minimum": 1, "description": "milliseconds until the request is given up"},
    ),
    *IMAGE,
)
