"""``rscovlm calibrate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from detection_eval.words import counted
from rscovlm.cli.options import AsJson, Device
from rscovlm.cli.train import quiet_libraries
from rscovlm.errors import UsageError
from rscovlm.progress import note

LEAST = 20
"""Images that nine tenths can be told of."""


def calibrate(
    model: Annotated[
        Path, typer.Argument(help="Folder of a trained model with a head of ground sampling distance.")
    ],
    samples: Annotated[
        Path,
        typer.Argument(
            help="Samples that state the scale of their images, of scenes that it was not trained on.",
            metavar="FILE",
        ),
    ],
    device: Device = None,
    as_json: AsJson = False,
) -> None:
    """Make the intervals of the head of ground sampling distance hold what they say.

    Its deviations are multiplied by the factor with which central 90 % intervals hold nine tenths of the
    images (split conformal prediction), and the factor is kept beside the model. Errors and coverage are told
    before and after, the latter of each half of the images with the factor of the other half.
    """
    import json

    from rscovlm.data.store import SampleFile
    from rscovlm.engines.transformers import TransformersEngine
    from rscovlm.models.checkpoints import resolve
    from rscovlm.models.heads import calibrate_gsd
    from rscovlm.scale.head import read_images

    quiet_libraries()
    found = resolve(str(model))
    folder = found.adapter or found.local
    with TransformersEngine.of_checkpoint(
        found.local, found.family, str(model), device=device, adapter=found.adapter, keep_tokens=0
    ) as engine:
        if engine.estimate_gsd is None:
            raise UsageError(
                f"{model} has no head of ground sampling distance; train with heads: {{gsd: {{}}}}"
            )
        readings = read_images(engine.gsd_of, SampleFile(samples), engine.family)
    if len(readings) < LEAST:
        raise UsageError(
            f"{samples} states the scale of {counted(len(readings), 'image')}; give at least {LEAST}"
        )
    before, after = readings.scores(), readings.crossed().scores()
    calibrate_gsd(folder, readings.factor)
    if as_json:
        print(json.dumps({"factor": readings.factor, "before": before, "after": after}, indent=1))
        return
    note(f"{counted(len(readings), 'image')}; error {before['error_decades']:.3f} decades in the mean")
    for name, scores in (("before", before), ("after", after)):
        shares = ", ".join(f"{share} %: {100 * scores[f'coverage_{share}']:.0f} %" for share in (50, 90))
        note(f"{name}: true scales within intervals of {shares}")
    print(f"deviations times {readings.factor:.3g}")
