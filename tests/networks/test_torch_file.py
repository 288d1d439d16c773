"""torch.save's files, good, damaged and hostile: tensors come out, and nothing is ever run."""

import os
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from app.errors import CheckpointError
from app.networks import torch_file
from app.networks.torch_file import TorchFile, read_torch_legacy, read_torch_zip
from app.networks.torch_pickle import Inert, StoredTensor, Symbol
from tests.networks.torch_files import FakeTensor, pickled, write_torch_zip, write_zip

LAYOUTS = pytest.mark.parametrize("as_zip", [True, False], ids=["zip", "legacy"])


def _read(file: Path, *, as_zip: bool) -> TorchFile:
    return read_torch_zip(file) if as_zip else read_torch_legacy(file)


def _save(content: object, file: Path, *, as_zip: bool) -> Path:
    torch.save(content, file, _use_new_zipfile_serialization=as_zip)
    return file


class Calling:
    """Pickles as a call of `function`, which unpickling would make."""

    def __init__(self, function: Any, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


# --- what torch writes


@LAYOUTS
@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(6, dtype=torch.float32).view(2, 3),
        torch.arange(6, dtype=torch.float64).view(2, 3).t(),
        torch.arange(12, dtype=torch.int64)[5:9],
        torch.tensor(0.5),
        torch.empty(0, 3),
        torch.arange(4).to(torch.bfloat16),
        torch.arange(4).half(),
        torch.tensor([0, 255], dtype=torch.uint8),
        nn.Parameter(torch.ones(2)),
    ],
    ids=lambda tensor: f"{tensor.dtype}{tuple(tensor.shape)}",
)
def test_a_tensor_comes_back_as_it_was_saved(tmp_path: Path, tensor: torch.Tensor, as_zip: bool) -> None:
    opened = _read(_save({"x": tensor}, tmp_path / "x.pt", as_zip=as_zip), as_zip=as_zip)
    assert isinstance(opened.content, dict)
    found = opened.tensor(opened.content["x"])
    assert found.dtype == tensor.dtype
    assert torch.equal(found, tensor.detach())


@LAYOUTS
def test_tensors_of_one_storage_come_back(tmp_path: Path, as_zip: bool) -> None:
    both = torch.arange(10.0)
    opened = _read(_save([both[:3], both[2:]], tmp_path / "x.pt", as_zip=as_zip), as_zip=as_zip)
    assert isinstance(opened.content, list)
    assert [opened.tensor(stored).tolist() for stored in opened.content] == [[0, 1, 2], [2, 3, 4, 5, 6, 7, 8, 9]]


@LAYOUTS
def test_a_state_dict_with_its_metadata_comes_back_as_a_plain_dictionary(tmp_path: Path, as_zip: bool) -> None:
    state = nn.BatchNorm2d(3).state_dict()
    opened = _read(_save(state, tmp_path / "x.pt", as_zip=as_zip), as_zip=as_zip)
    assert type(opened.content) is dict
    assert {name: opened.tensor(stored).tolist() for name, stored in opened.content.items()} == {
        name: tensor.tolist() for name, tensor in state.items()
    }


@LAYOUTS
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_values_come_back_from_every_protocol_torch_can_use(tmp_path: Path, as_zip: bool, protocol: int) -> None:
    content: dict[object, object] = {
        "a": [1, -5, 2**40, True, None, 0.25, "é", ("x", (), [])],
        7: {},
        "d": OrderedDict(k=1),
    }
    torch.save(content, tmp_path / "x.pt", pickle_protocol=protocol, _use_new_zipfile_serialization=as_zip)
    opened = _read(tmp_path / "x.pt", as_zip=as_zip)
    assert opened.content == content


# --- what others may write


@LAYOUTS
@pytest.mark.parametrize("protocol", [2, 4])
def test_calls_are_not_made_and_names_not_looked_up(tmp_path: Path, as_zip: bool, protocol: int) -> None:
    ran = tmp_path / "ran"
    content = {
        "system": Calling(os.system, f"touch {ran}"),
        "eval": Calling(eval, f"open({str(ran)!r}, 'w')"),
        "hidden": [(Calling(os.mkdir, str(ran)),)],
        "numpy": np.float64(0.5),
        "name": os.remove,
        "w": torch.ones(2),
    }
    torch.save(content, tmp_path / "x.pt", pickle_protocol=protocol, _use_new_zipfile_serialization=as_zip)
    opened = _read(tmp_path / "x.pt", as_zip=as_zip)
    assert isinstance(opened.content, dict)
    assert opened.content["system"] == Inert("posix.system")
    assert opened.content["eval"] == Inert("builtins.eval" if protocol == 4 else "__builtin__.eval")
    assert opened.content["name"] == Symbol("posix", "remove")
    assert opened.tensor(opened.content["w"]).tolist() == [1, 1]
    assert not ran.exists()


