"""Documents, scans, phones' pictures and series on the page: which part was used, and how to take another."""

from collections.abc import Callable

import numpy as np
import pytest
from fpdf import FPDF
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.images.apart.files import dicom_file, heic, pdf
from tests.images.apart.test_series import SERIES, zipped
from tests.images.files import encoded
from tests.images.test_tiff_pages import tiff_of
from tests.web.page.review import Review
from tests.web.page.test_access import violations
from tests.web.serving import Served

PIXELS = np.random.default_rng(3).integers(60, 190, (60, 80, 3), dtype=np.uint8)
WIDE = encoded(PIXELS, "PNG")
COLORS = (b"1 0 0 rg 0 0 72 72 re f", b"0 0 1 rg 0 0 144 36 re f", b"0 1 0 rg 40 0 60 60 re f")
SAID = "#part-said"


def letter() -> bytes:
    """Three pages, as a program writes them."""
    document = FPDF(unit="pt", format=(144, 72))
    document.set_font("helvetica", size=12)
    for number in range(3):
        document.add_page()
        document.text(4, 12, f"Page {number + 1}")
    return bytes(document.output())


FILES = {
    "letter.pdf": (letter(), "Page 1 of 3."),
    "scan.tif": (tiff_of(), "Page 1 of 3."),
    "phone.heic": (heic(Image.fromarray(PIXELS)), ""),
    "slice.dcm": (dicom_file("MR_small.dcm"), "Window 600, 1600."),
    "cine.dcm": (dicom_file("SC_rgb_rle_2frame.dcm"), "Frame 1 of 2."),
    "series.zip": (zipped(SERIES), "Frame 3 of 5."),
}


def show(review: Review, name: str, content: bytes) -> None:
    review.drop({name: content})
    review.wait_for_result()


def after(review: Review, said: str) -> None:
    """Until it is said that this part was used, and its explanation is drawn."""
    expect(review.find(SAID)).to_have_text(said)
    review.wait_for_result()
    expect(review.find("#problem")).to_be_hidden()


def canvas_size(review: Review) -> list[int]:
    size: list[int] = review.find("[data-pane=original] canvas").evaluate("one => [one.width, one.height]")
    return size


@pytest.mark.parametrize("name", FILES)
def test_each_can_be_dropped_and_the_page_says_which_part_was_used(review: Review, name: str) -> None:
    content, said = FILES[name]
    show(review, name, content)
    expect(review.find(SAID)).to_have_text(said)
    expect(review.find("#reading")).to_contain_text("Read as ")
    expect(review.find("#cases img")).to_be_visible()  # of a format that the browser does not read, too


def test_pages_are_turned_and_chosen_by_number(review: Review) -> None:
    show(review, "letter.pdf", FILES["letter.pdf"][0])
    expect(review.find("#count")).to_have_text("of 3")
    expect(review.button("Previous")).to_be_disabled()
    review.button("Next").click()
    after(review, "Page 2 of 3.")
    expect(review.find("#name")).to_have_text("letter.pdf, page 2")
    review.find("#number").fill("3")
    review.find("#number").press("Enter")
    after(review, "Page 3 of 3.")
    expect(review.button("Next")).to_be_disabled()
    review.button("Previous").click()
    after(review, "Page 2 of 3.")
    review.find("[name=word][value=runner_up]").uncheck()
    review.button("Explain the image shown again").click()
    expect(review.find("#targets button")).to_have_count(1)
    after(review, "Page 2 of 3.")


def test_a_page_that_is_not_there_is_refused_at_the_field(review: Review) -> None:
    show(review, "letter.pdf", FILES["letter.pdf"][0])
    review.find("#number").fill("4")
    review.button("Go").click()
    assert review.find("#number").evaluate("field => field.validity.rangeOverflow")
    expect(review.find(SAID)).to_have_text("Page 1 of 3.")


def test_slices_of_a_series_are_turned(review: Review) -> None:
    show(review, "series.zip", FILES["series.zip"][0])
    review.button("Next").click()
    after(review, "Frame 4 of 5.")


def test_a_window_is_chosen_and_given_back(review: Review) -> None:
    show(review, "slice.dcm", FILES["slice.dcm"][0])
    expect(review.find("#level-center")).to_have_value("600")
    expect(review.button("The file's own")).to_be_disabled()
    review.find("#level-center").fill("500.5")
    review.find("#level-width").fill("1000")
    review.button("Show through it").click()
    after(review, "Window 500.5, 1000.")
    review.button("The file's own").click()
    after(review, "Window 600, 1600.")
    expect(review.find("#levels")).to_be_visible()


def test_what_has_no_pages_and_no_window_has_no_controls_for_them(review: Review) -> None:
    show(review, "one.png", WIDE)
    expect(review.find("#numbers")).to_be_hidden()
    expect(review.find("#levels")).to_be_hidden()
    expect(review.find(SAID)).to_have_text("")


def open_region(review: Review) -> None:
    show(review, "one.png", WIDE)
    review.find("#part summary").click()


