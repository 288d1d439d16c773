"""What the pages of a document cost one by one and together: `python -m tests.end_to_end.measure_pages`; minutes.

Of 50 pages of A4 with a photograph and text, asked of a server with the default model. A machine that does something
else meanwhile gives other times.
"""

import re
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import httpx
from fpdf import FPDF

from tests.end_to_end.conftest import ROOT, free_port, server_process

PAGES, ALONE = 50, 10
QUESTIONS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "predictions": ("/v1/predictions", {}),
    "a heatmap each": ("/v1/explanations", {"targets": "predicted", "include": "heatmap"}),
    "two targets, three pictures each": ("/v1/explanations", {}),
}


def document() -> bytes:
    paper = FPDF(format="A4")
    paper.set_font("helvetica", size=11)
    for number in range(PAGES):
        paper.add_page()
        paper.image(str(ROOT / "examples" / "chelsea.jpg"), 20, 40, 120)
        paper.set_xy(20, 150)
        paper.multi_cell(160, 6, f"Page {number + 1}. " + "Some words to fill a page with, as letters have. " * 30)
    return bytes(paper.output())


def peak_megabytes(process_id: int) -> float:
    """Of its resident memory so far."""
    status = Path(f"/proc/{process_id}/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) / 1000 if found else float("nan")


def main() -> None:
    """Measure and print."""
    data, port = document(), free_port()
    with (
        tempfile.TemporaryDirectory() as folder,
        server_process(Path(folder) / "log", port, AEX_MODELS_DIR=str(ROOT / "models")) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=600) as client,
    ):
        print(f"at rest: peak {peak_megabytes(process.pid):.0f} MB")  # noqa: T201 - what it is for
        for name, (path, options) in QUESTIONS.items():
            began = time.monotonic()
            for number in range(1, ALONE + 1):
                asked = {**options, "page": str(number)}
                client.post(path, files={"image": data}, data=asked).raise_for_status()
            alone = (time.monotonic() - began) / ALONE
            began = time.monotonic()
            answer = client.post(path, files={"image": data}, data={**options, "pages": "all"}).raise_for_status()
            together = (time.monotonic() - began) / PAGES
            without = sum("problem" in one for one in answer.json()["pages"])
            print(  # noqa: T201 - what it is for
                f"{name}: {1000 * alone:.0f} ms a page one by one, {1000 * together:.0f} ms together; answer of"
                f" {len(answer.content) / 1e6:.1f} MB, {without} pages without room;"
                f" peak {peak_megabytes(process.pid):.0f} MB"
            )


if __name__ == "__main__":
    main()
