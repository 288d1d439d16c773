"""Each way in which it can go wrong ends in words that say what happened and what to do."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.web.page.review import Review
from tests.web.serving import (
    MAX_UPLOAD_BYTES,
    Served,
    asking,
    picture,
    save_poisoned,
    serving,
    small_settings,
    wait_until,
)

IMAGE = picture()
LOST = "The connection was lost before the answer came"


@pytest.mark.parametrize(
    ("content", "title", "detail"),
    [
        (b"Dear all, ...", "This file cannot be read as an image", "Choose another file."),
        (b"", "This file cannot be read as an image", "Choose another file."),
        (IMAGE[: len(IMAGE) // 2], "This file cannot be read as an image", "Choose another file."),
        (bytes(MAX_UPLOAD_BYTES + 1), "This image is too large here", "Send a smaller one"),
        (picture(1001, 1001, "WEBP"), "This image is too large here", "Send a smaller one"),
    ],
    ids=["text", "empty", "damaged", "bytes", "pixels"],
)
def test_a_file_that_cannot_be_explained(review: Review, content: bytes, title: str, detail: str) -> None:
    review.drop({"report.png": content})
    review.expect_problem(title, detail)
    assert review.cases() == {"report.png": title}
    expect(review.find("#retry")).to_be_hidden()


def test_a_wrong_file_leaves_the_others_alone(review: Review) -> None:
    review.drop({"letter.txt": b"Dear all", "one.png": IMAGE})
    review.find("#cases .case").nth(1).click()
    review.wait_for_result()
    expect(review.find("#problem")).to_be_hidden()


def test_a_full_server_is_waited_for(review: Review, served: Served) -> None:
    with asking(served):
        review.drop({"one.png": IMAGE})
        review.expect_problem("The server has its hands full", "It is sent again in")
    wait_until(lambda: served.places_taken == 0)
    review.button("Try now").click()
    review.wait_for_result()
    expect(review.find("#problem")).to_be_hidden()


def test_what_is_cancelled_can_be_begun_anew(review: Review, served: Served) -> None:
    with asking(served):
        review.drop({"one.png": IMAGE})
        review.button("Cancel").click()
        review.expect_problem("It was cancelled")
    wait_until(lambda: served.places_taken == 0)
    review.button("Try again").click()
    review.wait_for_result()


def test_a_contrast_that_fails_leaves_the_explanation(review: Review, served: Served) -> None:
    review.drop({"one.png": IMAGE})
    review.wait_for_result()
    with asking(served):
        review.find("#bars button:visible").first.click()
        review.expect_problem("The server has its hands full")
        review.button("Leave it").click()
        expect(review.find("#problem")).to_be_hidden()
        expect(review.find("#words")).to_contain_text("to the network")
    wait_until(lambda: served.places_taken == 0)


def test_a_server_that_went_away_and_came_back(new_tab: Callable[[], Page], models_dir: Path) -> None:
    settings = small_settings(models_dir)
    with serving(settings) as served:
        port, review = served.port, Review(new_tab(), str(served.client.base_url))
    review.drop({"one.png": IMAGE, "two.png": IMAGE, "three.png": IMAGE})
    review.expect_problem(LOST, "Your image is still here.")
    expect(review.find("#notice")).to_contain_text("The server cannot be reached.")
    assert list(review.cases().values()) == [LOST, LOST, "waiting"]
    with serving(settings, port):
        expect(review.find("#notice")).to_contain_text("The server is back. 2 explanations were cut off.")
        review.button("Explain again").click()
        expect(review.find("#cases [data-state=done]")).to_have_count(3)
        expect(review.find("#notice")).to_be_hidden()


def test_more_than_the_server_does_for_one_request(new_tab: Callable[[], Page], models_dir: Path) -> None:
    with serving(small_settings(models_dir, max_rows=3)) as served:
        review = Review(new_tab(), str(served.client.base_url))
        review.find("[name=sweep]").check()
        review.drop({"one.png": IMAGE})
        review.expect_problem("The server does not take what was asked", "at most 3 are made for one request")
        review.find("[name=sweep]").uncheck()
        review.button("Explain the image shown again").click()
        review.wait_for_result()


def test_a_network_that_gives_no_number(new_tab: Callable[[], Page], tmp_path: Path) -> None:
    save_poisoned(tmp_path / "poisoned")
    with serving(small_settings(tmp_path, default_model="poisoned")) as served:
        review = Review(new_tab(), str(served.client.base_url))
        review.drop({"one.png": IMAGE})
        review.expect_problem("The network gives no number for this image", "not finite")


def test_two_browsers_at_once_each_get_their_own(new_tab: Callable[[], Page], served: Served) -> None:
    reviews = [Review(new_tab(), str(served.client.base_url)) for _ in range(2)]
    for number, review in enumerate(reviews):
        review.drop({f"{number}-{image}.png": picture(8 + number, 8 + image) for image in range(3)})
    for number, review in enumerate(reviews):
        expect(review.find("#cases [data-state=done]")).to_have_count(3)
        assert list(review.cases()) == [f"{number}-{image}.png" for image in range(3)]
        review.find("details summary").last.click()
        expect(review.find("#facts")).to_contain_text(f"PNG, 8 \u00d7 {8 + number} pixels")
