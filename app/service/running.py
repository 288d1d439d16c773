"""The explanations that are worked on, by id, so that one can be cancelled."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from app.engine.token import WorkToken


class Running:
    """Tokens by id. Its methods may be called from any thread."""

    def __init__(self) -> None:
        self._tokens: dict[str, WorkToken] = {}
        self._lock = threading.Lock()

    @contextmanager
    def cancellable(self, explanation_id: str, token: WorkToken) -> Iterator[None]:
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

    def __contains__(self, explanation_id: str) -> bool:
        with self._lock:
            return explanation_id in self._tokens

    def cancel(self, explanation_id: str) -> bool:
        """End it within one step, whoever waits for it gets `Cancelled`; false where none of that id is worked on."""
        with self._lock:
            token = self._tokens.get(explanation_id)
            if token is not None:
                token.cancel("The explanation was cancelled by its id.")
        return token is not None
