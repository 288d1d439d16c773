"""GET and DELETE /v1/explanations/{id}: an explanation again, and its pictures."""

import base64
import io
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from app.service.kept import KeptResults
from tests.web.serving import Served, picture, serving, small_settings

IMAGE = picture()
URL = "/v1/explanations"


@pytest.fixture(scope="module")
def answer(served: Served) -> httpx.Response:
    """One explanation, of a class whose name has a comma and a blank among others."""
    options = {"steps": "3", "targets": "all", "include": "heatmap,explained,arrays"}
    return served.client.post(URL, files={"image": IMAGE}, data=options).raise_for_status()


@pytest.fixture
def where(answer: httpx.Response) -> str:
    return f"{URL}/{answer.json()['id']}"


def test_it_is_given_again_byte_by_byte(client: httpx.Client, answer: httpx.Response, where: str) -> None:
    assert client.get(where).raise_for_status().content == answer.content


def test_the_answer_says_where_it_stands_and_until_when(answer: httpx.Response, where: str) -> None:
    assert answer.url.join(answer.headers["content-location"]).path == where
    found = answer.json()
    made, until = (datetime.fromisoformat(found[name]) for name in ("created", "kept_until"))
    assert timedelta(0) <= until - made - timedelta(hours=1) < timedelta(minutes=1)


@pytest.mark.parametrize("name_or_id", ["target", "target_id"])
def test_each_picture_has_an_address_by_its_targets_name_or_id(
    client: httpx.Client, answer: httpx.Response, where: str, name_or_id: str
) -> None:
    for one in answer.json()["explanations"]:
        for name, drawn in one["pictures"].items():
            found = client.get(f"{where}/{name}/{one[name_or_id]}.png").raise_for_status()
            assert found.headers["content-type"] == "image/png"
            assert found.content == base64.b64decode(drawn["data"])


def test_one_that_was_made_without_pictures_has_none_to_be_had(client: httpx.Client) -> None:
    made = client.post(URL, files={"image": IMAGE}, data={"steps": "3", "include": "arrays"}).raise_for_status()
    refused = client.get(f"{URL}/{made.json()['id']}", headers={"accept": "image/png"})
    assert (refused.status_code, refused.json()["type"]) == (404, "/problems/unknown-picture")
    assert "ask for one by include" in refused.json()["detail"]


def test_the_image_is_given_as_its_pixels(client: httpx.Client, where: str) -> None:
    found = client.get(f"{where}/image.png").raise_for_status()
    np.testing.assert_array_equal(Image.open(io.BytesIO(found.content)), Image.open(io.BytesIO(IMAGE)))


