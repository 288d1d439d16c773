"""Files as torch.save writes them, and files that only look so."""

import collections
import io
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

# The authors' training options refer to a function of the script that was run, so a script has to be run.
_AUTHORS_SCRIPT = """
import sys, torch
from safetensors.torch import load_file

def cifar10_preprocess(images):
    raise SystemExit("this must never be called")

content = {
    "model_params": load_file(sys.argv[1]),
    "training_options": {
        "epochs": 200,
        "arch": [20, cifar10_preprocess, [1, 2], [4, 8], 3],
        "input_offset": [[0.4914, 0.4822, 0.4465], [0.247, 0.243, 0.261]],
    },
}
torch.save(content, sys.argv[2])
torch.save(content, sys.argv[3], _use_new_zipfile_serialization=False)
"""


class FakeTensor:
    """Pickles as a tensor over storage "0", of four float32, with any offset, size and stride."""

    def __init__(self, offset: int, size: tuple[int, ...], stride: tuple[int, ...], count: int = 4) -> None:
        self.count = count
        self.rest: tuple[object, ...] = (offset, size, stride, False, collections.OrderedDict())

    def __reduce__(self) -> tuple[Any, ...]:
        rebuild = torch._utils._rebuild_tensor_v2
        return rebuild, (_FakeStorage(self.count), *self.rest)


class _FakeStorage:
    def __init__(self, count: int) -> None:
        self.count = count


class _Pickler(pickle.Pickler):
    def persistent_id(self, obj: object) -> tuple[object, ...] | None:
        return ("storage", torch.FloatStorage, "0", "cpu", obj.count) if isinstance(obj, _FakeStorage) else None


def pickled(content: object, protocol: int = 2) -> bytes:
    """A pickle as it lies in a torch file."""
    file = io.BytesIO()
    _Pickler(file, protocol).dump(content)
    return file.getvalue()


def write_zip(file: Path, entries: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return file


def write_torch_zip(file: Path, pickle_bytes: bytes, storage: bytes = bytes(16)) -> Path:
    """A zip with this pickle and one storage, "0"."""
    return write_zip(file, {"archive/data.pkl": pickle_bytes, "archive/data/0": storage})


def save_as_authors_did(tensors: Mapping[str, Tensor], folder: Path) -> tuple[Path, Path]:
    """`{"model_params": …, "training_options": …}` as a zip and in the layout before it."""
    source, new, old = (folder / name for name in ("authors.safetensors", "zip.pt", "legacy.pt"))
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, source)
    subprocess.run([sys.executable, "-c", _AUTHORS_SCRIPT, source, new, old], check=True)
    return new, old
