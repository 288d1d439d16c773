"""The process apart: what it may cost, what it is told, and that it goes on."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from app.errors import DamagedImage, DecodeTooLarge, ImageError
from app.images.apart import process
from app.images.apart.__main__ import WORK
from app.images.decode import DecodeLimits, decode
from tests.images.apart.bombs import deflated_bomb
from tests.images.apart.files import dicom_file, grey_dicom, pdf

LIMITS = DecodeLimits(max_bytes=10_000_000, max_pixels=1_000_000, max_seconds=30)
PATIENT = "Roe^Jane"


@pytest.mark.slow
def test_a_deflated_bomb_is_refused_and_reading_goes_on() -> None:
    with pytest.raises(DecodeTooLarge, match="Reading the DICOM takes more memory than is allowed"):
        decode(deflated_bomb(), DecodeLimits(1_000_000, 10_000, 30))
    assert decode(dicom_file("MR_small.dcm"), LIMITS).width == 64


def test_a_reader_loads_no_torch_whatever_it_reads() -> None:
    """Which takes over 400 MB, and seconds."""
    modules = sorted({work.partition(":")[0] for work in WORK.values()})
    script = f"import sys, {', '.join(modules)}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_reader_that_was_killed_is_replaced() -> None:
    decode(pdf(b""), LIMITS)
    reader = process._idle.get_nowait()
    reader.close()
    process._idle.put(reader)
    assert decode(pdf(b""), LIMITS).width == 300


def test_a_reader_is_kept_for_the_next_file() -> None:
    decode(pdf(b""), LIMITS)
    before = process._idle.queue[-1]._process.pid
    decode(dicom_file("MR_small.dcm"), LIMITS)
    assert process._idle.queue[-1]._process.pid == before


def test_a_reader_is_told_no_secret_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AEX_SECRET", "of the server")
    for idle in list(process._idle.queue):
        idle.close()  # one that is started from here on would have it
    decode(pdf(b""), LIMITS)
    environment = Path(f"/proc/{process._idle.queue[-1]._process.pid}/environ").read_bytes()
    assert b"PYTHONPATH" in environment
    assert b"AEX_" not in environment


def test_many_threads_read_at_once() -> None:
    files = {"MR_small.dcm": 64, "CT_small.dcm": 128, "SC_rgb_rle.dcm": 100}
    with ThreadPoolExecutor(8) as threads:
        widths = threads.map(lambda name: decode(dicom_file(name), LIMITS).width, [*files] * 8)
    assert list(widths) == [*files.values()] * 8


def test_nobody_hears_what_a_library_prints(capfd: pytest.CaptureFixture[str]) -> None:
    """Its JPEG 2000 reader prints what it finds wrong with this file."""
    with pytest.raises(DamagedImage):
        decode(dicom_file("JPEG2000-embedded-sequence-delimiter.dcm"), LIMITS)
    assert capfd.readouterr() == ("", "")


def test_what_is_wrong_is_said_without_the_patient() -> None:
    data = grey_dicom(np.zeros((2, 2), np.uint8), PatientName=PATIENT, PatientID=PATIENT, NumberOfFrames=7)
    with pytest.raises(ImageError) as caught:
        decode(data, LIMITS)
    assert PATIENT not in str(caught.value)
    assert PATIENT not in str(caught.value.__context__)