def test_it_is_given_in_each_media_type_that_it_was_offered_in(client: httpx.Client, where: str) -> None:
    zipped = client.get(where, headers={"accept": "application/zip"}).raise_for_status()
    assert "heatmap-0-cat.png" in zipfile.ZipFile(io.BytesIO(zipped.content)).namelist()
    assert client.get(where, headers={"accept": "image/png"}).content.startswith(b"\x89PNG")
    page = client.get(where, headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    refused = client.get(where, headers={"accept": "text/event-stream"})
    assert (refused.status_code, refused.json()["type"]) == (406, "/problems/not-acceptable")


@pytest.mark.parametrize("what", ["", "/image.png", "/heatmap/dog.png", "/report.html", "/report.pdf"])
def test_who_has_it_already_is_told_so_without_a_body(client: httpx.Client, where: str, what: str) -> None:
    first = client.get(where + what).raise_for_status()
    directives = dict(part.strip().partition("=")[::2] for part in first.headers["cache-control"].split(","))
    assert {"private", "immutable"} < set(directives)
    assert 0 < int(directives["max-age"]) <= 3600
    tag = first.headers["etag"]
    for known in (tag, f'"other", W/{tag}', "*"):
        again = client.get(where + what, headers={"if-none-match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert client.get(where + what, headers={"if-none-match": '"other"'}).status_code == 200


@pytest.mark.parametrize(("name", "media_type"), [("report.html", "text/html"), ("report.pdf", "application/pdf")])
def test_the_report_stands_beside_it_and_may_be_asked_for_at_once(
    client: httpx.Client, where: str, name: str, media_type: str
) -> None:
    found = client.get(f"{where}/{name}").raise_for_status()
    assert found.headers["content-type"].partition(";")[0] == media_type
    assert found.content == client.get(where, headers={"accept": media_type}).raise_for_status().content
    at_once = client.post(URL, files={"image": IMAGE}, data={"steps": "1"}, headers={"accept": media_type})
    again = client.get(at_once.url.join(at_once.headers["content-location"]), headers={"accept": media_type})
    assert at_once.raise_for_status().content == again.raise_for_status().content


def test_a_report_begins_with_what_the_installation_wants_known(models_dir: Path) -> None:
    with serving(small_settings(models_dir, report_notice="Zum <Lernen>.")) as running:
        page = running.client.post(URL, files={"image": IMAGE}, data={"steps": "1"}, headers={"accept": "text/html"})
    assert '<p class="notice" role="note">Zum &lt;Lernen&gt;.</p>' in page.raise_for_status().text


def test_other_answers_are_not_to_be_kept(client: httpx.Client, answer: httpx.Response, where: str) -> None:
    assert answer.headers["cache-control"] == "no-store"
    assert client.get(f"{where}/heatmap/9.png").headers["cache-control"] == "no-store"


@pytest.mark.parametrize("what", ["perturbation/dog.png", "heatmap/9.png", "heatmap/bird.png", "nothing/dog.png"])
def test_a_picture_that_it_has_not_is_404_and_says_what_it_has(client: httpx.Client, where: str, what: str) -> None:
    problem = client.get(f"{where}/{what}").json()
    assert (problem["status"], problem["type"]) == (404, "/problems/unknown-picture")
    assert "heatmap/1.png, explained/1.png" in problem["detail"]


def test_one_that_was_deleted_is_gone_with_its_pictures_and_others_stay(client: httpx.Client) -> None:
    """Three clients ask for the very same at once."""
    with ThreadPoolExecutor(2) as clients:
        options = {"steps": "1"}
        asked = [clients.submit(client.post, URL, files={"image": IMAGE}, data=options) for _ in range(2)]
        mine, other = (f"{URL}/{each.result().raise_for_status().json()['id']}" for each in asked)
    assert mine != other
    assert client.delete(mine).status_code == 204
    for request in ("GET", "DELETE"):
        problem = client.request(request, mine).json()
        assert (problem["status"], problem["type"]) == (410, "/problems/explanation-gone")
    assert client.get(f"{mine}/image.png").status_code == 410
    assert client.get(other).status_code == 200


def test_after_its_time_it_is_gone(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    where = f"{URL}/{served.client.post(URL, files={'image': IMAGE}).json()['id']}"
    kept: KeptResults = served.parts.explainer._kept
    now = kept._now
    with monkeypatch.context() as later:
        later.setattr(kept, "_now", lambda: now() + timedelta(hours=1))
        problem = served.client.get(where).json()
    assert (problem["status"], problem["type"]) == (410, "/problems/explanation-gone")
    assert "3600 s" in problem["detail"]


@pytest.fixture(scope="module")
def keeping_nothing(models_dir: Path) -> Iterator[httpx.Client]:
    with serving(small_settings(models_dir, result_ttl_seconds=0)) as running:
        yield running.client


def test_an_installation_may_keep_nothing(keeping_nothing: httpx.Client) -> None:
    answer = keeping_nothing.post(URL, files={"image": IMAGE}, data={"steps": "1"}).raise_for_status()
    assert answer.json()["kept_until"] is None
    assert "content-location" not in answer.headers
    problem = keeping_nothing.get(f"{URL}/{answer.json()['id']}").json()
    assert (problem["status"], problem["type"]) == (404, "/problems/unknown-explanation")
    assert "it is not kept here" in problem["detail"]
