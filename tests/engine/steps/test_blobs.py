"""Bytes kept on disk come back whole or not at all."""

from pathlib import Path

import torch
from torch import nn

from app.engine.steps.blobs import Blobs, weights_sha256


def test_what_was_put_comes_back(tmp_path: Path) -> None:
    Blobs(tmp_path / "new" / "folder").put("a", b"graph")
    assert Blobs(tmp_path / "new" / "folder").get("a") == b"graph"
    assert [file.name for file in (tmp_path / "new" / "folder").iterdir()] == ["a"]


def test_what_was_never_put_is_none(tmp_path: Path) -> None:
    assert Blobs(tmp_path).get("a") is None


def test_a_file_cut_short_or_changed_is_none(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    blobs.put("a", b"graph")
    whole = (tmp_path / "a").read_bytes()
    for damaged in (b"", whole[:10], whole[:-1], whole[:-1] + b"?"):
        (tmp_path / "a").write_bytes(damaged)
        assert blobs.get("a") is None


def test_a_folder_that_cannot_be_written_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    blobs = Blobs(tmp_path / "file")
    blobs.put("a", b"graph")
    assert blobs.get("a") is None


def test_without_a_folder_nothing_is_kept() -> None:
    Blobs(None).put("a", b"graph")
    assert Blobs(None).get("a") is None


def test_the_hash_knows_every_weight_and_buffer_and_how_modules_are_put_together() -> None:
    def network() -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Softplus(beta=1.0))

    plain, weight, buffer, option = (network() for _ in range(4))
    weight.get_parameter("0.bias").data[1] += 1e-6
    buffer.get_buffer("1.running_var")[0] = 2
    option.get_submodule("2").beta = 2.0  # type: ignore[assignment]  # Softplus takes any number
    hashes = [weights_sha256(one) for one in (plain, weight, buffer, option)]
    assert len(set(hashes)) == 4
    assert weights_sha256(network()) == hashes[0]
