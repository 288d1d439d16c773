"""Images of a DICOMweb archive on the page: named by their UIDs, fetched by the server."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.archive.server import PASSWORD, USER, TestArchive, archive_serving
from tests.images.apart.files import dicom_file
from tests.web.page.review import Review
from tests.web.page.test_access import violations
from tests.web.serving import serving, small_settings

MR = dicom_file("MR_small.dcm")


@pytest.fixture(scope="module")
def archive() -> Iterator[TestArchive]:
    with archive_serving() as held:
        yield held


@pytest.fixture(scope="module")
def address(models_dir: Path, archive: TestArchive) -> Iterator[str]:
    """Of a server whose archive that is."""
    settings = small_settings(models_dir, dicomweb_url=archive.url, dicomweb_user=USER, dicomweb_password=PASSWORD)
    with serving(settings) as served:
        yield str(served.client.base_url)


@pytest.fixture
def fetching(new_tab: Callable[[], Page], address: str) -> Review:
    return Review(new_tab(), address)


def fetch(review: Review, uids: str) -> None:
    review.find("#archive [name=address]").fill(uids)
    review.button("Fetch and explain").click()


def test_an_image_of_the_archive_is_explained_and_shown_through_another_window(
    fetching: Review, archive: TestArchive
) -> None:
    at = archive.add(MR)
    fetch(fetching, f" {at.study}/{at.series}/{at.instance} ")
    fetching.wait_for_result()
    expect(fetching.find("#name")).to_have_text(f"archive, …{at.instance[-12:]}")
    expect(fetching.find("#part-said")).to_have_text("Window 600, 1600.")
    expect(fetching.find("#cases img")).to_be_visible()
    fetching.find("#level-width").fill("1000")
    fetching.button("Show through it").click()
    expect(fetching.find("#part-said")).to_have_text("Window 600, 1000.")
    fetching.wait_for_result()
    assert at.instance not in fetching.tab.url
    assert at.study not in fetching.tab.url


def test_an_image_that_the_archive_has_not_is_said(fetching: Review) -> None:
    fetch(fetching, "1.2/3.4/5.6")
    fetching.expect_problem("The archive has no such image", "Look at the three UIDs")


def test_what_is_no_address_is_refused_at_the_field(fetching: Review) -> None:
    fetch(fetching, "1.2/3.4")
    assert fetching.find("#archive [name=address]").evaluate("field => field.validity.patternMismatch")
    expect(fetching.find("#cases")).to_be_hidden()


def test_the_field_has_no_grave_violation(fetching: Review) -> None:
    expect(fetching.find("#archive")).to_be_visible()
    assert violations(fetching) == []


def test_without_an_archive_there_is_no_field_for_it(review: Review) -> None:
    expect(review.find("#archive")).to_be_hidden()
