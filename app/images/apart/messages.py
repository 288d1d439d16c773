"""What is said between a reader process and whoever asks it: a short JSON object, then bytes.

Nothing is pickled: a process that reads hostile bytes is not trusted to say what is executed elsewhere.
"""

import json
import struct
from collections.abc import Mapping
from typing import IO, Any

_LENGTHS = struct.Struct(">IQ")


class MessageCutShortError(Exception):
    """The other side ended in the middle of a message, or before it."""


def send(stream: IO[bytes], header: Mapping[str, object], payload: bytes | memoryview) -> None:
    """Write one message."""
    encoded = json.dumps(header).encode()
    stream.write(_LENGTHS.pack(len(encoded), len(payload)) + encoded)
    stream.write(payload)
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    """Read one message, waiting for it.

    Raises:
        MessageCutShortError: there is none any more.
    """
    header_bytes, payload_bytes = _LENGTHS.unpack(_exactly(stream, _LENGTHS.size))
    header: dict[str, Any] = json.loads(_exactly(stream, header_bytes))
    return header, _exactly(stream, payload_bytes)


def _exactly(stream: IO[bytes], count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise MessageCutShortError
    return data