def region(review: Review) -> list[int]:
    return [int(review.find(f"#region [name={name}]").input_value()) for name in ("left", "top", "width", "height")]


def test_a_region_is_drawn_with_the_mouse_and_explained(review: Review) -> None:
    """From a quarter of the width and half of the height to three quarters of both, of 80 by 60 pixels."""
    open_region(review)
    review.button("Draw it on the original").click()
    box = review.find("[data-pane=original] .frame").bounding_box()
    assert box
    x, y = box["x"], box["y"]
    mouse = review.tab.mouse
    mouse.move(x + box["width"] * 0.752, y + box["height"] * 0.752)
    mouse.down()
    mouse.move(x + box["width"] * 0.4, y + box["height"] * 0.6)
    mouse.move(x + box["width"] * 0.252, y + box["height"] * 0.502)
    mouse.up()
    assert region(review) == pytest.approx([20, 30, 41, 16], abs=1)
    expect(review.find("#zoom output")).to_have_text("100%")
    review.button("Explain this region").click()
    expect(review.find(SAID)).to_contain_text("Region of ")
    review.wait_for_result()
    left, top, width, height = region(review)
    assert [left, top, width, height] == pytest.approx([20, 30, 41, 16], abs=1)
    expect(review.find(SAID)).to_have_text(f"Region of {width} \u00d7 {height} pixels at {left}, {top}.")
    expect(review.find("#unseen")).to_be_visible()
    review.button("The whole picture").click()
    after(review, "")
    assert canvas_size(review) == [80, 60]


def test_a_region_is_drawn_where_the_picture_is_zoomed_to(review: Review) -> None:
    """At 225% around the middle, the frame shows from 0.278 to 0.722 of each side."""
    open_region(review)
    review.find("[data-pane=original] .frame").dblclick()
    review.button("Draw it on the original").click()
    box = review.find("[data-pane=original] .frame").bounding_box()
    assert box
    review.tab.mouse.move(box["x"] + 1, box["y"] + 1)
    review.tab.mouse.down()
    review.tab.mouse.move(box["x"] + box["width"] - 1, box["y"] + box["height"] - 1)
    review.tab.mouse.up()
    assert region(review) == pytest.approx([22, 16, 36, 28], abs=1)
    expect(review.find("#zoom output")).to_have_text("225%")


def test_a_region_is_moved_and_sized_by_keys(review: Review) -> None:
    open_region(review)
    review.button("Draw it on the original").press("Enter")
    expect(review.find("[data-pane=original] .frame")).to_be_focused()
    assert region(review) == [20, 15, 40, 30]
    press = review.tab.keyboard.press
    press("ArrowRight")
    press("ArrowDown")
    press("Shift+ArrowLeft")
    press("Shift+ArrowUp")
    assert region(review) == [22, 16, 38, 29]
    expect(review.find("#said")).to_have_text("Region of 38 by 29 pixels, 22 from the left and 16 from the top.")
    for _ in range(40):
        press("ArrowRight")
    assert region(review) == [42, 16, 38, 29]
    press("Enter")
    after(review, "Region of 38 \u00d7 29 pixels at 42, 16.")
    review.button("Draw it on the original").click()
    press("Escape")
    expect(review.button("Draw it on the original")).to_be_focused()
    expect(review.button("Draw it on the original")).to_have_attribute("aria-pressed", "false")


def test_a_region_is_drawn_with_a_finger(browser: Browser, served: Served) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 800}, has_touch=True)
    review = Review(context.new_page(), str(served.client.base_url))
    open_region(review)
    review.button("Draw it on the original").tap()
    frame = review.find("[data-pane=original] .frame")
    frame.scroll_into_view_if_needed()
    box = frame.bounding_box()
    assert box
    session = context.new_cdp_session(review.tab)

    def touch(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": box["x"] + box["width"] * x, "y": box["y"] + box["height"] * y} for x, y in places]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", (0.25, 0.25))
    touch("touchMove", (0.5, 0.6))
    touch("touchMove", (0.75, 0.75))
    touch("touchEnd")
    assert region(review) == pytest.approx([20, 15, 40, 30], abs=1)
    context.close()


def test_a_region_is_typed_and_one_beyond_the_picture_is_refused(review: Review) -> None:
    open_region(review)
    for name, value in (("left", "10"), ("top", "5"), ("width", "71"), ("height", "20")):
        review.find(f"#region [name={name}]").fill(value)
    review.button("Explain this region").click()
    assert "beyond" in review.find("#region [name=width]").evaluate("field => field.validationMessage")
    review.find("#region [name=width]").fill("30")
    review.button("Explain this region").click()
    after(review, "Region of 30 \u00d7 20 pixels at 10, 5.")
    review.find("#bars button:visible").first.click()
    expect(review.find("#targets button")).to_have_count(3)
    expect(review.find(SAID)).to_have_text("Region of 30 \u00d7 20 pixels at 10, 5.")


