"""Compiled graphs kept on disk between runs: plain bytes, each file behind its own checksum, never unpickled."""

import contextlib
import hashlib
import secrets
from pathlib import Path

import torch
from torch import nn

_DIGEST_BYTES = hashlib.sha256().digest_size


class Blobs:
    """Bytes by name in a folder, made when first written to. A folder that cannot be used is as good as an empty one.

    Args:
        folder: None keeps nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def get(self, name: str) -> bytes | None:
        """What was put there, whole, or None."""
        if self._folder is None:
            return None
        try:
            content = (self._folder / name).read_bytes()
        except OSError:
            return None
        digest, blob = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        return blob if hashlib.sha256(blob).digest() == digest else None

    def put(self, name: str, blob: bytes) -> None:
        """Keep it: readers see all of it or nothing."""
        if self._folder is None:
            return
        beside = self._folder / f".{name}.{secrets.token_hex(4)}.new"
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(hashlib.sha256(blob).digest() + blob)
            beside.replace(self._folder / name)
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


def weights_sha256(network: nn.Module) -> str:
    """SHA-256, hexadecimal, of every number in the network and of how its modules say they are put together."""
    digest = hashlib.sha256(repr(network).encode())
    for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
