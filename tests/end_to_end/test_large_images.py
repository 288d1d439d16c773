"""A scan of a hundred megapixels through a real server, in memory that a small machine has."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.end_to_end.conftest import free_port, server_process
from tests.web.serving import save_tiny

pytestmark = pytest.mark.slow

SIDE = 10_000
MAX_BYTES = 1_500_000_000
PICTURES = "heatmap,perturbation,explained"


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


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    save_tiny(tmp_path / "models" / "tiny", seed=1)
    port = free_port()
    settings = {
        "MODELS_DIR": str(tmp_path / "models"),
        "DEFAULT_MODEL": "tiny",
        "STEP_BACKEND": "eager",
        "THREADS": "1",
    }
    settings |= {"MAX_DECODE_SECONDS": "120"}
    with server_process(
        tmp_path / "log", port, **{f"AEX_{name}": value for name, value in settings.items()}
    ) as process:
        yield Server(f"http://127.0.0.1:{port}", process.pid)


def scan() -> bytes:
    """A JPEG as of a scanner: light and dark that come and go, with a little noise everywhere."""
    rng = np.random.default_rng(0)
    smooth = Image.fromarray(rng.integers(40, 215, (8, 8, 3), dtype=np.uint8)).resize((1000, 1000))
    block = (np.asarray(smooth).astype(np.int16) + rng.integers(-2, 3, (1000, 1000, 3))).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(np.tile(block, (SIDE // 1000, SIDE // 1000, 1))).save(file, "JPEG", quality=90)
    return file.getvalue()


def test_a_hundred_megapixels_are_explained_whole_in_part_and_in_tiles(server: Server) -> None:
    image = scan()
    assert server.explain(image, include=PICTURES)["bytes"] > 10**7
    assert server.explain(image, region="2000,3000,4000,5000", include="heatmap")["bytes"] > 10**6
    assert server.explain(image, tile="3000", include="heatmap")["tiles"] == 16
    assert server.peak_bytes() < MAX_BYTES
