"""The page for people who do not see it, who use no mouse, or a phone; judged by axe-core where it can judge."""

from collections.abc import Callable
from importlib.resources import files

import pytest
from playwright.sync_api import Page, expect

from tests.web.page.review import Review
from tests.web.serving import Served, asking, picture, wait_until

IMAGE = picture()
AXE = files("axe_playwright_python") / "axe.min.js"
GRAVE = {"serious", "critical"}
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}


def violations(review: Review) -> list[str]:
    """Grave ones, each with the elements it is about."""
    review.tab.evaluate(AXE.read_text(encoding="utf-8"))
    found = review.tab.evaluate("axe.run()")["violations"]
    return [f"{one['id']}: {[node['target'] for node in one['nodes']]}" for one in found if one["impact"] in GRAVE]


@pytest.mark.parametrize(("scheme", "size"), [("light", WIDE), ("dark", PHONE)], ids=["wide light", "phone dark"])
def test_no_state_has_a_grave_violation(
    new_tab: Callable[[], Page], served: Served, scheme: str, size: dict[str, int]
) -> None:
    tab = new_tab()
    tab.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    tab.set_viewport_size({"width": size["width"], "height": size["height"]})
    review = Review(tab, str(served.client.base_url))
    found = {"welcome": violations(review)}
    review.find("#options").evaluate("details => details.open = true")  # closed on a phone
    review.find("[name=sweep]").check()
    review.find("[value=gradient]").check()
    with asking(served):
        review.drop({"one.png": IMAGE})
        review.expect_problem("The server has its hands full")
        found["waiting"] = violations(review)
    wait_until(lambda: served.places_taken == 0)
    review.button("Try now").click()
    review.wait_for_result()
    tab.locator("summary").last.click()
    found["explained"] = violations(review)
    review.drop({"letter.txt": b"Dear all"})
    review.expect_problem("This file cannot be read as an image")
    found["problem"] = violations(review)
    assert {state: grave for state, grave in found.items() if grave} == {}


def test_on_a_phone_nothing_is_wider_than_the_screen(new_tab: Callable[[], Page], served: Served) -> None:
    tab = new_tab()
    tab.set_viewport_size({"width": 360, "height": 740})
    review = Review(tab, str(served.client.base_url))
    assert tab.evaluate("document.documentElement.scrollWidth") == 360
    review.drop({"a-name-as-long-as-those-that-cameras-and-scanners-give-to-their-files.png": IMAGE, "b.png": IMAGE})
    review.wait_for_result()
    assert tab.evaluate("document.documentElement.scrollWidth") == 360


def test_all_pictures_zoom_and_move_together_by_keys(review: Review) -> None:
    review.drop({"one.png": IMAGE})
    review.wait_for_result()

    def transforms() -> set[str]:
        sheets = review.find(".sheet")
        return set(sheets.evaluate_all("sheets => sheets.map((sheet) => getComputedStyle(sheet).transform)"))

    assert transforms() == {"matrix(1, 0, 0, 1, 0, 0)"}
    review.find("[data-pane=heatmap] .frame").focus()
    review.tab.keyboard.press("+")
    (zoomed,) = transforms()
    assert zoomed.startswith("matrix(1.5, 0, 0, 1.5, -")
    review.tab.keyboard.press("ArrowRight")
    (moved,) = transforms()
    assert moved != zoomed
    assert moved.startswith("matrix(1.5, 0, 0, 1.5, -")
    review.tab.keyboard.press("0")
    assert transforms() == {"matrix(1, 0, 0, 1, 0, 0)"}


def test_the_point_under_the_mouse_stays_where_it_is(review: Review) -> None:
    """A double click at a quarter of the frame zooms to 225%: the edge goes to 0.25 - 0.25 * 2.25 of its width."""
    review.drop({"one.png": IMAGE})
    review.wait_for_result()
    frame = review.find("[data-pane=original] .frame")
    box = frame.bounding_box()
    assert box
    frame.dblclick(position={"x": box["width"] / 4, "y": box["height"] / 4})
    style = review.find("#panes").evaluate(
        "panes => ['--zoom', '--x', '--y'].map((one) => panes.style.getPropertyValue(one))"
    )
    assert [float(value) for value in style] == pytest.approx([2.25, -0.3125, -0.3125], abs=0.01)


def test_the_swipe_uncovers_the_original_from_the_left(review: Review) -> None:
    review.drop({"one.png": IMAGE})
    review.wait_for_result()
    review.find("#swipe").focus()
    review.tab.keyboard.press("End")
    swiped = review.find(".swiped")
    assert swiped.evaluate("layer => getComputedStyle(layer).clipPath") == "inset(0px 0px 0px 100%)"
    review.tab.keyboard.press("Home")
    assert swiped.evaluate("layer => getComputedStyle(layer).clipPath") == "inset(0px 0px 0px 0%)"


def test_each_picture_says_in_words_what_it_shows(review: Review) -> None:
    review.drop({"one.png": IMAGE})
    review.wait_for_result()
    pictures = review.tab.get_by_role("img", name="zoom and move")
    expect(pictures).to_have_count(4)
    target = review.find("#targets button span").first.inner_text().split(" (")[0]
    expect(pictures.nth(1)).to_have_accessible_name(
        f"Where it changes towards {target}, as a heatmap. Plus, minus and arrow keys zoom and move."
    )
    expect(review.find("#said")).to_contain_text("one.png: ")
