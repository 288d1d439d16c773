"""Draws docs/page-*.png anew, of the real server with the models that ship: `make screenshots`."""

import io
import tempfile
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser

from tests.conftest import chromium
from tests.end_to_end.conftest import ROOT, started_server
from tests.web.page.review import Review, named

DOCS = ROOT / "docs"
WIDE, PHONE = (1360, 900), (390, 844)
COLORS, COLORS_KMEANS = 256, 4
PATIENCE_SECONDS = 300


def opened(browser: Browser, address: str, size: tuple[int, int], scheme: Literal["light", "dark"]) -> Review:
    """The page in a window of this size."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    review = Review(context.new_page(), address)
    review.tab.set_default_timeout(1000 * PATIENCE_SECONDS)
    return review


def save(review: Review, name: str) -> None:
    """The whole page, in few colours, for a file that is quick to load."""
    review.tab.mouse.move(0, 0)
    drawn = Image.open(io.BytesIO(review.tab.screenshot(full_page=True)))
    drawn.convert("RGB").quantize(COLORS, kmeans=COLORS_KMEANS).save(DOCS / f"page-{name}.png", optimize=True)


def explained(browser: Browser, address: str) -> None:
    """Several images, one of them explained at several sizes and beside other methods."""
    review = opened(browser, address, WIDE, "light")
    review.find("[name=sweep]").check()
    for method in ("smoothgrad", "gradcam"):
        review.find(f"[value={method}]").check()
    review.drop(named(ROOT / "examples", "cat-0.png", "ship-1.png", "frog-4.png"))
    review.wait_for_result()
    review.find("#cases [data-state=done]").nth(2).wait_for()
    save(review, "explained")


def contrast(browser: Browser, address: str) -> None:
    """Why is the cat no automobile?"""
    review = opened(browser, address, WIDE, "dark")
    review.drop(named(ROOT / "examples", "cat-0.png"))
    review.wait_for_result()
    review.button("Why not automobile?").click()
    review.find("#targets button").nth(2).wait_for()
    review.find("#words").filter(has_text="automobile and not cat").wait_for()
    review.wait_for_result()
    save(review, "contrast")


def phone(browser: Browser, address: str) -> None:
    """In one column."""
    review = opened(browser, address, PHONE, "light")
    review.drop(named(ROOT / "examples", "horse-13.png"))
    review.wait_for_result()
    save(review, "phone")


def problem(browser: Browser, address: str) -> None:
    """A file that is no image."""
    review = opened(browser, address, WIDE, "light")
    review.drop({"letter.txt": b"Dear all"})
    review.expect_problem("This file cannot be read as an image")
    save(review, "problem")


def main() -> None:
    """All of them."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with started_server(log, AEX_MODELS_DIR=str(ROOT / "models")) as address, chromium() as browser:
            for draw in (explained, contrast, phone, problem):
                draw(browser, address)


if __name__ == "__main__":
    main()