@LAYOUTS
def test_the_same_file_would_run_if_it_were_unpickled(tmp_path: Path, as_zip: bool) -> None:
    ran = tmp_path / "ran"
    _save({"system": Calling(os.mkdir, str(ran))}, tmp_path / "x.pt", as_zip=as_zip)
    torch.load(tmp_path / "x.pt", weights_only=False)
    assert ran.exists()


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [
        (0, (5,), (1,)),
        (3, (2,), (1,)),
        (2**40, (1,), (1,)),
        (0, (2, 2), (1, 3)),
        (0, (10**12,), (0,)),
        (0, (2, 3), (0, 1)),
        (0, (2**32, 2**32), (1, 1)),
        (0, (2**60,), (1,)),
        (-1, (1,), (1,)),
        (0, (-1,), (1,)),
        (3, (2,), (-1,)),
        (0, (0, 2**40, 2**40), (1, 1, 1)),
        (0, (2,), (1, 1)),
        (0, (1,) * 9, (1,) * 9),
    ],
)
def test_a_tensor_that_reaches_out_of_its_storage_is_refused(
    tmp_path: Path, offset: int, size: tuple[int, ...], stride: tuple[int, ...]
) -> None:
    file = write_torch_zip(tmp_path / "x.pt", pickled({"x": FakeTensor(offset, size, stride)}))
    with pytest.raises(CheckpointError, match="begins like a torch file, but its pickle has"):
        read_torch_zip(file)


def test_a_tensor_at_the_end_of_its_storage_is_taken(tmp_path: Path) -> None:
    numbers = np.arange(4, dtype=np.float32).tobytes()
    opened = read_torch_zip(write_torch_zip(tmp_path / "x.pt", pickled([FakeTensor(2, (2,), (1,))]), numbers))
    assert isinstance(opened.content, list)
    assert opened.tensor(opened.content[0]).tolist() == [2, 3]


def test_a_storage_of_two_sizes_is_refused(tmp_path: Path) -> None:
    two = [FakeTensor(0, (1,), (1,), count=4), FakeTensor(0, (1,), (1,), count=5)]
    with pytest.raises(CheckpointError, match="two different things of one storage"):
        read_torch_zip(write_torch_zip(tmp_path / "x.pt", pickled(two)))


@pytest.mark.parametrize("storage", [b"", bytes(15), bytes(20)])
def test_a_storage_of_another_length_than_its_tensors_say_is_refused(tmp_path: Path, storage: bytes) -> None:
    file = write_torch_zip(tmp_path / "x.pt", pickled([FakeTensor(0, (4,), (1,))]), storage)
    with pytest.raises(CheckpointError, match="another count"):
        read_torch_zip(file)


