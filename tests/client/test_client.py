"""What either client asks, and what it makes of the answers."""

import io
from contextlib import ExitStack, closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, get_type_hints

import numpy as np
import pytest
from PIL import Image

from app.client import (
    ClientError,
    Explanation,
    NoAnswer,
    Problem,
    Progress,
    Started,
    TargetsChosen,
    UnusableImage,
)
from app.client.options import ExplainOptions, MarginOptions, PredictOptions
from app.client.wire import EventReader
from app.web.options.explanations import EXPLAIN
from app.web.options.margins import MARGIN
from app.web.options.predictions import PREDICT
from tests.client.conftest import Connect
from tests.web.serving import CLASSES, PLACES, Served, picture, wait_until

IMAGE = picture()
LONG: dict[str, Any] = {"model": "slow", "steps": 1000, "targets": ["all"]}
PIXELS = np.asarray(Image.open(io.BytesIO(IMAGE)).convert("RGB"))


def test_its_options_are_those_of_the_server() -> None:
    assert set(get_type_hints(PredictOptions)) == {option.name for option in PREDICT}
    assert set(get_type_hints(ExplainOptions)) == {option.name for option in EXPLAIN}
    assert set(get_type_hints(MarginOptions)) == {option.name for option in MARGIN}


def test_a_prediction_is_what_the_server_says(client: Any, served: Served) -> None:
    said = served.client.post("/v1/predictions", files={"image": IMAGE}, data={"top_k": "0"}).json()
    found = client.predict(IMAGE, top_k=0)
    assert [(one.name, one.class_id) for one in found.top] == [
        (one["class"], one["class_id"]) for one in said["prediction"]["top"]
    ]
    assert found.best.probability == pytest.approx(said["prediction"]["probability"], abs=1e-6)
    assert (found.model, found.weights_sha256) == ("tiny", said["model"]["weights_sha256"])


def test_an_explanation_has_pictures_and_arrays_that_fit_its_numbers(client: Any) -> None:
    found = client.explain(
        IMAGE, targets=["dog", 2], rho=0.05, include=["heatmap", "perturbation", "explained", "arrays"]
    )
    assert [one.target for one in found] == ["dog", CLASSES[2]]
    one = found["dog"]
    assert found[1] is one
    assert (one.rho, one.role in ("predicted", "runner_up", "named")) == (0.05, True)
    assert one.explained.size == one.perturbation.size == (8, 8)
    assert one.heatmap.width >= 240
    assert found.arrays["perturbation"].shape == (2, 8, 8, 3)
    assert float(np.sqrt((found.arrays["perturbation"][0] ** 2).mean())) == pytest.approx(0.05, rel=1e-3)
    again = client.predict(one.explained, top_k=0)
    after = {each.name: each.probability for each in again.top}
    assert after["dog"] == pytest.approx(one.probability_after, abs=1e-5)
    with pytest.raises(KeyError, match="explained are dog"):
        found["bird"]


def test_an_image_may_be_bytes_a_path_pil_or_an_array(client: Any, image_file: Path) -> None:
    image_file.write_bytes(IMAGE)
    kinds = [IMAGE, image_file, str(image_file), Image.open(image_file), PIXELS, PIXELS / 255]
    found = {client.predict(image).best.probability for image in kinds}
    assert max(found) - min(found) < 1e-6


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("nowhere.png", "nowhere.png cannot be read: No such file"),
        (np.zeros((2, 2, 4), np.uint8), r"shape \(2, 2, 4\); give"),
        (np.full((2, 2), 2.0), r"must lie in \[0, 1\]"),
        (np.full((2, 2), np.nan), r"must lie in \[0, 1\]"),
        (np.zeros((2, 2), np.int64), "of type int64; give uint8"),
    ],
    ids=str,
)
def test_what_is_no_image_is_refused_before_it_is_sent(client: Any, image: Any, said: str) -> None:
    with pytest.raises(UnusableImage, match=said):
        client.predict(image)


def test_what_the_server_refuses_is_raised_in_its_words(client: Any) -> None:
    with pytest.raises(Problem, match="is no class of this model; give a name such as dog") as raised:
        client.explain(IMAGE, targets=["doog"])
    assert (raised.value.status, raised.value.kind) == (422, "invalid-option")
    with pytest.raises(Problem) as raised:
        client.predict(IMAGE, model="nobody")
    assert (raised.value.status, raised.value.kind, len(raised.value.request_id)) == (404, "unknown-model", 26)


def test_events_come_in_order_and_end_with_the_explanation(client: Any) -> None:
    events = list(client.follow(IMAGE, steps=5, method="paper", targets=["dog"]))
    assert [type(event) for event in events[:2]] == [Started, TargetsChosen]
    assert {type(event) for event in events[2:-1]} == {Progress}
    last, result = events[-2], events[-1]
    assert isinstance(last, Progress)
    assert isinstance(result, Explanation)
    assert (last.target, last.step, last.steps, last.picture.image.size) == ("dog", 5, 5, (8, 8))
    assert result.id == events[0].id
    assert client.explanation(result.id).json == result.json


def test_who_stops_following_frees_the_place(client: Any, served: Served) -> None:
    with closing(client.follow(IMAGE, **LONG)) as events:
        next(events)
        assert served.places_taken == 1
    wait_until(lambda: served.places_taken == 0)


