"""A client for a running server: predictions and explanations as Python objects, with PIL images and numpy arrays.

    from app.client import Client

    with Client("http://localhost:8000") as client:
        found = client.explain("scan.png", targets=["pneumonia"])
        found["pneumonia"].heatmap.show()

`AsyncClient` has the same methods to be awaited. It needs httpx, Pillow and numpy, and nothing of the server.
"""

from app.client.answers import (
    ClassProbability,
    Explained,
    Explanation,
    Margin,
    Picture,
    Prediction,
    Progress,
    Started,
    TargetsChosen,
)
from app.client.asynchronous import AsyncClient
from app.client.errors import ClientError, NoAnswer, Problem, UnusableImage
from app.client.images import InArchive
from app.client.several import Part
from app.client.synchronous import Client

__all__ = [
    "AsyncClient",
    "ClassProbability",
    "Client",
    "ClientError",
    "Explained",
    "Explanation",
    "InArchive",
    "Margin",
    "NoAnswer",
    "Part",
    "Picture",
    "Prediction",
    "Problem",
    "Progress",
    "Started",
    "TargetsChosen",
    "UnusableImage",
]
