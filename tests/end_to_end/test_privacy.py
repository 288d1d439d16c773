"""Nothing of a patient is left behind by a server that read, explained or refused their scans."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.conftest import started_server
from tests.images.apart.files import dicom_file
from tests.images.apart.private import private_words
from tests.web.serving import save_tiny

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::UserWarning")]  # pydicom's, of broken files

NAMES = (
    "CT_small.dcm", "MR_small.dcm", "MR_small_RLE.dcm", "MR_truncated.dcm", "693_J2KI.dcm", "examples_ybr_color.dcm",
    "examples_palette.dcm", "examples_overlay.dcm", "SC_rgb_jpeg_gdcm.dcm", "SC_rgb_rle_16bit.dcm", "JPEG-lossy.dcm",
    "JPEG2000-embedded-sequence-delimiter.dcm", "ExplVR_BigEnd.dcm", "rtdose.dcm", "rtplan.dcm", "test-SR.dcm",
    "waveform_ecg.dcm", "badVR.dcm", "image_dfl.dcm", "SC_rgb_small_odd.dcm",
)  # fmt: skip
OBJECTS = "secondary_capture,parametric_map"
WITH_OBJECTS = ("CT_small.dcm", "rtdose.dcm")


@contextmanager
def server(folder: Path) -> Iterator[httpx.Client]:
    """A client of a server process that keeps its log, its cache and its temporary files below this folder."""
    save_tiny(folder / "models" / "tiny", seed=1)
    (folder / "tmp").mkdir()
    settings = {
        "AEX_MODELS_DIR": str(folder / "models"),
        "AEX_DEFAULT_MODEL": "tiny",
        "AEX_LOG_FORMAT": "json",
        "AEX_THREADS": "1",
        "AEX_STEP_BACKEND": "eager",
        "TMPDIR": str(folder / "tmp"),
    }
    with started_server(folder / "log", **settings) as address, httpx.Client(base_url=address, timeout=60) as client:
        yield client


def test_no_log_file_or_error_has_a_word_of_a_patients(tmp_path: Path) -> None:
    statuses: Counter[int] = Counter()
    secrets: set[str] = set()
    with server(tmp_path) as client:
        for name in NAMES:
            words = private_words(name)
            label = max(words, default="patient") + ".dcm"
            answer = client.post(
                "/v1/explanations",
                files={"image": (label, dicom_file(name))},
                data={"steps": "1", "targets": "predicted", "include": OBJECTS if name in WITH_OBJECTS else "heatmap"},
            )
            statuses[answer.status_code] += 1
            frames = client.post("/v1/predictions", files={"image": (label, dicom_file(name))}, data={"frames": "all"})
            assert not [word for word in words if word in frames.text], name
            said = re.sub(r'"data": "[^"]*"', "", answer.text)  # but for pictures, in which any short word may stand
            assert not [word for word in words if word in said], name
            secrets |= words
            assert (name in WITH_OBJECTS) == ("parametric_map" in said), name
        metrics = client.get("/metrics").text
    assert set(statuses) == {200, 400, 415}
    assert statuses[200] >= 12
    left = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert tmp_path / "log" in left
    assert len(secrets) > 80
    for secret in secrets:
        assert secret not in metrics
        assert not [path for path, content in left.items() if secret in str(path) or secret.encode() in content], secret
    assert not list((tmp_path / "tmp").iterdir())
