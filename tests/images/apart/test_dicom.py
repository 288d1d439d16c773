"""DICOM as a person is shown it: against pydicom's own arithmetic, the standard's formulas by hand, and itself."""

from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_windowing
from pydicom.pixels.utils import pixel_array

from app.errors import AexError, DamagedImage, EmptyImage, ImageError, NoSuchPart, NotAnImage, TooManyPixels
from app.images.decode import DecodedImage, DecodeLimits, decode
from app.images.selection import Selected, Selection
from tests.images.apart.files import TEST_FILES, dicom_file, grey_dataset, grey_dicom, written
from tests.images.apart.private import private_words

LIMITS = DecodeLimits(max_bytes=1_000_000, max_pixels=1_000_000, max_seconds=30)
RAMP = np.arange(0, 4000, 100, dtype=np.int16).reshape(5, 8)
NAMES = sorted(path.name for path in TEST_FILES.glob("*.dcm"))


def shown(data: bytes, **wanted: Any) -> DecodedImage:
    return decode(data, LIMITS, Selection(**wanted))


def levels(data: bytes, **wanted: Any) -> list[float]:
    """The grey levels of the first row, in [0, 1]."""
    return [round(float(level), 4) for level in shown(data, **wanted).floats()[0, :, 0]]


@pytest.mark.parametrize("name", ["MR_small.dcm", "693_J2KI.dcm", "J2K_pixelrep_mismatch.dcm", "examples_overlay.dcm"])
def test_the_files_own_window_is_applied_as_pydicom_does(name: str) -> None:
    dataset = pydicom.dcmread(TEST_FILES / name)
    dataset.BitsStored = 16  # pydicom stretches to as many bits; here it is always to 16
    units = apply_modality_lut(pixel_array(dataset), dataset)
    ends = apply_windowing(np.array([-1e6, 1e6]), dataset)
    expected = (apply_windowing(units, dataset) - ends[0]) / (ends[1] - ends[0])
    image = shown(dicom_file(name))
    np.testing.assert_allclose(image.floats()[:, :, 0], expected, atol=2e-5)
    assert image.notes == ("The file's own window was used.",)


def test_a_window_of_the_users_is_the_standards_linear_function() -> None:
    stored = np.array([[-1, 0, 49, 50, 99, 100]], dtype=np.int16)
    assert levels(grey_dicom(stored), window=(50.0, 101.0)) == [0, 0.005, 0.495, 0.505, 0.995, 1]
    assert shown(grey_dicom(stored), window=(50.0, 101.0)).selected.window == (50, 101)


def test_a_window_is_in_the_files_units() -> None:
    in_houndsfield = grey_dicom(np.array([[0, 1000, 2000]], dtype=np.uint16), RescaleSlope=2, RescaleIntercept=-1000)
    assert levels(in_houndsfield, window=(1000.5, 4001.0)) == [0, 0.5, 1]


def test_a_narrow_window_of_fine_units_is_exact() -> None:
    fine = grey_dicom(np.array([[0, 1, 2]], dtype=np.uint16), RescaleSlope="0.1", RescaleIntercept=0)
    assert levels(fine, window=(0.1, 0.2)) == [0, 0.5, 1]


@pytest.mark.parametrize(("function", "expected"), [("LINEAR_EXACT", [0, 0.5, 1]), ("SIGMOID", [0.1192, 0.5, 0.8808])])
def test_the_files_function_shapes_the_window(function: str, expected: list[float]) -> None:
    stored = np.array([[0, 50, 100]], dtype=np.int16)
    assert levels(grey_dicom(stored, WindowCenter=50, WindowWidth=100, VOILUTFunction=function)) == expected


def test_of_several_windows_the_first_is_taken() -> None:
    image = shown(grey_dicom(RAMP, WindowCenter=[1000, 50], WindowWidth=[2000, 350]))
    assert image.selected.window == (1000, 2000)


@pytest.mark.parametrize("width", [0, -5])
def test_a_window_without_width_is_none(width: int) -> None:
    image = shown(grey_dicom(RAMP, WindowCenter=50, WindowWidth=width))
    assert (image.selected.window, image.floats().min(), image.floats().max()) == (None, 0, 1)


def test_monochrome1_is_white_where_nothing_is() -> None:
    window = {"WindowCenter": 2000, "WindowWidth": 3000}
    two = shown(grey_dicom(RAMP, **window)).floats()
    one = shown(grey_dicom(RAMP, PhotometricInterpretation="MONOCHROME1", **window)).floats()
    np.testing.assert_allclose(one, 1 - two, atol=2e-5)


def test_without_a_window_eight_bits_are_as_they_are() -> None:
    assert levels(grey_dicom(np.array([[10, 51, 204]], dtype=np.uint8))) == [0.0392, 0.2, 0.8]


def test_twelve_bits_without_a_window_run_from_the_darkest_to_the_brightest() -> None:
    image = shown(grey_dicom(np.array([[300, 400, 500]], dtype=np.uint16), BitsStored=12, HighBit=11))
    np.testing.assert_allclose(image.floats()[0, :, 0], [0, 0.5, 1], atol=1e-5)
    assert "no window" in image.notes[0]


