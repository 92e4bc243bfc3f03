"""Gated adapters for servers that know plain LoRA alone: one for each of some scales, and what that costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from rscovlm.data.packing import collate, model_inputs
from rscovlm.engines.numbers import encoded_prompt
from rscovlm.models.adapters.scaled import ScaledLora
from rscovlm.models.scale.routes import Routes
from rscovlm.models.scale.state import tell_scale
from rscovlm.training.building import Base
from rscovlm.training.live import live_engine

if TYPE_CHECKING:
    from rscovlm.models.qwen import VisionLanguageModel
    from zoom_chain.chat import Conversation

_STEPS = 25


@dataclass(frozen=True)
class Gap:
    """How far a routed adapter is from the gates that it stands for.

    Attributes:
        gsd_m: where the difference is largest.
        probability: largest total variation between the distributions of the next token, in [0, 1].
        logit: difference of a logit there.
    """

    gsd_m: float
    probability: float
    logit: float


def bake(adapter: ScaledLora, folder: Path, gsds_m: Sequence[float]) -> Routes:
    """Write one plain adapter for each GSD, and how requests find theirs.

    Raises:
        ModelError: for values that are no lengths.
    """
    neutral = adapter.gates[0].neutral
    routes = Routes.of(gsds_m, 10**neutral)
    for route in routes.adapters:
        adapter.save_at(folder / route.name, route.gsd_m)
    routes.write(folder)
    return routes


@torch.inference_mode()
def largest_gap(
    model: VisionLanguageModel, base: Base, routes: Routes, questions: Sequence[Conversation]
) -> Gap:
    """The largest difference between continuous gates and routed adapters, over a grid of GSDs.

    An adapter that is baked at a GSD is the gated one that is told this GSD for all tokens, so that no baked
    one has to be loaded.

    Args:
        model: with its gates.
        base: the checkpoint that it started from.
        routes: of the adapters.
        questions: that are asked about at each GSD.
    """
    model.eval()
    engine = live_engine(model, base)
    packs = [
        collate(
            [encoded_prompt(engine.prompt(question), base.patches)], base.patches, base.encoder.image_id,
            dummy=False,
        ).to(model.device)
        for question in questions
    ]  # fmt: skip

    def logits(gsd_m: float) -> torch.Tensor:
        found = []
        for pack in packs:
            tell_scale(model, torch.full_like(pack.input_ids, math.log10(gsd_m), dtype=torch.float32))
            found.append(model(**model_inputs(pack), logits_to_keep=1).logits[0, -1].float())
        return torch.stack(found)

    baked = {route.name: logits(route.gsd_m) for route in routes.adapters}
    gaps = []
    for gsd_m in np.geomspace(*routes.compared, _STEPS).tolist():
        gated, routed = logits(gsd_m), baked[routes.route(gsd_m).name]
        apart = (gated.softmax(-1) - routed.softmax(-1)).abs().sum(-1) / 2
        gaps.append(Gap(gsd_m, float(apart.max()), float((gated - routed).abs().max())))
    return max(gaps, key=lambda gap: (gap.probability, gap.logit))
