"""The whole evaluation on a toy problem: what is reported, and that a run picked up again equals one never stopped."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from app.errors import DataError
from app.training.data import Images
from app.training.evaluate import Evaluation, Plan, Subject, as_plain, compare, evaluate, ledger_options
from app.training.measures.areas import worst_found
from app.training.measures.fixed_sizes import Effort
from app.training.measures.ledger import Ledger
from tests.training.toy import toy_images

CLASSES = ("upper", "lower")
PLAN = Plan(
    images=6,
    steps=60,
    restarts=1,
    sizes_rms=(0.05,),
    effort=Effort(steps=5, targets=1, queries=5),
    batch_size=4,
)


class Halves(nn.Module):
    """Logits: `sharpness` times the mean of the upper half and of the lower half."""

    def __init__(self, sharpness: float = 10.0) -> None:
        super().__init__()
        self.sharpness = nn.Parameter(torch.tensor(sharpness), requires_grad=False)

    def forward(self, images: Tensor) -> Tensor:
        upper, lower = images[:, :, :4].mean((1, 2, 3)), images[:, :, 4:].mean((1, 2, 3))
        return self.sharpness * torch.stack([upper, lower], 1)


def subject(name: str = "halves", sharpness: float = 10.0) -> Subject:
    return Subject(name, Halves(sharpness).eval(), f"{name}{sharpness}", CLASSES)


def measured(test: Images, plan: Plan = PLAN, file: Path | None = None, judge: Subject | None = None) -> Evaluation:
    return evaluate(subject(), test, plan, Ledger(file, ledger_options(test, plan)), judge=judge)


@pytest.fixture(scope="module")
def test_split() -> Images:
    return toy_images(20)


@pytest.fixture(scope="module")
def evaluation(test_split: Images) -> Evaluation:
    return measured(test_split, judge=subject("judge", 3.0))


def test_plain_figures_are_of_the_whole_split(evaluation: Evaluation) -> None:
    found = evaluation.measures.classification
    assert (found.accuracy.value, found.images) == (1.0, 20)
    assert found.two_classes is not None
    assert (found.two_classes.positive_class, found.two_classes.auroc.value) == ("lower", 1.0)


def test_smallest_changes_are_the_distance_to_the_plane_between_the_halves(
    test_split: Images, evaluation: Evaluation
) -> None:
    chosen = torch.randperm(20, generator=torch.Generator().manual_seed(1776))[:6]
    images = test_split.floats(chosen)
    # The logits meet where the halves' means do: each half moves by half their distance, which is the RMS.
    distance = (images[:, :, :4].mean((1, 2, 3)) - images[:, :, 4:].mean((1, 2, 3))).abs() / 2
    assert torch.allclose(worst_found(evaluation.changes)[0], distance, rtol=0.05)


def test_margins_are_those_distances_as_quantiles(test_split: Images, evaluation: Evaluation) -> None:
    images = test_split.floats(torch.randperm(20, generator=torch.Generator().manual_seed(1776))[:6])
    distance = (images[:, :, :4].mean((1, 2, 3)) - images[:, :, 4:].mean((1, 2, 3))).abs() / 2
    found = evaluation.measures.margins
    assert found is not None
    assert (found.images, found.never_flipped) == (6, 0)
    # Every fifth of twenty steps from the smallest to the largest is one of the six images.
    assert found.flip_rms_quantiles[::4] == pytest.approx(distance.sort().values.tolist(), rel=1e-2, abs=1e-5)
    assert found.chance_rms_quantiles == pytest.approx(found.flip_rms_quantiles, rel=1e-2, abs=1e-5)  # of two classes


def test_an_area_of_never_flipped_images_is_said_to_be_one(test_split: Images) -> None:
    class Constant(Halves):
        def forward(self, images: Tensor) -> Tensor:
            return super().forward(images * 0) + torch.tensor([1.0, 0.0])

    plan = replace(PLAN, sizes_rms=())
    always = Subject("constant", Constant().eval(), "constant", CLASSES)
    found = evaluate(always, test_split, plan, Ledger(None, {})).measures
    upper = int((test_split.labels[torch.randperm(20, generator=torch.Generator().manual_seed(1776))[:6]] == 0).sum())
    assert found.areas.never_flipped == upper > 0


def test_a_stranger_reads_the_runner_up_only_in_the_explanation(evaluation: Evaluation) -> None:
    found = evaluation.measures.readability
    assert found is not None
    assert (found.judge, found.images) == ("judge", 6)
    assert found.read_before.value == 0


def test_a_network_beside_itself_has_a_ratio_of_one(evaluation: Evaluation) -> None:
    ratio = compare(evaluation, evaluation, "itself", 2).worst_case_ratio
    assert (ratio.value, ratio.low, ratio.high) == (1.0, 1.0, 1.0)


def test_how_far_two_networks_agree_and_who_is_right_where_they_do_not(evaluation: Evaluation) -> None:
    """Of ten images they read five alike, four of those rightly; of the rest one is right thrice, the other once."""
    labels = torch.zeros(10, dtype=torch.int64)
    ours = replace(evaluation, labels=labels, predicted=torch.tensor([0, 0, 0, 0, 1, 0, 0, 0, 1, 1]))
    theirs = replace(evaluation, labels=labels, predicted=torch.tensor([0, 0, 0, 0, 1, 1, 1, 1, 0, 2]))
    found = compare(ours, theirs, "theirs", 3)
    shares = (found.agreement, found.right_where_agreed, found.right_where_apart, found.other_right_where_apart)
    assert [share and share.value for share in shares] == pytest.approx([0.5, 0.8, 0.6, 0.2])
    assert compare(ours, ours, "itself", 3).right_where_apart is None


def test_a_run_that_was_stopped_goes_on_to_the_same_figures(test_split: Images, tmp_path: Path) -> None:
    file, told = tmp_path / "run.safetensors", []

    def stop(what: str, done: int, of: int) -> None:
        del of
        told.append(what)
        if (what, done) == ("attacking at fixed sizes", 4):
            raise KeyboardInterrupt

    ledger = Ledger(file, ledger_options(test_split, PLAN))
    with pytest.raises(KeyboardInterrupt):
        evaluate(subject(), test_split, PLAN, ledger, report=stop)
    whole = as_plain(measured(test_split).measures)
    assert as_plain(measured(test_split, file=file).measures) == whole


def test_finished_batches_are_not_measured_again(test_split: Images, tmp_path: Path) -> None:
    file = tmp_path / "run.safetensors"
    measured(test_split, file=file)

    class Untouched(Halves):
        def forward(self, images: Tensor) -> Tensor:
            raise AssertionError(f"asked again, for {len(images)} images")

    again = Subject("again", Untouched().eval(), subject().key, CLASSES)
    evaluate(again, test_split, PLAN, Ledger(file, ledger_options(test_split, PLAN)))


def test_results_of_other_options_are_refused_by_name(test_split: Images, tmp_path: Path) -> None:
    file = tmp_path / "run.safetensors"
    measured(test_split, file=file)
    with pytest.raises(DataError, match="steps 60, now 61"):
        measured(test_split, replace(PLAN, steps=61), file)


@pytest.mark.parametrize("content", [b"", b"no ledger", b"\x08" + 7 * b"\0" + b"{}      "])
def test_a_file_that_is_no_ledger_is_refused(content: bytes, test_split: Images, tmp_path: Path) -> None:
    (tmp_path / "run").write_bytes(content)
    with pytest.raises(DataError, match="run holds"):
        measured(test_split, file=tmp_path / "run")
    assert (tmp_path / "run").read_bytes() == content
