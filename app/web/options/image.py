"""Options that say which image is meant, and which part of its file."""

from app.web.options.option import Option
from app.web.options.values import archived, box, center_and_width, ranges, whole


def _part(name: str, description: str) -> Option:
    return Option(name, whole, "a whole number from 1", {"type": "integer", "minimum": 1, "description": description})


DICOMWEB = Option(
    "dicomweb",
    archived,
    "STUDY/SERIES/INSTANCE: three UIDs of digits and dots, each of 64 characters at the most",
    {
        "type": "string",
        "pattern": "^[0-9.]{1,64}/[0-9.]{1,64}/[0-9.]{1,64}$",
        "description": "STUDY/SERIES/INSTANCE, by their UIDs, of an image in the installation's DICOMweb archive: it is"
        " explained in place of one that is sent, such as 1.2.840.99.1/1.2.840.99.1.2/1.2.840.99.1.2.3",
    },
)
"""Where the image is, if it is not sent: no option of the service's."""

IMAGE = (
    _part("page", "page of a PDF or TIFF, from 1; the first by default"),
    _part(
        "frame",
        "frame of a DICOM, HEIC, GIF, PNG or WebP file, from 1; the main one, of DICOM the middle one by default",
    ),
    Option(
        "window",
        center_and_width,
        "center,width: two numbers, the width above 0",
        {
            "type": "array",
            "items": {"type": "number"},
            "minItems": 2,
            "maxItems": 2,
            "description": "center and width, in the DICOM file's units such as HU, of the levels that run from black"
            " to white; the file's own by default",
        },
    ),
    Option(
        "region",
        box,
        "left,top,width,height: four whole numbers of pixels",
        {
            "type": "array",
            "items": {"type": "integer", "minimum": 0},
            "minItems": 4,
            "maxItems": 4,
            "description": "left, top, width and height, in pixels, of what the network is shown; all by default",
        },
    ),
)


def _several(name: str, what: str, by_itself: str) -> Option:
    return Option(
        name,
        ranges,
        "all, or numbers and ranges from 1 such as 1,3-5",
        {
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "integer", "minimum": 1}}],
            "description": f"{what}, each answered as by {by_itself}=N: all, or numbers and ranges such as 1,3-5; the"
            f" answer is then a list {name}, in which one that has a problem says so",
        },
    )


SEVERAL = (
    _several("pages", "pages of a PDF or TIFF", "page"),
    _several("frames", "frames of a DICOM, HEIC, GIF, PNG or WebP file, or of a zipped series", "frame"),
)
"""Of predictions and explanations."""