def test_padding_is_black_and_no_part_of_the_range() -> None:
    stored = np.array([[-2000, 300, 400, 500]], dtype=np.int16)
    assert levels(grey_dicom(stored, PixelPaddingValue=-2000)) == [0, 0, 0.5, 1]


def lut(first: int, bits: int, entries: list[int], as_bytes: bool = False) -> Dataset:
    item = Dataset()
    item.LUTDescriptor = [len(entries), first, bits]
    item.add_new("LUTData", "OW" if as_bytes else "US", np.array(entries, "<u2").tobytes() if as_bytes else entries)
    return item


@pytest.mark.parametrize("as_bytes", [False, True])
def test_a_voi_table_is_looked_up_and_its_ends_go_on(as_bytes: bool) -> None:
    table = lut(first=100, bits=12, entries=[0, 1024, 4095], as_bytes=as_bytes)
    data = grey_dicom(np.array([[0, 100, 101, 102, 60_000]], dtype=np.uint16), VOILUTSequence=[table])
    assert levels(data) == [0, 0, 0.2501, 1, 1]
    assert shown(data).notes == ("The file's VOI look-up table was used.",)


def test_a_voi_table_of_eight_bits_takes_levels_above_its_own() -> None:
    table = lut(first=0, bits=8, entries=[0, 51, 255])
    assert levels(grey_dicom(np.array([[0, 1, 2, 300]], dtype=np.uint16), VOILUTSequence=[table])) == [0, 0.2, 1, 1]


def test_a_modality_table_comes_before_the_window() -> None:
    table = lut(first=0, bits=16, entries=[0, 1000, 100])
    table.ModalityLUTType = "HU"
    data = grey_dicom(np.array([[0, 1, 2]], dtype=np.uint16), ModalityLUTSequence=[table])
    assert levels(data, window=(500.5, 1001.0)) == [0, 1, 0.1]


def test_each_frame_of_an_enhanced_file_has_its_own_window() -> None:
    stored = np.stack([RAMP[:1], RAMP[:1]])
    dataset = grey_dataset(stored)
    dataset.PerFrameFunctionalGroupsSequence = []
    for center in (200.5, 400.5):
        item, group = Dataset(), Dataset()
        item.WindowCenter, item.WindowWidth = center, 401
        group.FrameVOILUTSequence = [item]
        dataset.PerFrameFunctionalGroupsSequence.append(group)
    data = written(dataset)
    assert levels(data, frame=1) == [0, 0.25, 0.5, 0.75, 1, 1, 1, 1]
    assert levels(data, frame=2) == [0, 0, 0, 0.25, 0.5, 0.75, 1, 1]


def test_what_all_frames_share_is_found() -> None:
    dataset = grey_dataset(np.stack([RAMP, RAMP]))
    transform, group = Dataset(), Dataset()
    transform.RescaleSlope, transform.RescaleIntercept, transform.RescaleType = 10, 0, "HU"
    group.PixelValueTransformationSequence = [transform]
    dataset.SharedFunctionalGroupsSequence = [group]
    assert levels(written(dataset), window=(2000.5, 4001.0))[:5] == [0, 0.25, 0.5, 0.75, 1]


def test_the_middle_frame_is_taken_and_said() -> None:
    frames = np.stack([np.full((2, 2), level, np.uint8) for level in (0, 51, 102, 153, 204)])
    image = shown(grey_dicom(frames))
    assert image.floats()[0, 0, 0] == pytest.approx(0.4)
    assert image.selected == Selected(frame=3, frames=5)
    assert image.notes == ("Frame 3 of 5, the middle one, was taken; frame=N takes another.",)


def test_a_frame_that_is_asked_for_is_taken() -> None:
    stored = pixel_array(pydicom.dcmread(TEST_FILES / "examples_ybr_color.dcm"), index=29)
    image = shown(dicom_file("examples_ybr_color.dcm"), frame=30)
    np.testing.assert_array_equal(image.pixels, stored)
    assert (image.selected, image.notes) == (Selected(frame=30, frames=30), ())


@pytest.mark.parametrize(
    "name", ["MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm", "MR_small_bigendian.dcm"]
)
def test_lossless_syntaxes_give_the_very_pixels(name: str) -> None:
    np.testing.assert_array_equal(shown(dicom_file(name)).pixels, shown(dicom_file("MR_small.dcm")).pixels)


def test_lossless_jpeg_is_read() -> None:
    lossless = shown(dicom_file("SC_rgb_jpeg_gdcm.dcm")).pixels
    np.testing.assert_array_equal(lossless, shown(dicom_file("SC_rgb_rle.dcm")).pixels)


def test_a_palette_gives_its_colours() -> None:
    dataset = pydicom.dcmread(TEST_FILES / "examples_palette.dcm")
    expected = apply_color_lut(pixel_array(dataset), dataset)
    np.testing.assert_array_equal(shown(dicom_file("examples_palette.dcm")).pixels, expected)