@pytest.mark.parametrize(
    ("pickle_bytes", "said"),
    [
        (b"", "damaged"),
        (b"\x80\x02", "damaged"),
        (b"\x80\x02.", "damaged"),
        (b"\x80\x02e.", "damaged"),
        (b"\x80\x02h\x05.", "damaged"),
        (b"\x80\x02]r\xff\xff\xff\xff.", None),
        (b"\x80\x02X\xff\xff\xff\x7fabc.", "damaged"),
        (b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x0fabc.", "damaged"),
        (b"cos\nsystem\n(S'true'\ntR.", "opcode STRING"),
        (b"(S'true'\nios\nsystem\n.", "opcode STRING"),
        (b"\x80\x02\x82\x01.", "opcode EXT1"),
        (b"\x80\x02}](K\x01K\x02u.", "items of what is no dictionary"),
        (b"\x80\x02}((K\x01tK\x02u.", "neither text nor number"),
        (b"\x80\x02K\x01K\x02a.", "appends to what is no list"),
        (b"\x80\x02X\x01\x00\x00\x00aQ.", "no storage of numbers"),
        (b"\x80\x02(X\x07\x00\x00\x00storage" + b"N" * 20 + b"tQ.", "numbers of the type"),
    ],
)
def test_a_pickle_that_torch_would_not_write_is_refused(tmp_path: Path, pickle_bytes: bytes, said: str | None) -> None:
    file = write_torch_zip(tmp_path / "x.pt", pickle_bytes)
    if said is None:
        assert read_torch_zip(file).content == []
        return
    with pytest.raises(CheckpointError, match=said):
        read_torch_zip(file)


def test_a_nest_that_would_take_forever_to_hash_is_refused(tmp_path: Path) -> None:
    doubling = b"\x80\x02}" + b")" + b"q\x00h\x00\x86" * 200 + b"K\x01s."
    with pytest.raises(CheckpointError, match="neither text nor number"):
        read_torch_zip(write_torch_zip(tmp_path / "x.pt", doubling))


# --- the zip around it


def test_a_zip_without_a_torch_pickle_says_how_many_entries_it_has(tmp_path: Path) -> None:
    file = write_zip(tmp_path / "x.zip", {"a": b"1", "b": b"2", "c/d": b"3"})
    with pytest.raises(CheckpointError, match="a zip of 3 entries without a torch pickle"):
        read_torch_zip(file)


def test_a_torchscript_program_is_named(tmp_path: Path) -> None:
    file = write_zip(tmp_path / "x.pt", {"x/data.pkl": pickled({}), "x/constants.pkl": pickled(())})
    with pytest.raises(CheckpointError, match="TorchScript program; give the state dict"):
        read_torch_zip(file)


def test_a_compressed_zip_is_refused_before_it_is_inflated(tmp_path: Path) -> None:
    entries = {"x/data.pkl": pickled([FakeTensor(0, (2**22,), (1,), 2**22)]), "x/data/0": bytes(2**24)}
    with pytest.raises(CheckpointError, match="compressed"):
        read_torch_zip(write_zip(tmp_path / "x.pt", entries, zipfile.ZIP_DEFLATED))


def test_a_pickle_of_many_megabytes_is_refused(tmp_path: Path) -> None:
    file = write_torch_zip(tmp_path / "x.pt", bytes(torch_file.MAX_PICKLE_BYTES + 1))
    with pytest.raises(CheckpointError, match="a pickle of more than"):
        read_torch_zip(file)


def test_a_text_with_a_broken_escape_is_refused_without_a_warning(tmp_path: Path) -> None:
    file = write_torch_zip(tmp_path / "x.pt", b"S'a broken \\o'\n.")
    with pytest.raises(CheckpointError, match="uses the opcode STRING"):
        read_torch_zip(file)


def test_a_directory_of_many_megabytes_is_not_read(tmp_path: Path) -> None:
    directory_bytes, offset = 2**30, 0
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, directory_bytes, offset, 0)
    with (tmp_path / "x.pt").open("wb") as file:
        file.seek(directory_bytes)  # the rest is a hole, which takes no disk
        file.write(end)
    with pytest.raises(CheckpointError, match="a damaged one"):
        read_torch_zip(tmp_path / "x.pt")


def test_big_endian_numbers_are_refused(tmp_path: Path) -> None:
    entries = {"x/data.pkl": pickled([FakeTensor(0, (4,), (1,))]), "x/data/0": bytes(16), "x/byteorder": b"big"}
    with pytest.raises(CheckpointError, match="big-endian"):
        read_torch_zip(write_zip(tmp_path / "x.pt", entries))


def test_a_plain_pickle_is_not_torchs(tmp_path: Path) -> None:
    (tmp_path / "x.pkl").write_bytes(pickle.dumps({"weights": [1.0]}))
    with pytest.raises(CheckpointError, match="a pickle, but not torch's"):
        read_torch_legacy(tmp_path / "x.pkl")


# --- damage of any kind


@LAYOUTS
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused_in_a_sentence(tmp_path: Path, as_zip: bool, data: st.DataObject) -> None:
    file = tmp_path / "x.pt"
    if not file.exists():
        _save({"w": torch.ones(3), "b": [torch.ones(2, dtype=torch.int64)]}, file, as_zip=as_zip)
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    length = data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))
    damaged = tmp_path / "damaged.pt"
    damaged.write_bytes(content[:length])
    try:
        opened = _read(damaged, as_zip=as_zip)
    except CheckpointError:
        return
    for value in opened.content.values() if isinstance(opened.content, dict) else ():
        if isinstance(value, StoredTensor):
            opened.tensor(value).sum()
