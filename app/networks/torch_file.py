"""The two layouts of torch.save: a zip of stored entries, and before it a row of pickles followed by the numbers."""

import io
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

from app.errors import CheckpointError
from app.networks.torch_pickle import PickleWalker, Storage, StoredTensor

MAX_PICKLE_BYTES = 4 * 2**20
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
_CHUNK_BYTES = 2**20


@dataclass(frozen=True)
class TorchFile:
    """What a torch file holds: plain values with `StoredTensor` in them, and the storages, one-dimensional, by key."""

    content: object
    storages: Mapping[str, Tensor]

    def tensor(self, stored: StoredTensor) -> Tensor:
        """A view of the storage; takes no memory of its own."""
        return self.storages[stored.storage.key].as_strided(stored.size, stored.stride, stored.offset)


class _BoundedReads(io.RawIOBase):
    """A file that refuses one read of very many bytes: zipfile would read a directory of any size in one piece."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        rest = os.fstat(self._stream.fileno()).st_size - self._stream.tell()
        if (size if size >= 0 else rest) > MAX_PICKLE_BYTES:
            raise zipfile.BadZipFile
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def seekable(self) -> bool:
        return True


def read_torch_zip(file: Path) -> TorchFile:
    """Read what torch.save writes since 1.6.

    Raises:
        CheckpointError: it is another zip, or a damaged one; says what was found.
    """
    try:
        with file.open("rb") as stream, zipfile.ZipFile(_BoundedReads(stream)) as archive:
            return _read_zip(archive, file)
    except (zipfile.BadZipFile, EOFError, RuntimeError, ValueError, OSError):
        raise CheckpointError(f"{file} is a zip, but a damaged one; get it again.") from None


def _read_zip(archive: zipfile.ZipFile, file: Path) -> TorchFile:
    entries = {entry.filename: entry for entry in archive.infolist()}
    pickles = [name for name in entries if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(pickles) != 1:
        raise CheckpointError(f"{file} is a zip of {len(entries)} entries without a torch pickle (data.pkl).")
    prefix = pickles[0].removesuffix("data.pkl")
    if f"{prefix}constants.pkl" in entries:
        raise CheckpointError(f"{file} is a TorchScript program; give the state dict of the network instead.")
    # torch stores without compression: then no entry is larger than the file, and all of them together are not either.
    size = sum(entry.file_size for entry in entries.values())
    stored = all(entry.compress_type == zipfile.ZIP_STORED for entry in entries.values())
    if not stored or size > file.stat().st_size:
        raise CheckpointError(
            f"{file} is a zip that is compressed, or says it is larger than it is; torch writes neither."
        )
    if entries[pickles[0]].file_size > MAX_PICKLE_BYTES:
        raise CheckpointError(f"{file} has a pickle of more than {MAX_PICKLE_BYTES} bytes; a state dict's is smaller.")
    order = f"{prefix}byteorder"
    if order in entries and _read_entry(archive, entries[order]) != b"little":
        raise CheckpointError(f"{file} has its numbers in big-endian order; save it on a little-endian machine.")
    walker = PickleWalker()
    content = _follow(walker, io.BytesIO(_read_entry(archive, entries[pickles[0]])), file)
    storages = {}
    for key, storage in walker.storages.items():
        entry = entries.get(f"{prefix}data/{key}")
        if entry is None or entry.file_size != _byte_count(storage):
            raise CheckpointError(f"{file} lacks the numbers of a tensor, or has another count of them than it says.")
        storages[key] = _numbers(_read_entry(archive, entry), storage)
    return TorchFile(content, storages)


def _read_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytearray:
    content = bytearray()
    with archive.open(entry) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            content += chunk
    return content


def read_torch_legacy(file: Path) -> TorchFile:
    """Read what torch.save wrote before 1.6: four pickles, a pickled list of keys, and each storage's count and bytes.

    Raises:
        CheckpointError: it is another pickle, or a damaged one; says what was found.
    """
    with file.open("rb") as stream:
        pickles = io.BytesIO(stream.read(MAX_PICKLE_BYTES))
        walker = PickleWalker()
        if _follow(walker, pickles, file) != _LEGACY_MAGIC or _follow(walker, pickles, file) != _LEGACY_PROTOCOL:
            raise CheckpointError(f"{file} is a pickle, but not torch's; save a state dict with torch.save.")
        machine = _follow(walker, pickles, file)
        if not isinstance(machine, dict) or machine.get("little_endian") is not True:
            raise CheckpointError(f"{file} has its numbers in big-endian order; save it on a little-endian machine.")
        content, keys = _follow(walker, pickles, file), _follow(walker, pickles, file)
        if not isinstance(keys, list) or set(map(str, keys)) != walker.storages.keys():
            raise CheckpointError(f"{file} does not list the storages that its tensors lie in; it is damaged.")
        stream.seek(pickles.tell())
        storages = {}
        for key in keys:
            storage = walker.storages[str(key)]
            count = int.from_bytes(stream.read(8), "little", signed=True)
            rest = file.stat().st_size - stream.tell()
            if count != storage.count or _byte_count(storage) > rest:
                raise CheckpointError(f"{file} ends before its numbers do, or has another count of them than it says.")
            storages[str(key)] = _numbers(bytearray(stream.read(_byte_count(storage))), storage)
    return TorchFile(content, storages)


def _follow(walker: PickleWalker, stream: BinaryIO, file: Path) -> object:
    try:
        return walker.follow(stream)
    except CheckpointError as error:
        raise CheckpointError(f"{file} begins like a torch file, but {error}.") from None


def _byte_count(storage: Storage) -> int:
    return storage.count * storage.dtype.itemsize


def _numbers(content: bytearray, storage: Storage) -> Tensor:
    if not content:
        return torch.empty(0, dtype=storage.dtype)
    return torch.frombuffer(content, dtype=storage.dtype)
