"""From dropping a file to the explanation, and what else a person does on the page."""

from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.images.apart.files import dicom_file, pdf
from tests.images.files import encoded
from tests.web.page.review import Review
from tests.web.serving import CLASSES, Served, picture

MAX_BYTES = 300_000
IMAGE = picture()


def asked(client: httpx.Client, **options: object) -> dict[str, Any]:
    """What the interface answers to the same question."""
    answer: dict[str, Any] = client.post("/v1/explanations", files={"image": IMAGE}, data=options).json()
    return answer


def shown(probability: float) -> str:
    """As the page writes it, in plain cases."""
    return f"{100 * probability:.{1 if probability < 0.1 or probability > 0.99 else 0}f}%"


def rms(size: float) -> str:
    """Three digits, as the page writes them."""
    return f"{size:#.3g}".removeprefix("0")


def test_the_page_comes_from_here_alone_and_is_light(new_tab: Callable[[], Page], served: Served) -> None:
    tab, loaded = new_tab(), []
    tab.on("response", lambda answer: loaded.append((answer.url, len(answer.body()))))
    Review(tab, str(served.client.base_url))
    assert {httpx.URL(url).host for url, _ in loaded} == {served.host}
    assert len(loaded) > 10
    assert sum(size for _, size in loaded) < MAX_BYTES


def test_a_dropped_image_is_explained_as_the_interface_says(review: Review, client: httpx.Client) -> None:
    review.drop({"one.png": IMAGE})
    review.wait_for_result()
    answer = asked(client)
    prediction, (first, second) = answer["prediction"], answer["explanations"]
    expect(review.find("#name")).to_have_text("one.png")
    expect(review.find("#reading")).to_have_text(f"Read as {prediction['class']}, {shown(prediction['probability'])}.")
    before = {one["class"]: shown(one["probability"]) for one in prediction["top"]}
    for place, one in enumerate((first, second)):
        review.find("#targets button").nth(place).click()
        after = {found["class"]: shown(found["probability"]) for found in one["top_after"]}
        assert review.bars() == {name: (before[name], after[name]) for name in CLASSES}
        expect(review.find("#words")).to_contain_text(f"{one['target']} from {shown(one['probability_before'])} to")


def test_a_large_image_comes_back_no_larger_than_a_screen_shows(review: Review, client: httpx.Client) -> None:
    """A scan of a hundred megapixels would be half a gigabyte of base64 else."""
    review.drop({"large.png": encoded(np.full((500, 2000, 3), 90, np.uint8), "PNG")})
    review.wait_for_result()
    kept = review.tab.url.rpartition("case=")[2].partition("&")[0]
    for one in client.get(f"/v1/explanations/{kept}").json()["explanations"]:
        assert (one["pictures"]["explained"]["width"], one["pictures"]["explained"]["height"]) == (1600, 400)
    expect(review.find("[data-pane=explained] canvas.after")).to_have_attribute("width", "1600")
    review.find("details:has(#facts) summary").click()
    expect(review.find("#facts")).to_contain_text("2000 \u00d7 500 pixels")


def test_a_part_of_a_scan_is_chosen_and_said(review: Review) -> None:
    review.find(".part summary").click()
    review.find("input[name=frame]").fill("2")
    review.drop({"scan.dcm": dicom_file("SC_rgb_rle_2frame.dcm")})
    review.wait_for_result()
    review.find("details:has(#facts) summary").click()
    expect(review.find("#facts")).to_contain_text("DICOM, 100 \u00d7 100 pixels. Frame 2 of 2.")
    review.find("input[name=frame]").fill("")
    review.find("input[name=window]").fill("500, 1000")
    review.drop({"slice.dcm": dicom_file("MR_small.dcm")})
    expect(review.find("#name")).to_have_text("slice.dcm")
    review.wait_for_result()
    expect(review.find("#facts")).to_contain_text("Window 500, 1000. The window asked for was used.")


def test_a_part_that_is_not_there_is_said(review: Review) -> None:
    review.find(".part summary").click()
    review.find("input[name=page]").fill("3")
    review.drop({"letter.pdf": pdf(b"", b"")})
    review.expect_problem("The file has no such part", "page is 3; this file has 2, counted from 1.")


def test_several_images_make_a_list_and_each_is_shown_when_chosen(review: Review) -> None:
    review.drop({"a.png": IMAGE, "b.jpg": picture(9, 12, "JPEG"), "c.webp": picture(30, 20, "WEBP")})
    expect(review.find("#cases [data-state=done]")).to_have_count(3)
    assert list(review.cases()) == ["a.png", "b.jpg", "c.webp"]
    review.find("#cases .case").nth(2).click()
    expect(review.find("#name")).to_have_text("c.webp")
    review.button("Remove c.webp").click()
    expect(review.find("#name")).to_have_text("a.png")


