"""What can only go wrong over HTTP. `app.web.problems` gives each its status."""

from app.errors import AexError


class UnsupportedContentType(AexError):
    """The body is of a media type that is not read here."""


class NotAcceptable(AexError):
    """None of the media types asked for is offered."""


class UploadTooSlow(AexError):
    """The body did not arrive in the time it may take."""


class NotReady(AexError):
    """The default model is not loaded and warm yet."""
