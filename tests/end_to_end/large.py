"""A server that is asked about a scan of a hundred megapixels, and what memory it takes.

`python -m tests.end_to_end.large` prints the peak of a fresh server for each format, and each way to explain it.
"""

import io
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.end_to_end.conftest import ROOT, free_port, server_process
from tests.images.apart.files import grey_dicom
from tests.web.serving import save_tiny

SIDE = 10_000
PICTURES = "heatmap,perturbation,explained"
WAYS: Mapping[str, Mapping[str, str]] = {
    "whole": {},
    "region": {"region": "2000,3000,4000,5000"},
    "tiles": {"tile": "3000"},
}
SMALL: Mapping[str, Mapping[str, str]] = {
    "sheet": {"include": "sheet"},
    "sweep": {"include": "sweep,film_strip,curve,animation", "sweep": "4", "picture_side": "1000"},
    "counterfactual": {"include": "heatmap", "method": "counterfactual"},
    "report": {"include": "heatmap", "picture_side": "1600"},
}
"""What is made of a large image, and is small."""


@dataclass(frozen=True)
class Server:
    """A server process of its own."""

    address: str
    pid: int

    def explain(self, image: bytes, **options: str) -> dict[str, int]:
        """The bytes of each picture of the answer, as a zip, which holds them as they are."""
        asked = {"targets": "predicted", "timeout_ms": "600000", **options}
        with httpx.stream(
            "POST",
            f"{self.address}/v1/explanations",
            files={"image": image},
            data=asked,
            headers={"Accept": "multipart/form-data"},
            timeout=600,
        ) as answer:
            sizes, head = 0, b""
            for chunk in answer.iter_bytes():
                sizes, head = sizes + len(chunk), head if len(head) > 20_000 else head + chunk
        assert answer.status_code == 200, head[:1000]
        return {"bytes": sizes, "tiles": head.count(b'"perturbation_rms"') - 1}

    def report(self, image: bytes, **options: str) -> int:
        """The bytes of the report of an explanation, which the server has to keep for it."""
        asked = {"targets": "predicted", "timeout_ms": "600000", **options}
        address = f"{self.address}/v1/explanations"
        answer = httpx.post(address, files={"image": image}, data=asked, timeout=600).raise_for_status().json()
        return len(httpx.get(f"{address}/{answer['id']}/report.pdf", timeout=600).raise_for_status().content)

    def peak_bytes(self) -> int:
        """The most memory that the process, and its children, ever had (resident)."""
        children = [
            int(child)
            for task in Path(f"/proc/{self.pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
        return sum(_peak_bytes(pid) for pid in (self.pid, *children))


def _peak_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (peak,) = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return 1024 * int(peak)


@contextmanager
def large_server(folder: Path, models: Path | None = None, **others: str) -> Iterator[Server]:
    """A fresh one, of a tiny model where none are given."""
    if models is None:
        save_tiny(folder / "models" / "tiny", seed=1)
    port = free_port()
    settings = {
        "MODELS_DIR": str(models or folder / "models"),
        "DEFAULT_MODEL": "tiny" if models is None else "cifar10",
        "STEP_BACKEND": "eager",
        "THREADS": "1",
    }
    settings |= {"MAX_DECODE_SECONDS": "120", "MAX_UPLOAD_BYTES": "400000000"}
    settings |= {"RESULT_TTL_SECONDS": "0", **others}  # what is kept has a bound of its own, and would stay
    with server_process(folder / "log", port, **{f"AEX_{name}": value for name, value in settings.items()}) as process:
        yield Server(f"http://127.0.0.1:{port}", process.pid)


def scan(name: str = "JPEG", **options: object) -> bytes:
    """A file as of a scanner: light and dark that come and go, with a little noise everywhere."""
    rng = np.random.default_rng(0)
    options = options or {"quality": 90}
    smooth = Image.fromarray(rng.integers(40, 215, (8, 8, 3), dtype=np.uint8)).resize((1000, 1000))
    block = (np.asarray(smooth).astype(np.int16) + rng.integers(-2, 3, (1000, 1000, 3))).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(np.tile(block, (SIDE // 1000, SIDE // 1000, 1))).save(file, name, **options)
    return file.getvalue()


def deep_levels() -> NDArray[np.uint16]:
    """Levels of 12 bits, as of a detector: darker and lighter places, with a little noise."""
    rng = np.random.default_rng(0)
    smooth = Image.fromarray(rng.uniform(500, 3500, (8, 8)).astype(np.float32)).resize((1000, 1000))
    block = np.asarray(smooth) + rng.normal(0, 4, (1000, 1000))
    return np.tile(block.clip(0, 4095).astype(np.uint16), (SIDE // 1000, SIDE // 1000))


def deep_png() -> bytes:
    """Those levels as a PNG of 16 bits."""
    file = io.BytesIO()
    Image.fromarray(16 * deep_levels()).save(file, "PNG", compress_level=3)
    return file.getvalue()


def main() -> None:
    """Of models of a folder, one of which is `cifar10`, or of a tiny one; by the back end that is named, or eager."""
    models = ROOT / sys.argv[1] if len(sys.argv) > 1 else None
    backend = sys.argv[2] if len(sys.argv) > 2 else "eager"
    jpeg = scan()
    heatmap = {"include": "heatmap"}  # of more noise, all pictures would be more than they may
    large = {way: {"include": PICTURES, **options} for way, options in WAYS.items()}
    files: Mapping[str, tuple[bytes, Mapping[str, Mapping[str, str]]]] = {
        "JPEG": (jpeg, {**large, **SMALL}),
        "PNG": (scan("PNG", compress_level=6), {way: {**heatmap, **options} for way, options in WAYS.items()}),
        "TIFF, deflated": (scan("TIFF", compression="tiff_adobe_deflate"), {"whole": heatmap}),
        "PNG, 16 bits": (deep_png(), {"whole": heatmap}),
        "DICOM, 16 bits": (grey_dicom(deep_levels()), {"whole": heatmap}),
    }
    for name, (content, ways) in files.items():
        for way, options in ways.items():
            kept = {"RESULT_TTL_SECONDS": "60"} if way == "report" else {}
            with (
                tempfile.TemporaryDirectory() as folder,
                large_server(Path(folder), models, STEP_BACKEND=backend, **kept) as server,
            ):
                before = server.peak_bytes()
                if way == "report":
                    sent = server.report(content, **options)
                else:
                    sent = server.explain(content, **options)["bytes"]
                print(  # noqa: T201
                    f"{name}, {len(content) / 1e6:.0f} MB, {way}: peak {server.peak_bytes() / 1e6:.0f} MB,"
                    f" {before / 1e6:.0f} MB at start, answer {sent / 1e6:.1f} MB",
                    flush=True,
                )


if __name__ == "__main__":
    main()
