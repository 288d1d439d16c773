"""The page's address holds what it shows; explanations are had again by it for as long as the server keeps them."""

from collections.abc import Callable
from pathlib import Path

import httpx
from playwright.sync_api import Page, expect

from tests.web.page.review import Review
from tests.web.serving import Served, picture, serving, small_settings, wait_until

IMAGE = picture()


def test_whoever_opens_the_address_sees_the_same(review: Review, new_tab: Callable[[], Page]) -> None:
    review.find("[value=discourage]").check()
    review.find("#rho").fill("0.05")
    review.find("[name=sweep]").check()
    review.drop({"one.png": IMAGE})
    review.wait_for_result()
    review.find("#bars button:visible").first.click()
    expect(review.find("#targets button")).to_have_count(3)
    review.find("#map").select_option("inferno")
    review.find("#size").press("ArrowLeft")
    review.button("Zoom in").click()
    other = Review(new_tab(), review.tab.url)
    other.wait_for_result()
    expect(other.find("#targets button")).to_have_count(3)
    chosen = "#targets [aria-pressed=true]"
    expect(other.find(chosen)).to_have_text(str(review.find(chosen).text_content()))
    assert other.bars() == review.bars()
    for field in ("#map", "#size", "#rho"):
        expect(other.find(field)).to_have_value(review.find(field).input_value())
    expect(other.find("#zoom output")).to_have_text("150%")
    assert other.tab.url == review.tab.url


def test_an_address_before_any_image_holds_the_options(review: Review, new_tab: Callable[[], Page]) -> None:
    review.find("#model").select_option("slow")
    review.find("#class").fill("dog")
    review.find("#class").press("Enter")
    review.find("[name=word][value=runner_up]").uncheck()
    other = Review(new_tab(), review.tab.url)
    expect(other.find("#model")).to_have_value("slow")
    expect(other.find("#named")).to_have_text("dog \u00d7")
    expect(other.find("[name=word][value=runner_up]")).not_to_be_checked()


def test_an_explanation_that_is_kept_no_more(review: Review, client: httpx.Client, new_tab: Callable[[], Page]) -> None:
    review.drop({"one.png": IMAGE})
    review.wait_for_result()
    client.delete(f"/v1/explanations/{review.tab.url.rpartition('case=')[2].partition('&')[0]}").raise_for_status()
    other = Review(new_tab(), review.tab.url)
    other.expect_problem("The server keeps this explanation no more", "was deleted")


def test_a_shared_image_can_be_explained_further(review: Review, new_tab: Callable[[], Page]) -> None:
    review.drop({"one.png": IMAGE})
    review.wait_for_result()
    other = Review(new_tab(), review.tab.url)
    other.wait_for_result()
    other.find("#bars button:visible").first.click()
    expect(other.find("#targets button")).to_have_count(3)
    other.find("#bars button:visible").last.click()
    expect(other.find("#targets button")).to_have_count(4)


def test_after_a_reload_what_was_done_is_there_again_under_its_name(review: Review) -> None:
    review.drop({"one.png": IMAGE, "two.png": picture(9, 9)})
    expect(review.find("#cases [data-state=done]")).to_have_count(2)
    before = review.cases()
    review.tab.reload()
    expect(review.find("#cases [data-state=done]")).to_have_count(2)
    assert review.cases() == before
    expect(review.find("#notice")).to_be_hidden()


def test_a_page_reloaded_half_way(review: Review, served: Served) -> None:
    """The server stops working for it, and the page says which images to choose again."""
    review.find("#model").select_option("slow")
    review.find("#method").select_option("paper")
    review.drop({"one.png": IMAGE, "two.png": IMAGE})
    wait_until(lambda: served.places_taken > 0)
    review.tab.reload()
    expect(review.find("#notice")).to_contain_text("keeps no images. Choose again: one.png, two.png.")
    wait_until(lambda: served.places_taken == 0)
    review.button("Close").click()
    review.drop({"one.png": IMAGE})
    review.wait_for_result()


def test_an_installation_that_keeps_nothing_says_so(new_tab: Callable[[], Page], models_dir: Path) -> None:
    with serving(small_settings(models_dir, result_ttl_seconds=0)) as served:
        review = Review(new_tab(), str(served.client.base_url))
        review.drop({"one.png": IMAGE})
        review.wait_for_result()
        expect(review.find("#kept")).to_contain_text("does not keep it")
        assert "case=" not in review.tab.url
