"""CARD.md: what is known of a model, and what is not."""

import json
from collections.abc import Collection, Mapping

from app.networks.build import TorchvisionConfig
from app.networks.description import ModelDescription
from app.networks.scores import in_markdown, score_tables

PICTURES = {
    "explanations.png": "What it sees: test images beside what would make them more of a class.",
    "accuracy.png": "Accuracy against the size of the attack, with the area that worst-case ARA measures shaded.",
    "trade_off.png": "Accuracy and robustness of networks trained like this one, by the size of the training attacks.",
    "training.png": "Accuracy and robustness on images held out of training, by the hours it had been trained.",
}
"""Pictures that may stand beside a card, and what is said of each."""

_NOTES = {
    "own_images": "Own and other images: an image that lies further than the threshold from those that the model"
    " learned from is called unlike the model's own (flagged). AUROC: how well images of another set are told from its"
    " own by that distance, by each of its two parts, and by the energy of the logits in its place.",
    "stability_under_noise": "Stability: under noise that nobody sees, how far the map of all but one in twenty"
    " explanations of held-out images changes at most, and how well it repeats at least.",
    "gain_per_rms": "Gain per RMS: probability moved over the RMS of the change, as all but one in twenty explanations"
    " of held-out images reach it.",
    "pixel_order": "Pixel order: areas under the probability of the class as pixels are taken to black (deletion, less"
    " is better) or come into a blurred image (insertion, more is better), in the order that each method gives them, at"
    " random, and edges first; and the share of images where an order beats the random one. It asks which pixels as"
    " they are carry the class, which is not what an adversarial explanation says: that is a change.",
    "sanity": "Sanity: how much of each method's map is left where the network's last layers are random, down to none"
    " of what was learned: the rank correlation of its pixels before and after, 0 for nothing, below 0 for a map"
    " turned round; and where a network of the same layers has learned shuffled labels of these images by heart.",
}
"""What a reader has to know of a table, by its name in the scores."""

_SHOWN_CLASSES = 20
_UNKNOWN = {
    "source": "Nothing is written down about where it comes from.",
    "intended_use": "Not written down.",
    "known_failures": "None are written down, which does not mean that there are none.",
}


def write_card(name: str, description: ModelDescription, pictures: Collection[str] = ()) -> str:
    """A card in Markdown; says of what is not known that it is not.

    Args:
        name: of the model.
        description: what is known.
        pictures: those of `PICTURES` that stand beside it.
    """
    size, defaults = description.input, description.explanation
    classes = ", ".join(description.classes[:_SHOWN_CLASSES])
    more = len(description.classes) - _SHOWN_CLASSES
    trained = _listed(description.training) if description.training else "Not known."
    measured = _measured(description.scores) if description.scores else "Nothing was measured with this software yet."
    sections = (
        f"# {name}",
        f"{architecture_in_words(description)}, from images of {size.height}x{size.width} pixels"
        f" ({'colour' if size.channels == 3 else 'grey'}) to {len(description.classes)} classes:"
        f" {classes}{f' and {more} more' if more > 0 else ''}.",
        f"Images of another shape are fitted by `{size.fit}`. Explanations have RMS {defaults.rho:g} unless asked"
        f" otherwise, and their colour bar ends at {defaults.scale:g}.",
        *(f"![{caption}]({file})\n\n{caption}" for file, caption in PICTURES.items() if file in pictures),
        *(
            f"## {part.replace('_', ' ').capitalize()}\n\n{getattr(description, part) or unknown}"
            for part, unknown in _UNKNOWN.items()
        ),
        *([f"## Second opinion\n\n{_second_opinion(description.twin)}"] if description.twin else []),
        f"## Training\n\n{trained}",
        f"## Measured\n\n{measured}",
    )
    return "\n\n".join(sections) + "\n"


def architecture_in_words(description: ModelDescription) -> str:
    """What kind of network it is, as a sentence begins."""
    architecture = description.architecture
    if isinstance(architecture, TorchvisionConfig):
        return f"torchvision's `{architecture.name}`"
    layers = 2 * sum(architecture.blocks) + 2
    return f"A pre-activation residual network of {layers} layers with `{architecture.activation}`"


def _second_opinion(twin: str) -> str:
    return (
        f"Its plain twin, `{twin}`, trained without attacks, reads each image too where it is served beside this model;"
        " the answer has both predictions, and says whether they agree. What is explained is this model."
    )


def _measured(scores: Mapping[str, object]) -> str:
    notes = [note for name, note in _NOTES.items() if name in scores]
    sizes = "Sizes are RMS of pixels in [0, 1] unless L2 is said; in brackets, 95% intervals."
    return "\n\n".join([sizes, *notes, in_markdown(score_tables(scores))])


def _listed(values: Mapping[str, object]) -> str:
    return "\n".join(f"- {name}: `{json.dumps(value, ensure_ascii=False)}`" for name, value in values.items())
