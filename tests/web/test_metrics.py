"""GET /metrics: each number counted by hand."""

import base64
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.main import create_app
from tests.web.numbers import Numbers, read_numbers
from tests.web.serving import PLACES, Served, asking, picture, serving_app, small_settings, wait_until

IMAGE = picture()
UNITS = (
    "requests",
    "results",
    "bytes",
    "seconds",
    "places",
    "jobs",
    "rows",
    "info",
    "ratio",
    "evaluations",
    "passes",
    "per_second",
)


@pytest.fixture
def before(client: httpx.Client) -> Numbers:
    return read_numbers(client)


def counted(client: httpx.Client, before: Numbers, requests: int) -> Numbers:
    """The numbers since then, once these requests and no others are counted: they are, just after their answers."""
    route = "/v1/explanations"
    name = "aex_http_requests_total"
    wait_until(lambda: read_numbers(client).since(before).total(name, route=route) == requests)
    return read_numbers(client).since(before)


def test_every_number_says_what_it_is_and_in_what_unit(client: httpx.Client) -> None:
    client.post("/v1/explanations", files={"image": IMAGE}, data={"steps": "2"}).raise_for_status()
    families = list(text_string_to_metric_families(client.get("/metrics").text))
    ours = {family.name: family.documentation for family in families if family.name.startswith("aex_")}
    assert len(ours) > 10
    assert [name for name in ours if not name.removesuffix("_total").endswith(UNITS)] == []
    assert all(len(meaning.split()) > 3 for meaning in ours.values())


def test_it_is_of_the_type_that_prometheus_reads(client: httpx.Client) -> None:
    assert client.get("/metrics").headers["content-type"].startswith("text/plain; version=")


def test_a_request_is_counted_by_its_declared_route_and_status(client: httpx.Client, before: Numbers) -> None:
    client.get("/v1/models/patient-smith")
    client.get("/patient-smith")
    client.request("SMITH", "/v1/models")
    name = "aex_http_requests_total"
    wait_until(lambda: read_numbers(client).since(before).total(name, route="/v1/models", status="405") == 1)
    since = read_numbers(client).since(before)
    assert since.total(name, route="/v1/models/{name}", status="404") == 1
    assert since.total(name, route="none", status="404") == 1
    assert since.total("aex_http_request_duration_seconds_count", route="/v1/models/{name}") == 1
    assert "smith" not in client.get("/metrics").text.lower()


def test_an_explanation_is_counted_row_by_row(client: httpx.Client, before: Numbers) -> None:
    """Two targets, three steps each: a look at the upload, at the end of each loop, and at each picture sent."""
    options = {"steps": "3", "targets": "cat,dog"}
    client.post("/v1/explanations", files={"image": IMAGE}, data=options).raise_for_status()
    since = counted(client, before, 1)
    tiny = {"model": "tiny"}
    assert since.total("aex_asked_rows_total", kind="climb", **tiny) == 2
    assert since.total("aex_asked_rows_total", kind="look", **tiny) == 1 + 2
    assert since.total("aex_ended_rows_total", outcome="done", **tiny) == since["aex_asked_rows_total"] == 5
    assert since.total("aex_gradient_evaluations_total", **tiny) == 2 * 3
    assert since.total("aex_forward_passes_total", **tiny) == 1 + 2 + 2
    assert since.total("aex_step_rows_count", kind="climb", **tiny) == 3
    assert since.total("aex_step_rows_sum", kind="climb", **tiny) == 2 * 3
    assert since.total("aex_step_duration_seconds_count", kind="look", **tiny) == 3
    assert since.total("aex_step_duration_seconds_sum", **tiny) > 0
    assert since.total("aex_engine_requests_total", outcome="done", **tiny) == 1


def test_a_full_engine_shows_its_load_and_whom_it_refused(served: Served, before: Numbers) -> None:
    with asking(served):
        climbing = {"model": "slow", "kind": "climb"}
        wait_until(lambda: read_numbers(served.client).since(before).total("aex_asked_rows_total", **climbing) > 0)
        wait_until(lambda: read_numbers(served.client)["aex_engine_running_rows"] > 0)
        full = read_numbers(served.client)
        assert full["aex_engine_taken_places"] == full["aex_engine_places"] == PLACES
        answer = served.client.post("/v1/explanations", files={"image": IMAGE})
        assert answer.status_code == 503
    since = counted(served.client, before, PLACES + 1)
    name = "aex_http_requests_total"
    assert since.total("aex_engine_requests_total", outcome="refused") == since.total(name, status="503") == 1
    assert since.total("aex_engine_requests_total", outcome="cancelled") == since.total(name, status="499") == PLACES

    def all_rows_ended() -> bool:
        since = read_numbers(served.client).since(before)
        return since.total("aex_ended_rows_total", model="slow") == since.total("aex_asked_rows_total", model="slow")

    wait_until(all_rows_ended)
    since = read_numbers(served.client).since(before)
    assert since.total("aex_ended_rows_total", outcome="cancelled", **climbing) > 0


def test_each_models_back_end_and_share_of_the_machine_are_known(client: httpx.Client) -> None:
    client.post("/v1/explanations", files={"image": IMAGE}, data={"steps": "2"}).raise_for_status()
    numbers = read_numbers(client)
    assert numbers.total("aex_model_step_info", model="tiny", backend="eager") == 1
    assert numbers["aex_device_flops_per_second"] > 1e6
    assert numbers.total("aex_gradient_flops_ratio", model="tiny") > 0


def test_what_is_kept_is_counted_with_its_memory(client: httpx.Client, before: Numbers) -> None:
    options = {"steps": "2", "include": "arrays", "targets": "dog"}
    answer = client.post("/v1/explanations", files={"image": IMAGE}, data=options).raise_for_status().json()
    arrays = len(base64.b64decode(answer["arrays"]))
    since = read_numbers(client).since(before)
    assert since["aex_kept_results"] == 1
    assert 0 < since["aex_kept_bytes"] - arrays - len(IMAGE) < 10_000
    client.delete(f"/v1/explanations/{answer['id']}").raise_for_status()
    since = read_numbers(client).since(before)
    assert (since["aex_kept_results"], since["aex_kept_bytes"]) == (0, 0)
    assert since.total("aex_gone_results_total", why="deleted") == since["aex_gone_results_total"] == 1


def test_two_applications_count_apart(served: Served, models_dir: Path) -> None:
    served.client.get("/healthz").raise_for_status()
    with serving_app(create_app(small_settings(models_dir))) as other:
        assert read_numbers(other.client).total("aex_http_requests_total", route="/healthz") == 0