def test_every_page_becomes_a_case(review: Review) -> None:
    show(review, "letter.pdf", FILES["letter.pdf"][0])
    review.button("Next").click()
    after(review, "Page 2 of 3.")
    review.button("Every page").click()
    expect(review.find("#cases [data-state=done]")).to_have_count(3)
    assert sorted(review.cases()) == [f"letter.pdf, page {number}" for number in (1, 2, 3)]
    review.button("Every page").click()
    expect(review.find("#cases li")).to_have_count(3)
    review.find("#cases .case").last.click()
    after(review, "Page 3 of 3.")


def test_a_broken_page_leaves_the_others(review: Review) -> None:
    """The pixels of the first one are no stream of deflate."""
    whole = tiff_of(compression="tiff_deflate")
    at = whole.index(b"\x78\x9c") if b"\x78\x9c" in whole else whole.index(b"\x78\xda")
    review.find("#options .part summary").click()
    review.find("#options [name=page]").fill("2")
    show(review, "scan.tif", whole[: at + 2] + bytes(12) + whole[at + 14 :])
    review.button("Previous").click()
    review.expect_problem("This file cannot be read as an image")
    expect(review.find(SAID)).to_have_text("Page 1 of 3.")
    review.button("Next").click()
    after(review, "Page 2 of 3.")
    review.button("Every page").click()
    expect(review.find("#cases [data-state=done]")).to_have_count(2)
    expect(review.find("#cases [data-state=failed]")).to_have_count(1)


def test_of_very_many_pages_the_next_fifty_become_cases(review: Review) -> None:
    show(review, "book.pdf", pdf(*[COLORS[number % 3] for number in range(60)]))
    expect(review.find("#every")).to_have_text("Pages 1 to 50")
    review.find("#number").fill("20")
    review.find("#number").press("Enter")
    after(review, "Page 20 of 60.")
    expect(review.find("#every")).to_have_text("Pages 20 to 60")


def test_whoever_opens_the_address_sees_the_same_part(review: Review, new_tab: Callable[[], Page]) -> None:
    """And can explain it further; the other pages are in the file, which is not there."""
    show(review, "letter.pdf", FILES["letter.pdf"][0])
    review.button("Next").click()
    after(review, "Page 2 of 3.")
    review.find("#part summary").click()
    for name, value in (("left", "10"), ("top", "5"), ("width", "100"), ("height", "80")):
        review.find(f"#region [name={name}]").fill(value)
    review.button("Explain this region").click()
    said = "Page 2 of 3. Region of 100 \u00d7 80 pixels at 10, 5."
    after(review, said)
    other = Review(new_tab(), review.tab.url)
    after(other, said)
    expect(other.find("#numbers")).to_be_hidden()
    assert other.find("#options [name=page]").input_value() == ""
    other.find("#bars button:visible").first.click()
    expect(other.find("#targets button")).to_have_count(3)
    other.wait_for_result()
    expect(other.find("#problem")).to_be_hidden()


@pytest.mark.parametrize("width", [1280, 360])
def test_the_controls_have_no_grave_violation_and_fit(new_tab: Callable[[], Page], served: Served, width: int) -> None:
    tab = new_tab()
    tab.set_viewport_size({"width": width, "height": 800})
    review = Review(tab, str(served.client.base_url))
    show(review, "series.zip", zipped(SERIES))
    review.find("#part summary").click()
    review.button("Draw it on the original").click()
    assert violations(review) == []
    assert tab.evaluate("document.documentElement.scrollWidth") == width


def test_a_large_image_is_explained_in_tiles_and_one_of_them_looked_at_closer(review: Review) -> None:
    """Tiles of 40 with a quarter in common, in 80 by 60 pixels: at 0, 30 and 40 across, at 0 and 20 down."""
    review.find("[name=tile]").fill("40")
    show(review, "one.png", WIDE)
    tiles = review.find("#tiles")
    expect(tiles.locator("summary")).to_contain_text("In 6 tiles of 40 \N{MULTIPLICATION SIGN} 40 pixels")
    expect(review.find("#sweep")).to_be_hidden()
    outline = review.find("[data-pane=heatmap] .tile-box")
    expect(outline).to_be_hidden()
    tiles.locator("summary").click()
    rows = tiles.locator("tbody tr")
    expect(rows).to_have_count(6)
    expect(rows.first.locator("th")).to_have_text("0, 0")
    rows.last.hover()
    assert outline.evaluate("box => [box.style.left, box.style.top, box.style.width]") == ["50%", "33.3333%", "50%"]
    review.button("Explain the tile at 40, 20 by itself").click()
    after(review, "Region of 40 \N{MULTIPLICATION SIGN} 40 pixels at 40, 20.")
    expect(tiles).to_be_hidden()
    expect(outline).to_be_hidden()


def test_what_tiles_cannot_be_asked_with_is_said(review: Review) -> None:
    review.find("[name=tile]").fill("40")
    review.find("[name=sweep]").check()
    review.drop({"one.png": WIDE})
    review.expect_problem("The server does not take what was asked", "leave sweep or tile out")