def test_an_image_can_be_pasted_or_chosen(review: Review) -> None:
    review.paste({"pasted.png": IMAGE})
    review.wait_for_result()
    review.find("#files").set_input_files({"name": "chosen.png", "mimeType": "image/png", "buffer": IMAGE})
    expect(review.find("#name")).to_have_text("chosen.png")
    review.wait_for_result()


def test_the_form_says_what_is_asked(review: Review, client: httpx.Client) -> None:
    review.find("[name=word][value=runner_up]").uncheck()
    review.find("#class").fill(CLASSES[2])
    review.find("#class").press("Enter")
    review.find("[value=discourage]").check()
    review.find("#rho").fill("0.05")
    review.find("#method").select_option("paper")
    review.drop({"one.png": IMAGE})
    review.wait_for_result()
    answer = asked(client, targets=["predicted", "2"], direction="discourage", rho="0.05", method="paper")
    expect(review.find("#targets button")).to_have_count(len(answer["explanations"]))
    review.find("#targets button").last.click()
    after = shown(answer["explanations"][-1]["probability_after"])
    expect(review.find("#targets button").last).to_contain_text(after)
    expect(review.find("#words")).to_contain_text(f"less like {CLASSES[2]}")


def test_a_class_that_the_model_lacks_is_refused_at_the_field(review: Review) -> None:
    review.find("#class").fill("unicorn")
    review.find("#class").press("Enter")
    assert "no such class" in review.find("#class").evaluate("field => field.validationMessage")
    assert review.find("#named li").count() == 0


def test_the_picture_forms_while_it_is_worked_on(review: Review) -> None:
    review.tab.evaluate("""() => {
      const panes = document.querySelector("#panes"), image = panes.querySelector("[data-pane=explained] img");
      window.seen = [];
      new MutationObserver(() => window.seen.push([panes.dataset.state, image.src.slice(0, 15)]))
        .observe(image, { attributes: true });
    }""")
    review.find("#model").select_option("slow")
    review.find("#method").select_option("paper")
    review.drop({"one.png": IMAGE})
    review.wait_for_result()
    assert ["forming", "data:image/png;"] in review.tab.evaluate("window.seen")


def test_a_class_that_is_pressed_is_contrasted_with_the_reading(review: Review, client: httpx.Client) -> None:
    review.drop({"one.png": IMAGE})
    review.wait_for_result()
    answer = asked(client, targets="runner_up", against="predicted")
    (one,) = answer["explanations"]
    review.button(f"Why not {one['target']}?").click()
    tab = review.find("#targets button").nth(2)
    expect(tab).to_contain_text(f"{one['target']}, not {one['against']}")
    expect(tab).to_contain_text(shown(one["probability_after"]))
    expect(tab).to_have_attribute("aria-pressed", "true")


def test_the_slider_shows_each_size_that_was_computed_and_asks_for_nothing(
    review: Review, client: httpx.Client
) -> None:
    review.drop({"one.png": IMAGE})
    review.wait_for_result()
    review.button("Explain at other sizes").click()
    slider = review.find("#size")
    expect(slider).to_be_visible()
    one = asked(client, targets="predicted", sweep=8)["explanations"][0]
    requests: list[str] = []
    review.tab.on("request", lambda request: requests.append(request.url))
    slider.press("End")
    for point in reversed(one["sweep"]):
        expect(slider).to_have_attribute("aria-valuetext", f"RMS {rms(point['perturbation_rms'])}")
        after = {found["class"]: shown(found["probability"]) for found in point["top_after"]}
        assert {name: bars[1] for name, bars in review.bars().items()} == after
        slider.press("ArrowLeft")
    expect(review.find("#words")).to_have_text("This is the image as it was given, with nothing changed.")
    assert requests == []


def test_other_methods_lie_beside_with_their_agreement(review: Review, client: httpx.Client) -> None:
    review.find("[value=gradient]").check()
    review.find("[value=gradcam]").check()
    review.drop({"one.png": IMAGE})
    review.wait_for_result()
    table = asked(client, targets="predicted", methods="gradient,gradcam")["explanations"][0]["agreement"]
    figures = review.find("#beside figure")
    expect(figures).to_have_count(2)
    for place, name in enumerate(("Input gradient", "Grad-CAM")):
        expect(figures.nth(place).locator("figcaption")).to_have_text(name)
        expect(figures.nth(place)).to_contain_text(f"with the change {table['rank_correlation'][0][place + 1]:.2f}")


