"""aex margins."""

import json
from typing import Annotated

import typer
from rich.table import Table

from app.cli.common import (
    DeviceName,
    FrameNumber,
    ImagePaths,
    LevelWindow,
    ModelName,
    ModelsFolder,
    PageNumber,
    RegionBox,
    console,
    each_image,
    naming,
    open_explainer,
    read_region,
    read_window,
)
from app.cli.parts import print_part_used
from app.engine.token import WorkToken
from app.service.options import MarginOptions
from app.service.results.margin import MarginResult, SmallestChange
from app.web.as_json import margin_answer


def margins(
    images: ImagePaths,
    model: ModelName = None,
    restarts: Annotated[
        int, typer.Option("--restarts", help="Further searches for smaller changes, from random ones.")
    ] = MarginOptions.restarts,
    certificate: Annotated[
        bool, typer.Option("--certificate", help="Certify a radius of the smoothed classifier, too.")
    ] = MarginOptions.certificate,
    sigma: Annotated[
        float, typer.Option("--sigma", help="Standard deviation of the certificate's noise, pixels in [0, 1].")
    ] = MarginOptions.sigma,
    draws: Annotated[
        int, typer.Option("--draws", help="Noisy images that the certificate estimates by.")
    ] = MarginOptions.draws,
    alpha: Annotated[
        float, typer.Option("--alpha", help="The share of certificates that may be wrong.")
    ] = MarginOptions.alpha,
    seed: Annotated[int, typer.Option("--seed", help="Of restarts and noise.")] = MarginOptions.seed,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    page: PageNumber = None,
    frame: FrameNumber = None,
    window: LevelWindow = None,
    region: RegionBox = None,
    models: ModelsFolder = None,
    device: DeviceName = None,
) -> None:
    """How much change each image's prediction withstands: the smallest found, and on request a promise.

    Examples: aex margins examples/cat-0.png    aex margins --certificate --sigma 0.05 --draws 10000 scans/*.jpg

    A page, a slice through a window, a part of a picture:
    aex margins scan.pdf --page 2    aex margins ct.zip --frame 40 --window -600,1500
    aex margins x-ray.dcm --region 300,200,512,512
    """
    options = MarginOptions(
        model=model,
        restarts=restarts,
        certificate=certificate,
        sigma=sigma,
        draws=draws,
        alpha=alpha,
        seed=seed,
        page=page,
        frame=frame,
        window=read_window(window),
        region=read_region(region),
    )
    with open_explainer(model, models, device, images=len(images)) as explainer:
        for path, data in each_image(images, "finding margins"):
            with naming(path):
                result = explainer.margin(data, options, WorkToken())
            answer = margin_answer(result)
            if as_json:
                print(json.dumps({"file": str(path), **answer}))  # noqa: T201 - the answer itself
            else:
                _show(str(path), result)
                print_part_used(answer, options.region)


def _show(title: str, result: MarginResult) -> None:
    best, margin = result.prediction.best, result.margin
    table = Table("smallest change that", "RMS", "L2", "prediction", "percentile", title=f"{title}: {best.name}")
    table.add_row("flips the class", *_cells(margin.flip))
    table.add_row(f"leaves it {margin.chance_probability:.3g} or less", *_cells(margin.chance))
    console.print(table)
    console.print(margin.says)
    if result.certificate is not None:
        console.print(result.certificate.says)


def _cells(change: SmallestChange) -> tuple[str, str, str, str]:
    standing = "" if change.percentile is None else f"{change.percentile:.0f}"
    if change.perturbation_rms is None or change.perturbation_l2 is None:
        return f"over {change.largest_rms_tried:.4f}", f"over {change.largest_l2_tried:.3f}", "not found", standing
    becomes = "stays" if change.changed_class_to is None else f"becomes {change.changed_class_to}"
    return f"{change.perturbation_rms:.4f}", f"{change.perturbation_l2:.3f}", becomes, standing
