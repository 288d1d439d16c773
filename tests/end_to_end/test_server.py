"""What a reviewer's tool relies on, asked of the real server with the shipped model and the example images."""

import asyncio
import base64
import io
from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.end_to_end.conftest import ROOT
from tests.web.streams import EVENTS, read_events

EXAMPLES = sorted((ROOT / "examples").glob("*.png"))
TIMEOUT_SECONDS = 120


def explain(server: str, image: bytes, **options: str) -> dict[str, object]:
    answer = httpx.post(f"{server}/v1/explanations", files={"image": image}, data=options, timeout=TIMEOUT_SECONDS)
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


def probability(server: str, image: bytes, target_id: int) -> float:
    answer = httpx.post(
        f"{server}/v1/predictions", files={"image": image}, data={"top_k": "0"}, timeout=TIMEOUT_SECONDS
    )
    assert answer.status_code == 200, answer.text
    (found,) = [entry["probability"] for entry in answer.json()["prediction"]["top"] if entry["class_id"] == target_id]
    return float(found)


def enlarged(path: Path, width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.open(path).convert("RGB").resize((width, height), Image.Resampling.BICUBIC).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("size", [(32, 32), (96, 96), (320, 160), (75, 50)], ids=str)
def test_the_explained_picture_uploaded_again_is_predicted_as_reported(server: str, size: tuple[int, int]) -> None:
    found = explain(server, enlarged(EXAMPLES[0], *size))
    assert isinstance(found["explanations"], list)
    for one in found["explanations"]:
        picture = base64.b64decode(one["pictures"]["explained"]["data"])
        assert Image.open(io.BytesIO(picture)).size == size
        assert probability(server, picture, one["target_id"]) == pytest.approx(one["probability_after"], abs=1e-5)


@pytest.mark.parametrize("size", [(32, 32), (96, 96), (320, 160)], ids=str)
def test_what_is_sent_at_whole_multiples_does_what_the_loop_reached(server: str, size: tuple[int, int]) -> None:
    """Clamping and 8 bits may take a little: .01 where the pixels stay inside [0, 1]."""
    grey = Image.open(EXAMPLES[0]).convert("RGB").resize(size, Image.Resampling.NEAREST)
    inside = Image.fromarray((64 + np.asarray(grey) // 2).astype(np.uint8))
    file = io.BytesIO()
    inside.save(file, "PNG")
    found = explain(server, file.getvalue(), rho="0.02", targets="runner_up", include="explained,arrays")
    arrays = np.load(io.BytesIO(base64.b64decode(str(found["arrays"]))), allow_pickle=False)
    raw = Image.fromarray(np.round(255 * arrays["explained"][0].clip(0, 1)).astype(np.uint8))
    at_network_size = io.BytesIO()
    raw.save(at_network_size, "PNG")
    assert isinstance(found["explanations"], list)
    (one,) = found["explanations"]
    reached = probability(server, at_network_size.getvalue(), one["target_id"])
    assert one["probability_after"] == pytest.approx(reached, abs=0.01)


def test_sixteen_clients_at_once_get_what_each_gets_alone(server: str) -> None:
    """To one level of 255 in one pixel of a thousand: they share batches, which sum a convolution in another order."""
    uploads = [path.read_bytes() for path in EXAMPLES] * 16
    uploads = uploads[:16]
    alone = [_explained(explain(server, upload)) for upload in uploads[: len(EXAMPLES)]]

    async def together() -> list[dict[str, object]]:
        async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS) as client:
            calls = [client.post(f"{server}/v1/explanations", files={"image": upload}) for upload in uploads]
            return [answer.json() for answer in await asyncio.gather(*calls)]

    for number, found in enumerate(asyncio.run(together())):
        for mine, right in zip(_explained(found), alone[number % len(EXAMPLES)], strict=True):
            levels_apart = np.abs(mine - right)
            assert levels_apart.max() <= 1
            assert (levels_apart > 0).mean() <= 0.001


def test_the_event_loop_answers_while_the_device_works(server: str) -> None:
    async def beside() -> tuple[float, float]:
        async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS) as client:
            upload = {"image": EXAMPLES[0].read_bytes()}
            long = asyncio.create_task(
                client.post(f"{server}/v1/explanations", files=upload, data={"targets": "all", "steps": "200"})
            )
            await asyncio.sleep(0.3)
            health = await client.get(f"{server}/healthz")
            assert health.status_code == 200
            was_still_working = not long.done()
            answer = await long
            assert answer.status_code == 200
            return health.elapsed.total_seconds(), float(was_still_working)

    _, overlapped = asyncio.run(beside())
    assert overlapped


def test_a_stream_tells_of_each_target_and_ends_with_the_answer(server: str) -> None:
    upload = {"image": EXAMPLES[0].read_bytes()}
    options = {"targets": "all", "steps": "30", "method": "paper"}
    with httpx.stream(
        "POST", f"{server}/v1/explanations", files=upload, data=options, headers=EVENTS, timeout=TIMEOUT_SECONDS
    ) as answer:
        assert answer.status_code == 200
        started, targets, *progress, result = read_events(answer.iter_lines())
    assert (started.name, targets.name, result.name) == ("started", "targets", "result")
    assert {each.name for each in progress} == {"progress"}
    last_steps = {each.data["target"]: each.data["step"] for each in progress}
    assert last_steps == {one["target"]: 30 for one in targets.data["targets"]}
    alone = explain(server, EXAMPLES[0].read_bytes(), **options)
    for mine, right in zip(_explained(result.data), _explained(alone), strict=True):
        assert np.abs(mine - right).max() <= 1


def _explained(found: dict[str, object]) -> list[NDArray[np.int16]]:
    explanations = found["explanations"]
    assert isinstance(explanations, list)
    pictures = [base64.b64decode(one["pictures"]["explained"]["data"]) for one in explanations]
    return [np.asarray(Image.open(io.BytesIO(picture)), dtype=np.int16) for picture in pictures]