def test_the_smallest_change_that_flips_it_finds_its_size_by_itself(review: Review, client: httpx.Client) -> None:
    review.find("#method").select_option("counterfactual")
    review.find("#rho").fill("0.05")
    review.find("[name=sweep]").check()
    review.drop({"one.png": IMAGE})
    review.wait_for_result()
    one = asked(client, method="counterfactual")["explanations"][0]
    expect(review.find("#words")).to_contain_text(f"RMS {rms(one['perturbation_rms'])}")
    expect(review.find("#words")).to_contain_text(f"is read as {one['changed_class_to']}")
    expect(review.button("Explain at other sizes")).to_be_hidden()


def test_the_verdict_is_said_with_its_reasons_in_the_servers_words(review: Review, client: httpx.Client) -> None:
    review.drop({"one.png": IMAGE})
    review.wait_for_result()
    verdict = asked(client)["explanations"][0]["verdict"]
    assert verdict["level"] != "high"  # these models are not calibrated
    expect(review.find("#verdict summary")).to_contain_text(verdict["reasons"][0]["sentence"])
    review.find("#verdict summary").click()
    expect(review.find("#verdict li")).to_have_text([reason["sentence"] for reason in verdict["reasons"]])


def test_the_quality_of_each_map_is_shown_as_the_interface_has_it(review: Review, client: httpx.Client) -> None:
    review.find("[name=quality]").check()
    review.find("[name=methods][value=gradient]").check()
    review.drop({"one.png": IMAGE})
    review.wait_for_result()
    quality = asked(client, quality="true", methods="adversarial,gradient")["explanations"][0]["quality"]
    review.find("#quality summary").click()
    expect(review.find("#quality tbody tr")).to_have_count(4)
    expected = [f"{quality['methods'][name]['deletion_area']:.3f}" for name in ("adversarial", "gradient")]
    expected += [f"{quality[order]['deletion_area']:.3f}" for order in ("random", "edges")]
    expect(review.find("#quality tbody td:nth-child(3)")).to_have_text(expected)


def test_a_verdict_and_a_quality_are_of_the_size_asked_for_alone(review: Review) -> None:
    for box in ("quality", "sweep"):
        review.find(f"[name={box}]").check()
    review.drop({"one.png": IMAGE})
    review.wait_for_result()
    expect(review.find("#verdict")).to_be_visible()
    review.find("#size").fill("1")
    expect(review.find("#verdict")).to_be_hidden()
    expect(review.find("#quality")).to_be_hidden()


def test_the_margin_is_said_in_the_servers_words(review: Review, client: httpx.Client) -> None:
    review.find("[name=margin]").check()
    review.drop({"one.png": IMAGE})
    review.wait_for_result()
    expect(review.find("#margin")).to_have_text(asked(client, margin="true")["margin"]["says"])


def test_an_image_is_explained_again_with_other_options(review: Review) -> None:
    review.drop({"one.png": IMAGE})
    review.wait_for_result()
    review.find("[name=word][value=runner_up]").uncheck()
    review.button("Explain the image shown again").click()
    expect(review.find("#targets button")).to_have_count(1)


@pytest.mark.parametrize(
    ("color_map", "kind", "overlay"),
    [("coolwarm", "signed", "original"), ("PuOr_r", "signed", "none"), ("inferno", "magnitude", "original")],
)
def test_the_map_is_the_one_that_the_server_draws(
    review: Review, client: httpx.Client, color_map: str, kind: str, overlay: str
) -> None:
    """To two levels of 255: opacity is rounded to 8 bits in between."""
    review.drop({"one.png": IMAGE})
    review.wait_for_result()
    review.find("#map").select_option(color_map)
    review.find("#onto").select_option({"original": "image", "none": "nothing"}[overlay])
    answer = asked(client, heatmap=kind, color_map=color_map, overlay=overlay, include="heatmap", targets="predicted")
    drawn = answer["explanations"][0]["pictures"]["heatmap"]
    apart = review.tab.evaluate(
        """async ({ data, enlarged }) => {
      const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
      const bitmap = await createImageBitmap(new Blob([bytes]));
      const [before, map] = document.querySelectorAll("[data-pane=heatmap] canvas");
      const pixels = (draw) => {
        const context = new OffscreenCanvas(map.width, map.height).getContext("2d");
        context.imageSmoothingEnabled = false;
        draw(context);
        return context.getImageData(0, 0, map.width, map.height).data;
      };
      const mine = pixels((context) => [before, map].forEach((layer) => context.drawImage(layer, 0, 0)));
      const [width, height] = [map.width * enlarged, map.height * enlarged];
      const theirs = pixels((context) => context.drawImage(bitmap, 0, 0, width, height, 0, 0, map.width, map.height));
      return Math.max(...mine.map((level, at) => Math.abs(level - theirs[at])));
    }""",
        {"data": drawn["data"], "enlarged": drawn["enlarged"]},
    )
    assert apart <= 2
