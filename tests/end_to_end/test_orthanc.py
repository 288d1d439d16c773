"""With a real archive: images fetched from Orthanc, and objects that it takes, has, and gives again."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.archive.server import TestArchive
from tests.end_to_end.conftest import ROOT, free_port, started_server
from tests.images.apart.files import dicom_file
from tests.images.apart.objects import errors_in

pytestmark = pytest.mark.slow

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
USER, PASSWORD = "aex", "of-a-test"
START_SECONDS = 30
LIE_IN_THE_PATIENT = ("CT_small.dcm", "MR_small.dcm", "rtdose.dcm")
OTHERS = ("examples_rgb_color.dcm", "examples_ybr_color.dcm", "examples_palette.dcm", "MR_small_jp2klossless.dcm")


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of an empty Orthanc of the tests' own."""
    if shutil.which("Orthanc") is None or not PLUGIN.exists():
        pytest.skip("Orthanc is not installed (Debian's orthanc and orthanc-dicomweb): no real archive is asked")
    folder, port = tmp_path_factory.mktemp("orthanc"), free_port()
    settings = {
        "StorageDirectory": str(folder / "db"),
        "IndexDirectory": str(folder / "db"),
        "HttpPort": port,
        "DicomServerEnabled": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {USER: PASSWORD},
        "Plugins": [str(PLUGIN)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    address = f"http://127.0.0.1:{port}"
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(["Orthanc", folder / "orthanc.json"], stdout=log, stderr=log) as process,
        httpx.Client(base_url=address, auth=(USER, PASSWORD), timeout=60) as client,
    ):
        try:
            _wait_until_there(client)
            yield client
        finally:
            process.terminate()


def _wait_until_there(client: httpx.Client) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            if client.get("/system").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    pytest.fail("Orthanc did not start")


@pytest.fixture(scope="module")
def client(orthanc: httpx.Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a server with the shipped models, whose archive that is."""
    settings = {
        "AEX_MODELS_DIR": str(ROOT / "models"),
        "AEX_STEP_BACKEND": "eager",
        "AEX_DICOMWEB_URL": f"{orthanc.base_url}/dicom-web",
        "AEX_DICOMWEB_USER": USER,
        "AEX_DICOMWEB_PASSWORD": PASSWORD,
    }
    log = tmp_path_factory.mktemp("server") / "log"
    with started_server(log, **settings) as address, httpx.Client(base_url=address, timeout=60) as client:
        yield client


@pytest.mark.parametrize("name", [*LIE_IN_THE_PATIENT, *OTHERS])
def test_objects_are_stored_in_the_study_and_conform(
    orthanc: httpx.Client, client: httpx.Client, name: str, tmp_path: Path
) -> None:
    address = TestArchive().add(dicom_file(name))
    orthanc.post("/instances", content=dicom_file(name)).raise_for_status()
    include = ["secondary_capture", "report", *(["parametric_map"] if name in LIE_IN_THE_PATIENT else [])]
    named = f"{address.study}/{address.series}/{address.instance}"
    answer = client.post("/v1/explanations", json={"dicomweb": named, "store": True, "include": include})
    stored = answer.raise_for_status().json()["stored"]
    assert len(stored) == 2 * len(include) - 1
    assert [one["sentence"] for one in stored if not one["stored"]] == []
    for one in stored:
        (found,) = _found(orthanc, one["sop_instance_uid"])
        tags = orthanc.get(f"/instances/{found}/simplified-tags").json()
        assert tags["StudyInstanceUID"] == address.study
        assert errors_in(orthanc.get(f"/instances/{found}/file").content, tmp_path) == []


def _found(orthanc: httpx.Client, uid: str) -> list[str]:
    found: list[str] = orthanc.post("/tools/find", json={"Level": "Instance", "Query": {"SOPInstanceUID": uid}}).json()
    return found


def test_what_it_does_not_have_is_404(client: httpx.Client) -> None:
    answer = client.post("/v1/predictions", json={"dicomweb": "1.2.3/1.2.3.4/1.2.3.4.5"})
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-in-archive")
