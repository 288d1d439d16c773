"""The review page of the real server: from dropping a file to its report, and a server that dies under an open page."""

import hashlib
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.end_to_end.conftest import ROOT, free_port, server_process
from tests.web.page.review import Review, named
from tests.web.serving import picture, save_models

pytestmark = pytest.mark.slow

EXAMPLES = ROOT / "examples"


def test_from_dropping_a_file_to_its_report(browser: Browser, server: str) -> None:
    """Its class is known, its hash is that of the file; the report says both."""
    review = Review(browser.new_page(), server)
    review.drop(named(EXAMPLES, "ship-1.png"))
    review.wait_for_result()
    expect(review.find("#reading")).to_contain_text("Read as ship, ")
    expect(review.find("#reading")).to_contain_text("plain twin")
    file_hash = hashlib.sha256((EXAMPLES / "ship-1.png").read_bytes()).hexdigest()
    review.find("summary").filter(has_text="All facts").click()
    expect(review.find("#facts")).to_contain_text(file_hash)
    with review.tab.expect_popup() as opened:
        review.find("#report-html").click()
    report = opened.value
    expect(report.locator("body")).to_contain_text(file_hash)
    expect(report.locator("body")).to_contain_text("ship")
    expect(report.locator("figure img").first).to_be_visible()
    with review.tab.expect_download() as saved:
        review.find("#report-pdf").click()
    assert saved.value.path().read_bytes().startswith(b"%PDF-")
    review.tab.close()


def test_every_page_of_a_document_is_read_as_what_it_shows(browser: Browser, server: str) -> None:
    """Its pages are pictures of the test set, whose classes are known."""
    review = Review(browser.new_page(), server)
    review.drop(named(EXAMPLES, "pages.pdf"))
    review.wait_for_result()
    expect(review.find("#part-said")).to_have_text("Page 1 of 3.")
    review.button("Every page").click()
    expect(review.find("#cases [data-state=done]")).to_have_count(3)
    read = {name: state.partition(",")[0] for name, state in review.cases().items()}
    assert read == {"pages.pdf, page 1": "cat", "pages.pdf, page 2": "ship", "pages.pdf, page 3": "frog"}
    review.tab.close()


def test_a_server_killed_and_started_again_under_an_open_page(browser: Browser, tmp_path: Path) -> None:
    settings = {"AEX_MODELS_DIR": str(save_models(tmp_path)), "AEX_DEFAULT_MODEL": "slow", "AEX_STEP_BACKEND": "eager"}
    port = free_port()
    with server_process(tmp_path / "log", port, **settings) as process:
        review = Review(browser.new_page(), f"http://127.0.0.1:{port}")
        review.find("#method").select_option("paper")
        review.find("[name=sweep]").check()
        review.drop({"one.png": picture()})
        expect(review.find("#stage")).to_contain_text("explaining")
        process.kill()
        review.expect_problem("The connection was lost before the answer came", "Your image is still here.")
        expect(review.find("#notice")).to_contain_text("The server cannot be reached.")
    with server_process(tmp_path / "log", port, **settings):
        expect(review.find("#notice")).to_contain_text("The server is back. One explanation was cut off.")
        review.button("Explain again").click()
        review.wait_for_result()
        review.tab.close()
