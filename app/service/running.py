"""The explanations that are worked on, by id, so that one can be cancelled."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from app.engine.token import WorkToken
from app.errors import UnknownExplanation


class Running:
    """Tokens by id. Its methods may be called from any thread."""

    def __init__(self) -> None:
        self._tokens: dict[str, WorkToken] = {}
        self._lock = threading.Lock()

    @contextmanager
    def kept(self, explanation_id: str, token: WorkToken) -> Iterator[None]:
        """Let it be cancelled while the block runs.

        Raises:
            Cancelled: it was, though the block came to its end: whoever cancelled it was told that there is no answer.
        """
        with self._lock:
            self._tokens[explanation_id] = token
        try:
            yield
        finally:
            with self._lock:
                del self._tokens[explanation_id]
        token.require_wanted()

    def cancel(self, explanation_id: str) -> None:
        """End it within one step; whoever waits for it gets `Cancelled`.

        Raises:
            UnknownExplanation: none of that id is worked on.
        """
        with self._lock:
            if explanation_id not in self._tokens:
                raise UnknownExplanation(
                    "No explanation of this id is worked on here: it has ended, or never was. The id stands in the"
                    " event started of an explanation asked for with Accept: text/event-stream."
                )
            self._tokens[explanation_id].cancel("The explanation was cancelled by its id.")
