"""How many gradients a second a large batch gives, beside torch unaided and beside what the machine can at the most."""

import torch

from app.adversarial.aims import Aims
from app.bench.lines import Findings, Goal, share_of
from app.bench.plan import Plan
from app.bench.subject import Subject
from app.bench.timing import Tell, medians, side_by_side
from app.engine.flops import device_flops_per_second
from app.engine.steps.eager import eager

ROWS = 64
_OURS, _EAGER, _PRODUCT = "ours", "eager", "matrix product"


def measure_throughput(subject: Subject, plan: Plan, tell: Tell) -> Findings:
    """Gradient evaluations at 64 rows by the step that the server chose; products are timed between them."""
    what = "throughput"
    images = torch.rand(ROWS, *subject.model.shape, generator=torch.Generator().manual_seed(0)).to(subject.device)
    label = torch.arange(ROWS, device=subject.device) % len(subject.classes)
    aims = Aims.alike(label, margin=False, classes=len(subject.classes))
    ours, plain = subject.model.step, eager(subject.network)
    rates: list[float | None] = []
    works = {
        _OURS: lambda number: ours.logits_and_gradient(images, aims),
        _EAGER: lambda number: plain.logits_and_gradient(images, aims),
        _PRODUCT: lambda number: rates.append(device_flops_per_second(subject.device)),
    }
    tell(what, 0, plan.repeats)
    seconds = side_by_side(works, plan.repeats, subject.device, lambda done: tell(what, done, plan.repeats))
    took = medians({name: seconds[name] for name in (_OURS, _EAGER)})
    rate, eager_rate = ROWS / took[_OURS], ROWS / took[_EAGER]
    what_of = f"gradients, {ROWS} rows, by {ours.name}"
    lines = [share_of(what_of, rate, eager_rate, "/s", _EAGER, Goal(1.6))]
    limit = _limit(subject, [flops for flops in rates if flops])
    if limit is not None:
        lines.append(share_of(what_of, rate, limit, "/s", "the limit", Goal(0.75)))
    measured = {
        "seconds": {name: seconds[name] for name in (_OURS, _EAGER)},
        "flops_per_second_of_products": rates,
        "flops_of_a_gradient": subject.model.gradient_flops,
    }
    return Findings(tuple(lines), measured)


def _limit(subject: Subject, rates: list[float]) -> float | None:
    """Gradients a second if each were nothing but a matrix product; None where its operations could not be counted."""
    if not rates or subject.model.gradient_flops is None:
        return None
    return medians({_PRODUCT: rates})[_PRODUCT] / subject.model.gradient_flops
