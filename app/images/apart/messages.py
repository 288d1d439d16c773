"""What is said between a reader process and whoever asks it: a short JSON object, then bytes.

Nothing is pickled: a process that reads hostile bytes is not trusted to say what is executed elsewhere.
"""

import json
import struct
from collections.abc import Mapping
from io import BufferedIOBase
from typing import IO, Any, cast

_LENGTHS = struct.Struct(">IQ")
_MAX_HEADER_BYTES = 2**24


class MessageCutShortError(Exception):
    """The other side ended in the middle of a message, or before it."""


def send(stream: IO[bytes], header: Mapping[str, object], payload: bytes | memoryview) -> None:
    """Write one message."""
    encoded = json.dumps(header).encode()
    stream.write(_LENGTHS.pack(len(encoded), len(payload)) + encoded)
    stream.write(payload)
    stream.flush()


def receive(stream: IO[bytes], max_bytes: int | None = None) -> tuple[dict[str, Any], bytearray]:
    """Read one message, waiting for it.

    Args:
        stream: buffered.
        max_bytes: of a payload that could be sent; None where the other side is trusted.

    Raises:
        MessageCutShortError: there is none any more, or it promises more than could be sent.
    """
    header_bytes, payload_bytes = _LENGTHS.unpack(_exactly(stream, _LENGTHS.size))
    if header_bytes > _MAX_HEADER_BYTES:
        raise MessageCutShortError
    header: dict[str, Any] = json.loads(_exactly(stream, header_bytes))
    if max_bytes is not None and payload_bytes > max_bytes:
        raise MessageCutShortError
    return header, _exactly(stream, payload_bytes)


def _exactly(stream: IO[bytes], count: int) -> bytearray:
    """Into memory of its own: `read` puts pieces together, and holds hundreds of megabytes twice on the way."""
    data = bytearray(count)
    if cast(BufferedIOBase, stream).readinto(data) < count:
        raise MessageCutShortError
    return data