def test_colours_of_sixteen_bits_stay_so() -> None:
    image = shown(dicom_file("SC_rgb_rle_16bit.dcm"))
    np.testing.assert_array_equal(image.pixels, pixel_array(pydicom.dcmread(TEST_FILES / "SC_rgb_rle_16bit.dcm")))


@pytest.mark.parametrize(
    ("name", "kind", "sentence"),
    [
        ("rtplan.dcm", NotAnImage, "no Pixel Data (7FE0,0010)"),
        ("MR_truncated.dcm", DamagedImage, "Pixel Data (7FE0,0010) cannot be decoded: it is truncated"),
        ("JPEG-lossy.dcm", DamagedImage, "(JPEG Extended (Process 2 and 4))"),
        ("badVR.dcm", DamagedImage, "Number of Frames (0028,0008)"),
        ("meta_missing_tsyntax.dcm", NotAnImage, "Photometric Interpretation (0028,0004)"),
    ],
)
def test_what_cannot_be_shown_is_named_by_its_tag(name: str, kind: type[ImageError], sentence: str) -> None:
    with pytest.raises(kind) as caught:
        shown(dicom_file(name))
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("elements", "kind", "sentence"),
    [
        ({"Rows": 0}, EmptyImage, "Rows (0028,0010) is zero"),
        ({"Rows": 60_000, "Columns": 60_000}, TooManyPixels, "at most 1000000"),
        ({"NumberOfFrames": 3, "BitsAllocated": 64}, NotAnImage, "Bits Allocated (0028,0100) is above 32"),
        ({"SamplesPerPixel": 3}, DamagedImage, "group 0028"),
        ({"PhotometricInterpretation": "RGB"}, DamagedImage, "Samples per Pixel (0028,0002)"),
        ({"PhotometricInterpretation": "JANE ROE"}, NotAnImage, "Photometric Interpretation (0028,0004)"),
        (
            {"PhotometricInterpretation": "PALETTE COLOR"},
            DamagedImage,
            "Red Palette Color Lookup Table Data (0028,1201)",
        ),
        ({"VOILUTSequence": [Dataset()]}, DamagedImage, "VOI LUT Sequence (0028,3010)"),
        ({"FloatPixelData": bytes(160)}, NotAnImage, "Float Pixel Data"),
    ],
)
def test_elements_that_cannot_be_are_named(elements: dict[str, Any], kind: type[ImageError], sentence: str) -> None:
    with pytest.raises(kind) as caught:
        shown(grey_dicom(RAMP, **elements))
    assert sentence in str(caught.value)


def test_an_unknown_transfer_syntax_is_not_quoted() -> None:
    data = grey_dicom(RAMP).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.9.9\0")
    with pytest.raises(NotAnImage, match=r"Transfer Syntax UID \(0002,0010\) is none that is known here\."):
        shown(data)


@pytest.mark.parametrize(
    ("name", "wanted", "sentence"),
    [
        ("examples_ybr_color.dcm", {"frame": 31}, "frame is 31; this file has 30, counted from 1."),
        ("MR_small.dcm", {"page": 1}, "page is for PDF and TIFF, and the file is a DICOM"),
        ("examples_rgb_color.dcm", {"window": (1.0, 2.0)}, "window is for the grey levels of DICOM"),
    ],
)
def test_a_part_that_is_not_there_is_said(name: str, wanted: dict[str, Any], sentence: str) -> None:
    with pytest.raises(NoSuchPart) as caught:
        shown(dicom_file(name), **wanted)
    assert sentence in str(caught.value)


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's, of broken files
def test_each_of_pydicoms_files_is_shown_or_refused_with_a_sentence_of_ours() -> None:
    """Most are shown, and no sentence has a word of the file's own names, ids or descriptions."""
    images = 0
    for name in NAMES:
        try:
            image = shown(dicom_file(name))
            images += 1
            said = " ".join(image.notes)
        except ImageError as error:
            said = str(error)
        assert not [word for word in private_words(name) if word in said], name
    assert images >= 50


SMALL = [dicom_file(name) for name in ("SC_rgb_rle_2frame.dcm", "JPEGLSNearLossless_08.dcm", "rtdose_1frame.dcm")]


@settings(max_examples=150, deadline=None)
@given(
    data=st.sampled_from([*SMALL, grey_dicom(RAMP, WindowCenter=3, WindowWidth=4)]),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=4)), max_size=6),
    cut=st.floats(0, 1),
)
def test_mutated_files_give_pixels_or_an_error_of_ours(
    data: bytes, changes: list[tuple[float, bytes]], cut: float
) -> None:
    mutated = bytearray(data)
    for place, new in changes:
        at = int(place * len(mutated))
        mutated[at : at + len(new)] = new
    if cut < 0.5:
        del mutated[int(2 * cut * len(mutated)) :]
    try:
        image = decode(bytes(mutated), LIMITS)
    except AexError:
        return
    assert image.pixels.shape == (image.height, image.width, 3)
