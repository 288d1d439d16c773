"""model.json: every field wrong, missing or too much."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.errors import CheckpointError
from app.networks.description import as_text, from_json
from app.networks.fields import parse_json
from app.networks.resnet import ResNetConfig
from tests.networks.small import small_description

FILE = Path("models/m/model.json")


def _read_changed(where: list[str], change: Callable[[dict[str, Any]], object]) -> None:
    """Read a good model.json after `change` to the object at `where`."""
    content = json.loads(as_text(small_description(), "0" * 64))
    inner = content
    for name in where:
        inner = inner[name]
    change(inner)
    from_json(content, FILE)


def test_the_same_description_comes_back() -> None:
    text = as_text(small_description(), "0" * 64)
    assert from_json(parse_json(text, FILE), FILE) == (small_description(), "0" * 64)


def test_a_twin_is_kept_and_need_not_be_named() -> None:
    described = replace(small_description(), twin="plain-2")
    assert from_json(parse_json(as_text(described, "0" * 64), FILE), FILE)[0] == described
    _read_changed([], lambda content: content.pop("twin"))


@pytest.mark.parametrize(
    ("where", "wrong", "said"),
    [
        ("format_version", 2, "format_version is 2; it must be 1"),
        ("format_version", True, "format_version is true"),
        ("classes", ["cat", "dog"], "classes is .*; it must be a list of 3 names"),
        ("classes", ["cat", "dog", "cat"], "different names"),
        ("classes", ["cat", "dog", ""], 'classes is ""; it must be'),
        ("classes", ["cat", "dog", 3], "classes is 3; it must be"),
        ("classes", "cat", 'classes is "cat"; it must be a list'),
        ("input.height", 0, "input.height is 0; it must be a whole number from 1 to 2048"),
        ("input.width", 8.5, "input.width is 8.5"),
        ("input.width", True, "input.width is true"),
        ("input.channels", 1, "input.channels is 1; it must be 3, the channels of the architecture"),
        ("input.channels", 2, r"input.channels is 2; it must be 1 \(grey\) or 3"),
        ("input.fit", "crop", 'input.fit is "crop"; it must be one of stretch, letterbox, center_crop'),
        ("explanation.rho", 0, "explanation.rho is 0; it must be a number above 0 and at most 1"),
        ("explanation.scale", "0.2", 'explanation.scale is "0.2"'),
        ("training", [], r"training is \[\]; it must be an object or null"),
        ("scores", None, "scores is null; it must be an object"),
        ("source", 5, "source is 5"),
        (
            "twin",
            "../b",
            'twin is "../b"; it must be the name of a model, which is 1 to 64 of a-z, 0-9, _ and -, or null',
        ),
        ("twin", 5, "twin is 5; it must be the name of a model"),
        ("weights_sha256", "ABC", 'weights_sha256 is "ABC"; it must be 64 hexadecimal digits'),
        ("architecture.kind", "vgg", 'architecture.kind is "vgg"; it must be one of resnet, torchvision'),
        ("architecture", {"kind": "torchvision", "name": "x"}, 'architecture.name is "x"; .* such as resnet50'),
        ("architecture.config.widths", [4, "8"], r"architecture.config.widths is \[4, \"8\"\]"),
        ("architecture.config.widths", [], r"architecture.config.widths is \[\]"),
        ("architecture.config.blocks", [1], "as many numbers as widths, 2"),
        ("architecture.config.stem_kernel", 4, "architecture.config.stem_kernel is 4; it must be odd"),
        ("architecture.config.activation", "tanh", "one of half_huber, relu, silu"),
        ("architecture.config.std", [0.1, 0.1, 0], "a list of 3 numbers above 0"),
        ("architecture.config.mean", [0.1, 0.1], "a list of 3 numbers"),
    ],
)
def test_a_wrong_field_is_named_with_what_would_be_right(where: str, wrong: object, said: str) -> None:
    *outer, last = where.split(".")
    with pytest.raises(CheckpointError, match=f"model.json: .*{said}"):
        _read_changed(outer, lambda inner: inner.update({last: wrong}))


FIELDS = [
    *("format_version", "architecture", "classes", "input", "explanation", "training", "scores", "source"),
    *("weights_sha256", "architecture.kind", "architecture.config", "input.fit", "explanation.rho"),
    *(f"architecture.config.{name}" for name in ResNetConfig.__dataclass_fields__),
]


@pytest.mark.parametrize("where", FIELDS)
def test_a_missing_field_is_named(where: str) -> None:
    *outer, last = where.split(".")
    with pytest.raises(CheckpointError, match=f"model.json: {where} is missing; it must be"):
        _read_changed(outer, lambda inner: inner.pop(last))


@pytest.mark.parametrize("where", ["", "architecture", "architecture.config", "input", "explanation"])
def test_a_field_of_another_format_is_named(where: str) -> None:
    with pytest.raises(CheckpointError, match=f"{where}.?pickle is not a field of this format"):
        _read_changed(list(filter(None, where.split("."))), lambda inner: inner.update(pickle=1))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not JSON"),
        ("[]", r"the whole is \[\]; it must be an object"),
        ('{"scores": NaN}', "NaN is not a finite number"),
        ('{"scores": 1e999}', "1e999 is not a finite number"),
        ("[" * 100_000, "is not JSON"),
        ("\ud800", "is not JSON"),
    ],
)
def test_what_is_no_json_object_is_refused(text: str, said: str) -> None:
    with pytest.raises(CheckpointError, match=f"model.json.*{said}"):
        from_json(parse_json(text.encode("utf-8", "surrogatepass"), FILE), FILE)
