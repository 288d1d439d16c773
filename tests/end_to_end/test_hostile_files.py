"""Files that are broken, or made to break readers, sent to a real server: a sentence each, time and memory bounded."""

import random
import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.conftest import free_port, server_process
from tests.end_to_end.processes import measured
from tests.end_to_end.traces import require_nothing_left
from tests.images.apart.bombs import (
    bomb_of_memory,
    bomb_of_time,
    chain,
    deflated_bomb,
    empty_heics,
    encrypted_pdf,
)
from tests.images.apart.files import dicom_file, pdf
from tests.images.apart.private import private_words
from tests.web.serving import save_tiny

pytestmark = pytest.mark.slow

EXPLAIN = "/v1/explanations"
MAX_PIXELS = 1_000_000
DECODE_SECONDS = 3.0
SPARE_SECONDS = 4.0  # to start a reader anew, and to answer
MOST_BYTES = 256 * 2**20 + 24 * MAX_PIXELS + 100 * 2**20
"""What a reader may take, as `app.images.apart.process` says, and what it and the server have beside it."""

SHOWN = {
    "MR_small.dcm": "MR, 16 bit",
    "MR_small_RLE.dcm": "RLE",
    "MR_small_jp2klossless.dcm": "JPEG 2000, lossless",
    "MR_small_jpeg_ls_lossless.dcm": "JPEG-LS",
    "MR_small_bigendian.dcm": "big endian",
    "CT_small.dcm": "CT, signed",
    "693_J2KI.dcm": "CT, JPEG 2000",
    "examples_rgb_color.dcm": "US, RGB",
    "examples_palette.dcm": "US, palette",
    "examples_ybr_color.dcm": "US, YBR of JPEG, 30 frames",
    "examples_jpeg2k.dcm": "US, YBR of JPEG 2000",
    "SC_ybr_full_422_uncompressed.dcm": "YBR, 8 bit",
    "SC_rgb_rle_16bit.dcm": "RGB, 16 bit",
    "SC_rgb_rle_2frame.dcm": "RLE, 2 frames",
    "SC_rgb_jpeg_gdcm.dcm": "JPEG, lossless",
    "JPEG2000.dcm": "NM",
    "image_dfl.dcm": "deflated",
    "rtdose.dcm": "dose, 32 bit, 15 frames",
    "liver_1frame.dcm": "segmentation, 1 bit",
}
REFUSED = {
    "JPEG-lossy.dcm": "(JPEG Extended (Process 2 and 4))",
    "MR_truncated.dcm": "Pixel Data (7FE0,0010)",
    "badVR.dcm": "Number of Frames (0028,0008)",
    "rtplan.dcm": "Pixel Data (7FE0,0010)",
    "test-SR.dcm": "Pixel Data (7FE0,0010)",
}
TO_BREAK = (
    "MR_small.dcm", "CT_small.dcm", "examples_palette.dcm", "MR_small_RLE.dcm", "693_J2KI.dcm", "SC_rgb_jpeg_gdcm.dcm",
    "examples_ybr_color.dcm", "rtdose.dcm",
)  # fmt: skip
CUTS, FLIPS = 16, 24
HEADER_BYTES = 2000


