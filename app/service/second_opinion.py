"""A second network's prediction of the same image, beside the one that is explained."""

from app.engine.device import Place
from app.engine.token import WorkToken
from app.errors import NotFinite
from app.service.catalogue import Served
from app.service.facts import model_facts, prediction_of
from app.service.passes import logits_of
from app.service.results.facts import Prediction, SecondOpinion
from app.service.uploads import Upload


def ask_twin(
    place: Place, twin: Served | None, upload: Upload, prediction: Prediction, top_k: int, token: WorkToken
) -> SecondOpinion | None:
    """Let the twin, if there is one, read an image whose `prediction` is known; the place is one for both models.

    Raises:
        NotFinite: a logit of the twin's is NaN or infinite; says how to do without it.
        Cancelled, DeadlineExceeded: the token is over.
    """
    if twin is None:
        return None
    checkpoint = twin.checkpoint
    try:
        logits = logits_of(place.of(twin.model), upload.fitted_for(checkpoint.description.input)[None], token)
    except NotFinite as error:
        raise NotFinite(
            f"{error} It is the twin's, {checkpoint.name}; second_opinion=false does without it."
        ) from error
    theirs = prediction_of(checkpoint, logits[0], top_k)
    return SecondOpinion(model_facts(checkpoint), theirs, theirs.best.class_id == prediction.best.class_id)
