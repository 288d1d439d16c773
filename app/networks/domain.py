"""Whether an image is a model's business: how far it lies from the images that the model was made for.

Two distances, each Mahalanobis's from the mean of training images (as Lee et al. 2018, arXiv 1807.03888, without their
classes): of what the network's last layer reads, and of a few plain statistics of the picture. The first alone knows a
photograph from an X-ray; but a network of few classes, made robust, looks past much, and gives ordinary features to a
grey or blurred picture that the second knows at once. Either is measured in units of what is usual, and the larger is
the score.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from app.networks.feature_maps import without_last_layer

_RIDGE = 0.01  # of variance 1: directions in which the training images hardly differ do not outweigh all others
_LEAST_CONTRAST = 1 / 255  # below one level of 8 bits there is nothing to tell apart
_LEAST_DISTANCE = 1e-6  # images that are all alike have no distances
_PARTS = ("mean", "root")


@dataclass(frozen=True)
class Cloud:
    """Where vectors lie: their mean (n,), and `root` (n, n), by which their distance from it is |(vector - mean) root|.

    Both are float32.
    """

    mean: Tensor
    root: Tensor

    @classmethod
    def around(cls, vectors: Tensor) -> "Cloud":
        """The cloud of vectors (count, n), in which a vector's mean squared distance is about 1."""
        vectors = vectors.double()
        mean, spread = vectors.mean(0), vectors.std(0, correction=0).clamp(min=1e-12)
        correlation = torch.cov(((vectors - mean) / spread).T, correction=0).reshape(len(mean), len(mean))
        values, axes = torch.linalg.eigh(correlation)
        root = axes / (values.clamp(min=0) + _RIDGE).sqrt() / spread[:, None] / len(mean) ** 0.5
        return cls(mean.float(), root.float())

    def distance(self, vectors: Tensor) -> Tensor:
        """Of each of (count, n), float32 (count,)."""
        from_mean: Tensor = torch.linalg.vector_norm((vectors - self.mean) @ self.root, dim=1)
        return from_mean

    def in_units_of(self, distance: float) -> "Cloud":
        """The same, where what had this distance has 1."""
        return Cloud(self.mean, self.root / distance)


@dataclass(frozen=True)
class Domain:
    """Where a model's own images lie.

    Attributes:
        read: from images to what the network's last layer reads.
        features: the cloud of that, in units of what is usual.
        picture: the same of `picture_statistics`.
    """

    read: nn.Module
    features: Cloud
    picture: Cloud

    @classmethod
    def around(
        cls, network: nn.Module, train: Iterable[Tensor], held_out: Iterable[Tensor], usual_share: float
    ) -> "Domain":
        """The domain of a network in evaluation mode.

        Args:
            network: images to logits.
            train: batches of images (batch, channels, height, width) in [0, 1] that say where its own images lie.
            held_out: batches of others of their kind.
            usual_share: of the held-out images, that either distance calls at most 1.
        """
        read = without_last_layer(network)
        known, others = (_vectors(read, batches) for batches in (train, held_out))
        clouds = []
        for vectors, unseen in zip(known, others, strict=True):
            cloud = Cloud.around(vectors)
            clouds.append(cloud.in_units_of(max(float(cloud.distance(unseen).quantile(usual_share)), _LEAST_DISTANCE)))
        return cls(read, *clouds)

    def scores(self, images: Tensor) -> Tensor:
        """How far each image (batch, channels, height, width) in [0, 1] lies from the model's own, float32 (batch,).

        The larger of both distances: about half for a usual image, above 1 for an unusual one.
        """
        return torch.maximum(*self.distances(images))

    def distances(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Of the features and of the picture, each in units of what is usual, float32 (batch,)."""
        features, statistics = _looked_at(self.read, images)
        return self.features.distance(features), self.picture.distance(statistics)

    def as_file(self) -> bytes:
        """Its numbers as a safetensors file."""
        clouds = {"features": self.features, "picture": self.picture}
        parts = ((f"{name}.{part}", getattr(cloud, part)) for name, cloud in clouds.items() for part in _PARTS)
        return save({name: tensor.cpu().contiguous() for name, tensor in parts})

    @classmethod
    def from_file(cls, content: bytes, network: nn.Module, image: Tensor) -> "Domain":
        """The domain of a network whose numbers are in a safetensors file, on the network's device.

        Args:
            content: of the file.
            network: images to logits.
            image: (1, channels, height, width), any that the network takes.

        Raises:
            ValueError: it is no safetensors file, or its numbers are not finite or not of this network; says which.
        """
        try:
            tensors = load(content)
        except SafetensorError as error:
            raise ValueError(f"it is not a safetensors file: {error}") from None
        read = without_last_layer(network)
        names = {f"{name}.{part}" for name in ("features", "picture") for part in _PARTS}
        if set(tensors) != names:
            raise ValueError(f"it must hold {', '.join(sorted(names))} and nothing else")
        clouds = []
        for name, vectors in zip(("features", "picture"), _looked_at(read, image), strict=True):
            count = vectors.shape[1]
            for part, shape in zip(_PARTS, ((count,), (count, count)), strict=True):
                tensor = tensors[f"{name}.{part}"]
                if tensor.shape != shape or tensor.dtype != torch.float32 or not tensor.isfinite().all():
                    raise ValueError(f"{name}.{part} must be finite numbers, float32, of shape {tuple(shape)}")
            clouds.append(Cloud(*(tensors[f"{name}.{part}"].to(image.device) for part in _PARTS)))
        return cls(read, *clouds)


def picture_statistics(images: Tensor) -> Tensor:
    """What a picture is like, whatever it shows: float32 (batch, 6), in colour (batch, 7).

    The mean; then logarithms: of contrast, of that of differences between neighbours along rows and columns, of that of
    differences between these, and of colour.

    Args:
        images: (batch, 1 or 3, height, width) in [0, 1].
    """
    across, down = _difference(images, 3), _difference(images, 2)
    varied = [images, across, down, _difference(across, 3), _difference(down, 2)]
    if images.shape[1] == 3:
        varied.append(images - images.mean(1, keepdim=True))
    contrasts = [(part.flatten(1).std(1, correction=0) + _LEAST_CONTRAST).log() for part in varied]
    return torch.stack([images.flatten(1).mean(1), *contrasts], 1)


def _difference(images: Tensor, dim: int) -> Tensor:
    """Each pixel less the one before it; the first of a row or column has none before it, and differs by 0."""
    return images.diff(dim=dim, prepend=images.narrow(dim, 0, 1))


@torch.no_grad()
def _looked_at(read: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    features: Tensor = read(images)
    return (features if features.dim() == 2 else features.flatten(2).mean(2)), picture_statistics(images)


def _vectors(read: nn.Module, batches: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    looked = [_looked_at(read, images) for images in batches]
    return torch.cat([features for features, _ in looked]), torch.cat([statistics for _, statistics in looked])
