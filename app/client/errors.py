"""What the client raises.

ClientError
├── UnusableImage   what was given as an image is none
├── NoAnswer        the server cannot be reached, or what came back is not what it speaks
└── Problem         the server said what was wrong, and what would be right
"""


class ClientError(Exception):
    """Root of all; `str(error)` is a sentence for people."""


class UnusableImage(ClientError):
    """What was given as an image cannot be sent as one."""


class NoAnswer(ClientError):
    """The server cannot be reached, went away, or is not the server this client is for."""


class Problem(ClientError):
    """The server's own words (RFC 9457).

    Attributes:
        status: of HTTP.
        kind: the last part of its `type`, such as `unknown-model`.
        detail: what was wrong, and what would be right.
        request_id: by which the server's log knows it.
    """

    def __init__(self, status: int, kind: str, detail: str, request_id: str) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.request_id = request_id
