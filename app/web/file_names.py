"""Names of the files an explanation is made of, safe in any file system, header or archive."""

import re

from app.service.results import TargetExplanation

RESULT = "explanation.json"
ORIGINAL = "original.png"
ARRAYS = "explanation.npz"
MAX_CLASS_CHARACTERS = 40


def picture_name(explanation: TargetExplanation, picture: str) -> str:
    """Such as heatmap-5-dog.png: the class by its id, and by what is safe of its name, for people."""
    readable = re.sub(r"[^A-Za-z0-9]+", "_", explanation.target).strip("_")[:MAX_CLASS_CHARACTERS]
    return "-".join(part for part in (picture, str(explanation.target_id), readable) if part) + ".png"
