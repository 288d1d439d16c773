"""What of a DICOM file is a patient's, or may be."""

import pydicom
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.errors import InvalidDicomError

from tests.images.apart.files import TEST_FILES

KINDS = ("PN", "LO", "SH", "DA", "UI", "LT")


def private_words(name: str) -> set[str]:
    """Values of the elements of one of pydicom's files that are names, ids, dates or free text."""
    try:
        dataset = pydicom.dcmread(TEST_FILES / name, stop_before_pixels=True)
    except InvalidDicomError:
        return set()
    known = (tag for tag in dataset._dict if dictionary_has_tag(tag) and dictionary_VR(tag) in KINDS)
    return {words for words in (str(dataset[tag].value) for tag in known) if _tells(words)}


def _tells(words: str) -> bool:
    """Whether they would not stand somewhere by chance, as short numbers do."""
    return len(set(words)) > 2 and len(words) >= (8 if words.isdecimal() else 4)
