"""Files made elsewhere, read as tensors and plain values; nothing in them is executed, or trusted for its size."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from app.errors import CheckpointError
from app.networks.fit_weights import listed
from app.networks.torch_file import TorchFile, read_torch_legacy, read_torch_zip
from app.networks.torch_pickle import Inert, StoredTensor, Symbol

MAX_IMPORT_BYTES = 4 * 2**30
ACCEPTED = (
    "accepted are a torch file (.pt, .pth) or a safetensors file that holds the state dict of one of the paper authors'"
    " networks, or of a torchvision classifier"
)

_MAGIC = (
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x89PNG", "a PNG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF", "a PDF document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x89HDF", "an HDF5 file, such as Keras writes"),
    (b"\x93NUMPY", "a numpy array"),
    (b"\x7fELF", "a program"),
    (b"PK\x05\x06", "an empty zip"),
)
_TEXT_BYTES = b"\t\n\r" + bytes(range(32, 127))
_STATE_DICT_KEYS = ("model_params", "state_dict", "model_state_dict", "model", "network", "net")
_MAX_DEPTH, _MAX_ITEMS, _MAX_TEXT, _MAX_NUMBER = 4, 100, 200, 1e18


@dataclass(frozen=True)
class ForeignWeights:
    """What a file held.

    Attributes:
        tensors: a state dict, by the names of whoever made it.
        facts: what was kept beside it, as plain JSON: training options and the like. Anyone's words.
        kind: what the file is, such as "a safetensors file".
    """

    tensors: Mapping[str, Tensor]
    facts: Mapping[str, object]
    kind: str


def read_foreign(file: Path) -> ForeignWeights:
    """The state dict in `file`.

    Raises:
        CheckpointError: it holds none; says what was found and what is accepted.
    """
    if not file.is_file():
        raise CheckpointError(f"{file} is not there, or is no plain file; {ACCEPTED}.")
    size = file.stat().st_size
    if size > MAX_IMPORT_BYTES:
        raise CheckpointError(f"{file} has {size} bytes; at most {MAX_IMPORT_BYTES} are read.")
    with file.open("rb") as stream:
        head = stream.read(16)
    if head.startswith(b"PK\x03\x04"):
        return _from_torch(read_torch_zip(file), file)
    if head.startswith(b"\x80"):
        return _from_torch(read_torch_legacy(file), file)
    if len(head) > 8 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") + 8 <= size:
        return _from_safetensors(file)
    raise CheckpointError(f"{file} is {_what_else(head, size)}; {ACCEPTED}.")


def _what_else(head: bytes, size: int) -> str:
    if not head:
        return "empty"
    for magic, what in _MAGIC:
        if head.startswith(magic):
            return what
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "a WebP image"
    if head[:1] in b"{[" or all(byte in _TEXT_BYTES for byte in head):
        return "text"
    return f"{size} bytes of no format known here"


def _from_safetensors(file: Path) -> ForeignWeights:
    try:
        with safe_open(file, "pt") as opened:
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - it is no mapping
            metadata: Mapping[str, str] = opened.metadata() or {}
    except SafetensorError as error:
        raise CheckpointError(f"{file} looks like a safetensors file but is damaged: {error}.") from None
    return ForeignWeights(tensors, {name: _parsed(text) for name, text in metadata.items()}, "a safetensors file")


def _parsed(text: str) -> object:
    """Metadata values are texts, and often JSON."""
    try:
        return plain(json.loads(text))
    except (ValueError, RecursionError):
        return plain(text)


def _from_torch(opened: TorchFile, file: Path) -> ForeignWeights:
    holder = opened.content
    if not isinstance(holder, dict):
        raise CheckpointError(f"{file} is a torch file that holds {_what(holder)}, not a state dict; {ACCEPTED}.")
    stored = _state_dict(holder)
    facts: dict[str, object] = {}
    if stored is None:
        inside = {name: found for name in _STATE_DICT_KEYS if (found := _state_dict(holder.get(name)))}
        if len(inside) != 1:
            names = listed([str(name) for name in holder]) or "nothing"
            raise CheckpointError(
                f"{file} is a torch file with a dictionary of {names}, where exactly one of"
                f" {', '.join(_STATE_DICT_KEYS)} must be a state dict; {ACCEPTED}."
            )
        ((key, stored),) = inside.items()
        facts = {str(name): plain(value) for name, value in holder.items() if name != key}
    tensors = {name: opened.tensor(tensor) for name, tensor in stored.items()}
    return ForeignWeights(_without_wrapper(tensors), facts, "a torch file")


def _state_dict(value: object) -> dict[str, StoredTensor] | None:
    if not isinstance(value, dict) or not value:
        return None
    found = {
        name: tensor for name, tensor in value.items() if isinstance(name, str) and isinstance(tensor, StoredTensor)
    }
    return found if len(found) == len(value) else None


def _without_wrapper(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Torch's DataParallel puts `module.` before every name."""
    if all(name.startswith("module.") for name in tensors):
        return {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
    return tensors


def _what(value: object) -> str:
    if isinstance(value, Inert):
        return f"an object made by {value.made_by}"
    return {StoredTensor: "one tensor", list: "a list"}.get(type(value), f"a value of type {type(value).__name__}")


def plain(value: object, depth: int = 0) -> object:
    """JSON of bounded size: names referred to become text, and what is neither is left out (None)."""
    if isinstance(value, str | Symbol):
        return "".join(letter for letter in str(value)[:_MAX_TEXT] if letter.isprintable())
    if isinstance(value, int | float):
        return value if -_MAX_NUMBER < value < _MAX_NUMBER else None
    if isinstance(value, list | tuple) and depth < _MAX_DEPTH:
        return [plain(item, depth + 1) for item in value[:_MAX_ITEMS]]
    if isinstance(value, dict) and depth < _MAX_DEPTH:
        kept = list(value.items())[:_MAX_ITEMS]
        return {str(plain(str(name))): plain(item, depth + 1) for name, item in kept}
    return None
