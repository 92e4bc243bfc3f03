"""nano at a size that a test can build."""

from __future__ import annotations

from rscovlm.models.patches import PatchSpec
from rscovlm.nano.model import Shape

SMALL = Shape(
    vision_width=32,
    vision_depth=2,
    vision_heads=2,
    width=32,
    depth=2,
    heads=1,
    kv_heads=1,
    mlp=48,
    deepstack=(0,),
)
SPEC = PatchSpec(16, 1, 2, (0.5,) * 3, (0.5,) * 3)
