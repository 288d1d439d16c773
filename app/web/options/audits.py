"""Options of an audit."""

from app.service.options import GOALS, LEAST_ATTACK_RMS, MAX_STEPS, METHOD_NAMES, AuditOptions
from app.web.options.option import Option, listed, model_name, seed, whole_number
from app.web.options.predictions import PREDICT
from app.web.options.values import number

AUDIT = (
    *PREDICT,
    model_name(
        "beside",
        "name of another model whose explanations are attacked too; by default the model's plain"
        " twin, where it names one and second_opinion is not false",
    ),
    listed(
        "methods",
        f"any of {', '.join(METHOD_NAMES)}",
        "whose explanations are attacked: the adversarial one, of the model's own RMS, and other methods",
        AuditOptions.methods,
        METHOD_NAMES,
    ),
    listed(
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
    whole_number("steps", 1, MAX_STEPS, "gradient steps of each attack", default=AuditOptions.steps),
    seed("of the random start"),
)