@dataclass(frozen=True)
class Served:
    """A server process."""

    client: httpx.Client
    pid: int
    log: Path


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server process that has read a file of each kind, so that its readers are there."""
    folder, port = tmp_path_factory.mktemp("hostile"), free_port()
    save_tiny(folder / "models" / "tiny", seed=1)
    (folder / "tmp").mkdir()
    settings = {
        "AEX_MODELS_DIR": str(folder / "models"),
        "AEX_DEFAULT_MODEL": "tiny",
        "AEX_LOG_FORMAT": "json",
        "AEX_THREADS": "1",
        "AEX_STEP_BACKEND": "eager",
        "TMPDIR": str(folder / "tmp"),
        "AEX_MAX_IMAGE_PIXELS": str(MAX_PIXELS),
        "AEX_MAX_DECODE_SECONDS": str(DECODE_SECONDS),
    }
    with (
        server_process(folder / "log", port, **settings) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client,
    ):
        for data in (pdf(b""), dicom_file("MR_small.dcm")):
            explain(client, data)
        yield Served(client, process.pid, folder / "log")
        assert process.poll() is None
    require_nothing_left(folder, "", {word for name in (*SHOWN, *REFUSED) for word in private_words(name)})


def explain(client: httpx.Client, data: bytes, **options: str) -> httpx.Response:
    few = {"steps": "1", "targets": "predicted", "include": "heatmap", **options}
    return client.post(EXPLAIN, files={"image": data}, data=few)


@pytest.mark.parametrize("name", SHOWN)
def test_dicom_of_every_kind_is_explained(served: Served, name: str) -> None:
    answer = explain(served.client, dicom_file(name))
    assert answer.status_code == 200, answer.text
    assert answer.json()["image"]["format"] == "DICOM"


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_explained_is_refused_by_its_tag_or_syntax(served: Served, name: str) -> None:
    answer = explain(served.client, dicom_file(name))
    assert answer.status_code in (400, 415)
    assert REFUSED[name] in answer.json()["detail"]


def broken(data: bytes, seed: int) -> Iterator[bytes]:
    """Cut at many places, and with bits flipped: half of these where the elements are, before most of the pixels."""
    chance = random.Random(seed)
    for number in range(CUTS):
        yield data[: len(data) * number // CUTS]
    for number in range(FLIPS):
        mutated = bytearray(data)
        for _ in range(chance.randint(1, 20)):
            where = chance.randrange(min(HEADER_BYTES, len(data)) if number % 2 else len(data))
            mutated[where] ^= 1 << chance.randrange(8)
        yield bytes(mutated)


def test_broken_dicom_is_explained_or_refused_and_never_a_fault(served: Served) -> None:
    files = [data for seed, name in enumerate(TO_BREAK) for data in broken(dicom_file(name), seed)]
    words = {word for name in TO_BREAK for word in private_words(name)}
    assert len(files) >= 320
    objects = {"include": "heatmap,secondary_capture"}
    with ThreadPoolExecutor(4) as threads:
        answers = list(
            threads.map(
                lambda each: explain(served.client, each[1], **(objects if each[0] % 2 else {})), enumerate(files)
            )
        )
    statuses = Counter(answer.status_code for answer in answers)
    print(f"{len(files)} broken files: {dict(statuses)}")  # noqa: T201 - what was measured
    assert set(statuses) <= {200, 400, 413, 415, 422}
    assert min(statuses[200], statuses[400]) > 20
    refused = [answer.json() for answer in answers if answer.status_code != 200]
    assert all(re.fullmatch(r"[A-Z].{20,}\.", one["detail"], re.DOTALL) for one in refused)
    assert len(words) > 40
    assert not [one["detail"] for one in refused if any(word in one["detail"] for word in words)]
    assert b'"fault"' not in served.log.read_bytes()


FULL_PDF = pdf(*[b"1 0 0 rg 0 0 72 72 re f"] * 3)
LONG_PDF = pdf(*[b""] * 10_000)

HOSTILE: dict[str, tuple[bytes, dict[str, str], set[str]]] = {
    **{
        f"PDF cut at {share:.0%}": (FULL_PDF[: int(share * len(FULL_PDF))], {}, {"", "damaged-image", "not-an-image"})
        for share in (0.005, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99)
    },
    "PDF that is encrypted": (encrypted_pdf(), {}, {"not-an-image"}),
    "PDF of 10,000 pages, its first": (LONG_PDF, {}, {""}),
    "PDF of 10,000 pages, its last": (LONG_PDF, {"page": "10000"}, {""}),
    "PDF of 10,000 pages, one more": (LONG_PDF, {"page": "10001"}, {"no-such-part"}),
    "PDF with a page of a mile": (pdf(b"", size=(10**9, 10**9)), {}, {""}),
    "PDF that draws itself for ever": (bomb_of_time(), {}, {"decoding-too-large", "decoding-too-costly"}),
    "PDF of 270 megabytes of commands": (bomb_of_memory(), {}, {"decoding-too-large", "decoding-too-costly"}),
    "HEIC of a kind and no more": (empty_heics()[0], {}, {"damaged-image"}),
    "HEIC without a picture": (empty_heics()[1], {}, {"damaged-image"}),
    "TIFF of a million pages": (chain(1_000_000, last=0), {}, {"damaged-image"}),
    "TIFF whose pages lead in a circle": (chain(3, last=14), {}, {"damaged-image"}),
    "DICOM that inflates to 280 megabytes": (deflated_bomb(), {}, {"decoding-too-large"}),
}
"""Each file, its options, and the problems that will do; "" for an explanation."""


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_answered_in_bounded_time_and_memory(served: Served, name: str) -> None:
    data, options, allowed = HOSTILE[name]
    with measured(served.pid) as taken:
        answer = explain(served.client, data, **options)
    slug = "" if answer.status_code == 200 else answer.json()["type"].rpartition("/")[2]
    print(f"{name}: {answer.status_code} {slug}, {taken.seconds:.2f} s, {taken.bytes / 2**20:.0f} MiB more")  # noqa: T201 - what was measured
    assert slug in allowed
    assert taken.seconds < DECODE_SECONDS + SPARE_SECONDS
    assert taken.bytes < MOST_BYTES
    assert explain(served.client, pdf(b"")).status_code == 200
