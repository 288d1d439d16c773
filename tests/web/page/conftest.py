"""A tab for each test; what its console complains of fails the test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from tests.web.page.review import SECONDS, Review
from tests.web.serving import Served, serving, small_settings

expect.set_options(timeout=1000 * SECONDS)


def _complaint(message: ConsoleMessage) -> bool:
    """Errors of the page's own; an answer that is no 200 is noted by the browser too, and is none."""
    return message.type in ("error", "warning") and "Failed to load resource" not in message.text


@pytest.fixture(scope="session")
def served(models_dir: Path) -> Iterator[Served]:
    """With room for a sweep, unlike the others'."""
    with serving(small_settings(models_dir, max_rows=64)) as running:
        yield running


@pytest.fixture
def new_tab(browser: Browser) -> Iterator[Callable[[], Page]]:
    """Opens a tab, each time as another person's browser: no cookie, no cache, no storage is shared."""
    complaints: list[str] = []
    contexts = []

    def open_tab() -> Page:
        contexts.append(browser.new_context(viewport={"width": 1280, "height": 900}))
        tab = contexts[-1].new_page()
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("console", lambda message: complaints.append(message.text) if _complaint(message) else None)
        return tab

    yield open_tab
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def review(new_tab: Callable[[], Page], served: Served) -> Review:
    """The page of the server with the small models."""
    return Review(new_tab(), str(served.client.base_url))
