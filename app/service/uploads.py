"""From uploaded bytes to pixels, and to what the network is shown."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.images.decode import DecodedImage, DecodeLimits, decode
from app.images.fit import Fitting, fitting
from app.images.selection import Selection
from app.networks.description import InputDescription


@dataclass(frozen=True)
class Upload:
    """An upload as pixels: `floats` is RGB (height, width, 3), `fitted` the network's input (channels, h, w)."""

    decoded: DecodedImage
    floats: NDArray[np.float32]
    fitting: Fitting
    fitted: Tensor

    def fitted_for(self, wanted: InputDescription) -> Tensor:
        """What another network is shown of it, (channels, h, w)."""
        how = _fitting_to(self.decoded, wanted)
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
    how, floats = _fitting_to(decoded, wanted), decoded.floats()
    return Upload(decoded, floats, how, how.to_network(floats))


def _fitting_to(decoded: DecodedImage, wanted: InputDescription) -> Fitting:
    return fitting(
        decoded.height,
        decoded.width,
        height=wanted.height,
        width=wanted.width,
        channels=wanted.channels,
        fit=wanted.fit,
    )
