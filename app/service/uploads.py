"""From uploaded bytes to pixels, and to what the network is shown."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.errors import NoSuchPart
from app.images.decode import DecodedImage, DecodeLimits, decode
from app.images.fit import Box, Fitting, fitting
from app.images.selection import Selection
from app.networks.description import InputDescription


@dataclass(frozen=True)
class Upload:
    """An upload as pixels: `floats` is RGB (height, width, 3), `fitted` the network's input (channels, h, w).

    `region` is the part that the network may see, None for all.
    """

    decoded: DecodedImage
    floats: NDArray[np.float32]
    fitting: Fitting
    fitted: Tensor
    region: Box | None = None

    def fitted_for(self, wanted: InputDescription) -> Tensor:
        """What another network is shown of it, (channels, h, w)."""
        how = _fitting_to(self.decoded, wanted, self.region)
        return self.fitted if how == self.fitting else how.to_network(self.floats)

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
    how, floats = _fitting_to(decoded, wanted, region), decoded.floats()
    return Upload(decoded, floats, how, how.to_network(floats), region)


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


def _fitting_to(decoded: DecodedImage, wanted: InputDescription, region: Box | None) -> Fitting:
    return fitting(
        decoded.height,
        decoded.width,
        height=wanted.height,
        width=wanted.width,
        channels=wanted.channels,
        fit=wanted.fit,
        region=region,
    )
