"""Settings: each variable is described, read, and refused with a sentence."""

from pathlib import Path

import pytest
import torch

from app.engine.device import EngineLimits
from app.errors import SettingsError
from app.settings import Settings, describe_settings


def test_each_setting_is_described_with_its_variable_and_default() -> None:
    described = {name: (default, meaning) for name, default, meaning in describe_settings()}
    assert described["AEX_DEFAULT_MODEL"][0] == "cifar10"
    assert described["AEX_MODELS_DIR"][0] == "models"
    assert len(described) == len(Settings.model_fields)
    assert all(meaning and meaning != "None" for _, meaning in described.values())


def test_a_variable_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AEX_PLACES", "3")
    monkeypatch.setenv("AEX_MODELS_DIR", "/srv/models")
    assert (Settings().places, Settings().models_dir) == (3, Path("/srv/models"))


def test_what_is_given_comes_before_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AEX_DEVICE", "cuda")
    assert Settings(device="cpu").device == "cpu"


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        ("AEX_PLACES", "many", "valid integer"),
        ("AEX_PLACES", "0", "greater than or equal to 1"),
        ("AEX_MAX_DECODE_SECONDS", "-1", "greater than 0"),
        ("AEX_DEVICE", "gpu", "it must be auto, cpu, cuda or cuda:N"),
        ("AEX_LOG_FORMAT", "xml", "'console' or 'json'"),
    ],
)
def test_a_bad_value_is_a_sentence(monkeypatch: pytest.MonkeyPatch, name: str, value: str, right: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=right) as caught:
        Settings()
    assert str(caught.value).startswith(f"{name} is '{value}'; it")


def test_a_misspelt_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AEX_MAX_UPLOAD_BYTE", "5")
    with pytest.raises(SettingsError, match="AEX_MAX_UPLOAD_BYTE is no setting; did you mean AEX_MAX_UPLOAD_BYTES"):
        Settings()


def test_another_variable_of_the_prefix_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AEX_REFERENCE_DIR", "somewhere")
    Settings()


def test_the_threads_are_those_asked_for_or_one_a_core() -> None:
    assert Settings(threads=3).thread_count() == 3
    assert Settings(threads=0).thread_count() >= 1


def test_the_engine_takes_what_is_said_or_what_suits_the_device() -> None:
    said = Settings(device="cpu", places=3, max_queue_seconds=5, max_device_bytes=10**9, max_step_rows=7)
    assert said.engine_limits() == EngineLimits(3, max_wait_seconds=5, max_bytes=10**9, max_step_rows=7)
    suits = Settings(device="cpu").engine_limits()
    assert suits.max_step_rows == 32
    assert 2**20 < suits.max_bytes < 2**50


def test_auto_takes_the_processor_where_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert Settings(device="auto").torch_device() == torch.device("cpu")


def test_a_gpu_that_is_not_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SettingsError, match="finds 0 GPUs here; use cpu or auto"):
        Settings(device="cuda:1").torch_device()


def test_without_an_address_there_is_no_archive() -> None:
    assert Settings().archive() is None


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"dicomweb_url": "ftp://archive/"}, "AEX_DICOMWEB_URL must be such as https"),
        ({"dicomweb_url": "https://user:s3cret@archive/"}, "AEX_DICOMWEB_URL must be such as https"),
        ({"dicomweb_url": "https://archive/?key=s3cret"}, "AEX_DICOMWEB_URL must be such as https"),
        ({"dicomweb_url": "https://archive", "dicomweb_user": "us"}, "AEX_DICOMWEB_USER and AEX_DICOMWEB_PASSWORD"),
        ({"dicomweb_url": "https://archive", "dicomweb_password": "s3cret"}, "or AEX_DICOMWEB_TOKEN, or neither"),
        ({"dicomweb_url": "https://archive", "dicomweb_token": "s3cret\nX: y"}, "AEX_DICOMWEB_TOKEN has a character"),
        (
            {"dicomweb_url": "https://archive", "dicomweb_token": "s3cret", "dicomweb_user": "us"},
            "AEX_DICOMWEB_USER and AEX_DICOMWEB_PASSWORD",
        ),
    ],
)
def test_an_archive_that_cannot_be_asked_is_refused_without_its_secrets(given: dict[str, str], sentence: str) -> None:
    settings = Settings(**given)
    with pytest.raises(SettingsError, match=sentence) as caught:
        settings.archive()
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in repr(settings).replace(given["dicomweb_url"], "")