def test_a_problem_in_a_stream_is_raised_where_it_comes(client: Any) -> None:
    events = client.follow(IMAGE, **LONG, timeout_ms=300)
    assert isinstance(next(events), Started)
    with pytest.raises(Problem) as raised:
        list(events)
    assert (raised.value.status, raised.value.kind) == (504, "deadline-exceeded")


def test_a_stream_that_breaks_off_is_not_taken_for_the_end() -> None:
    reader = EventReader()
    assert [reader.take(line) for line in (": nothing new", "", "event: news", "data: {}", "")] == [None] * 5
    with pytest.raises(NoAnswer, match="broke off"):
        reader.require_end()


def test_a_busy_server_is_asked_again_when_it_says(connect: Connect, served: Served) -> None:
    """All places are taken until the client waits, which is when two others go away."""
    waited: list[float] = []
    with ExitStack() as others:

        def sleep(seconds: float) -> None:
            waited.append(seconds)
            others.close()
            wait_until(lambda: served.places_taken == 0)

        patient = connect(str(served.client.base_url), sleep=sleep, patience_seconds=3600)
        for _ in range(PLACES):
            events = others.enter_context(closing(connect(str(served.client.base_url)).follow(IMAGE, **LONG)))
            next(events)
        refused = served.client.post("/v1/predictions", files={"image": IMAGE})
        assert refused.status_code == 503
        assert patient.explain(IMAGE, steps=1).targets
    assert len(waited) == 1
    assert 1 <= waited[0] <= 3600


def test_a_client_without_patience_is_told_at_once(connect: Connect, served: Served) -> None:
    hasty = connect(str(served.client.base_url), patience_seconds=0)
    with ExitStack() as others:
        for _ in range(PLACES):
            next(others.enter_context(closing(connect(str(served.client.base_url)).follow(IMAGE, **LONG))))
        with pytest.raises(Problem) as raised:
            hasty.predict(IMAGE)
        with pytest.raises(Problem):
            next(iter(hasty.follow(IMAGE)))
    assert (raised.value.status, raised.value.kind) == (503, "full")
    wait_until(lambda: served.places_taken == 0)


def test_what_is_kept_can_be_had_reported_and_deleted(client: Any) -> None:
    found = client.explain(IMAGE, steps=1)
    assert found.kept_until is not None
    assert client.explanation(found.id).json == found.json
    assert client.report(found.id).startswith(b"%PDF-")
    assert found.id in client.report(found.id, "html").decode()
    client.delete(found.id)
    with pytest.raises(Problem) as raised:
        client.explanation(found.id)
    assert (raised.value.status, raised.value.kind) == (410, "explanation-gone")


def test_an_explanation_comes_as_files_too(client: Any) -> None:
    files = client.files(IMAGE, steps=1, targets=["dog"], include=["heatmap", "arrays"])
    assert set(files) == {"explanation.json", "heatmap-1-dog.png", "explanation.npz"}


def test_a_margin_is_what_flips_the_image(client: Any) -> None:
    found = client.margin(IMAGE, certificate=True, draws=50, sigma=0.01)
    assert found.flip_l2 == pytest.approx(found.flip_rms * (3 * 8 * 8) ** 0.5, rel=1e-4)
    assert found.flipped_to in set(CLASSES) - {found.prediction.best.name}
    assert f"{found.flip_rms:.3g}"[:4] in found.says
    assert found.radius_l2 == found.json["certificate"]["radius_l2"]
    assert client.margin(IMAGE).radius_l2 is None


def test_the_models_are_listed(client: Any) -> None:
    assert [(one["name"], one["default"]) for one in client.models()] == [("slow", False), ("tiny", True)]


@pytest.mark.parametrize("server", ["localhost:8000", "", "ftp://here"])
def test_what_is_no_address_is_said_to_be_none(connect: Connect, server: str) -> None:
    with pytest.raises(ClientError, match="it must be an address such as http://localhost:8000"):
        connect(server)


def test_where_nobody_answers_it_says_so(connect: Connect) -> None:
    with pytest.raises(NoAnswer, match="cannot be reached"):
        connect("http://127.0.0.1:9").predict(IMAGE)


class Other(BaseHTTPRequestHandler):
    """Some other server."""

    def do_POST(self) -> None:
        self.send_response(int(self.path.split("/")[1]))
        self.end_headers()
        self.wfile.write(b"<html>Hello</html>")

    def log_message(self, *_: object) -> None:
        """Not to standard error."""


@pytest.mark.parametrize("status", [200, 502])
def test_another_server_is_not_taken_for_this_one(connect: Connect, status: int) -> None:
    with HTTPServer(("127.0.0.1", 0), Other) as other:
        thread = Thread(target=other.serve_forever)
        thread.start()
        try:
            client = connect(f"http://127.0.0.1:{other.server_port}/{status}")
            with pytest.raises(NoAnswer, match=rf"status {status} and no JSON; is it this server\?"):
                client.predict(IMAGE)
            if status == 200:
                with pytest.raises(NoAnswer, match="no archive"):
                    client.files(IMAGE)
        finally:
            other.shutdown()
            thread.join()
