"""From uploaded bytes to pixels, and to what the network is shown."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from app.errors import NoSuchPart
from app.images.bands import bands
from app.images.decode import DecodedImage, DecodeLimits, decode
from app.images.fit import Box, Fitting, Reader, fitting
from app.images.selection import Selection
from app.networks.description import InputDescription


@dataclass(frozen=True)
class Upload:
    """An upload as pixels: `decoded`, and `fitted`, the network's input (channels, h, w).

    `region` is the part that the network may see, None for all.
    """

    decoded: DecodedImage
    fitting: Fitting
    fitted: Tensor
    region: Box | None = None

    def bands(self) -> Iterator[slice]:
        """The rows of the image, cut so that floats of a large one are never whole in memory."""
        return bands(self.decoded.height, self.decoded.width)

    def fitted_for(self, wanted: InputDescription) -> Tensor:
        """What another network is shown of it, (channels, h, w)."""
        how = fitting_to(self.decoded, wanted, self.region)
        return self.fitted if how == self.fitting else read_all(self.decoded, [how])[0]

    def changeable(self) -> Tensor:
        """Float (h, w), 1 where the network's input shows the image and 0 on a letterbox's bars."""
        mask = torch.zeros(self.fitted.shape[1:])
        mask[self.fitting.content.rows, self.fitting.content.columns] = 1
        return mask


def read_upload(data: bytes, limits: DecodeLimits, wanted: InputDescription, selection: Selection) -> Upload:
    """Decode the selected part of an image and fit it to a network's input.

    Raises:
        ImageError: it is no image that we read, has no such part, or costs more than the limits allow.
    """
    decoded = decode(data, limits, selection)
    region = _region(decoded, selection)
    how = fitting_to(decoded, wanted, region)
    return Upload(decoded, how, read_all(decoded, [how])[0], region)


def read_all(decoded: DecodedImage, ways: Sequence[Fitting]) -> list[Tensor]:
    """What a network is shown of an image by each fitting, (channels, h, w), in one walk over its pixels."""
    readers = [Reader(how) for how in ways]
    for band in bands(decoded.height, decoded.width):
        rows = decoded.floats(band)
        for reader in readers:
            reader.push(rows)
    return [reader.finish() for reader in readers]


def _region(decoded: DecodedImage, selection: Selection) -> Box | None:
    if selection.region is None:
        return None
    box = Box(*selection.region)
    if box.left + box.width > decoded.width or box.top + box.height > decoded.height:
        raise NoSuchPart(
            f"The region ends at {box.left + box.width}, {box.top + box.height}; the image has"
            f" {decoded.width} x {decoded.height} pixels."
        )
    return box


def fitting_to(decoded: DecodedImage, wanted: InputDescription, region: Box | None) -> Fitting:
    """How a part of an image, None for all, meets a network's input."""
    return fitting(
        decoded.height,
        decoded.width,
        height=wanted.height,
        width=wanted.width,
        channels=wanted.channels,
        fit=wanted.fit,
        region=region,
    )
