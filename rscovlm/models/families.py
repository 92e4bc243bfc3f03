"""Model families: what has to be known of a checkpoint to talk to it and to believe its coordinates."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from configs import ConfigError
from detection_eval.text.coordinates import PERMILLE, PIXELS, CoordinateSpace
from detection_eval.text.labels import spoken
from rscovlm.errors import ModelError, UsageError
from rscovlm.models.sidecars import OWN, image_processor, read_sidecar
from tiling.resolution import Resolution
from zoom_chain.dialect import NANO, QWEN3_VL, QWEN3_VL_PLAIN, RSCOVLM, ZoomDialect
from zoom_chain.dialect_files import load_dialect

DEFAULT_MAX_TOKENS = 1280
"""Visual tokens of one image unless a caller allows more: about a megapixel. Hub checkpoints allow 16384,
which few machines can hold."""

CLASSIFY = "Classify the image into one of: {classes}. Answer with the class name."
"""Words that ask for a class, where a family was not trained on words of its own."""


@dataclass(frozen=True)
class ModelFamily:
    """How a family of models sees and writes.

    Attributes:
        name: as ``--family`` takes it.
        resolution: the image sizes it accepts.
        space: the coordinates it writes.
        dialect: the words of its zoom tool.
        detection: the name of the contract in which it lists objects (``detection_eval.text.contracts``).
        detect_gsd_m: metres per pixel of the views in which it was trained to detect; None where any will do.
        class_gsd_m: likewise of single classes that want another, by name.
        classes: what it detects unless asked for something else; None where the caller has to say.
        scene_classes: what it classifies scenes into unless asked for something else; None likewise.
        classification_prompt: words that ask for the class of a scene, with ``{classes}`` in them.
        class_joiner: between the classes in those words.
        closer_looks: how many times ``detect`` looks again at each object that it has found, close up.
        detection_tokens: most tokens of a reply that lists objects; RSCoVLM was evaluated with 16,384.
        states_gsd: whether it is told in words how large a pixel of each image is.
    """

    name: str
    resolution: Resolution
    space: CoordinateSpace
    dialect: ZoomDialect
    detection: str
    detect_gsd_m: float | None = None
    class_gsd_m: Mapping[str, float] | None = field(default=None, hash=False)
    classes: tuple[str, ...] | None = None
    scene_classes: tuple[str, ...] | None = None
    classification_prompt: str = CLASSIFY
    class_joiner: str = ", "
    closer_looks: int = 0
    detection_tokens: int = 16_384
    states_gsd: bool = False

    def with_max_pixels(self, max_pixels: int) -> ModelFamily:
        """The same family with another upper bound on the area of an image.

        Raises:
            ModelError: for a bound that leaves no size.
        """
        least = max(self.resolution.min_pixels, self.resolution.factor**2)
        if max_pixels < least:
            raise ModelError(
                f"--max-pixels {max_pixels} is below the {least} that {self.name} needs at least"
            )
        return replace(self, resolution=self.resolution.with_max_pixels(max_pixels))

    def gsd_of(self, name: str) -> float | None:
        """Metres per pixel of the views in which a class is looked for; None where any will do."""
        stated = {spoken(known): gsd_m for known, gsd_m in (self.class_gsd_m or {}).items()}
        return stated.get(spoken(name), self.detect_gsd_m)

    def check_known(self, names: Sequence[str], known: Sequence[str] | None) -> None:
        """Refuse names outside a list of its own, ``classes`` or ``scene_classes``, where it has one.

        Names are the same as they are spoken: ``tennis-court`` is ``tennis court``.

        Raises:
            UsageError: naming those that it knows.
        """
        own = {spoken(name) for name in known or ()}
        unknown = [name for name in names if own and spoken(name) not in own]
        if unknown:
            raise UsageError(
                f"{self.name} does not know the classes {', '.join(unknown)}; "
                f"choose from {', '.join(known or ())}"
            )


def _resolution(factor: int, tokens: int = DEFAULT_MAX_TOKENS, least: int = 4) -> Resolution:
    return Resolution(factor, least * factor**2, tokens * factor**2)


FAMILIES: dict[str, ModelFamily] = {
    family.name: family
    for family in (
        ModelFamily("qwen2.5-vl", _resolution(28), PIXELS, RSCOVLM, "qwen2.5-vl"),
        # Trained with 64 to 1296 visual tokens (arXiv:2511.21272, section 4.1).
        ModelFamily(
            "rscovlm",
            _resolution(28, 1296, 64),
            PIXELS,
            RSCOVLM,
            "rscovlm-quad",
            classification_prompt="Classify the image within one of the given classes:{classes}.",
            class_joiner=",",
        ),
        ModelFamily("qwen2-vl", _resolution(28), PERMILLE, QWEN3_VL_PLAIN, "qwen2-vl"),
        ModelFamily("qwen3-vl", _resolution(32), PERMILLE, QWEN3_VL, "qwen3-vl"),
        ModelFamily(
            "nano",
            Resolution(16, 64 * 64, 128 * 128),
            PERMILLE,
            NANO,
            "nano",
            detect_gsd_m=1.5,
            class_gsd_m={
                "helicopter": 0.3,
                "large vehicle": 0.3,
                "plane": 0.75,
                "small vehicle": 0.3,
                "storage tank": 0.75,
                "swimming pool": 0.3,
                "tennis court": 0.75,
            },
            closer_looks=2,
            classes=(
                "bridge",
                "helicopter",
                "large vehicle",
                "plane",
                "ship",
                "small vehicle",
                "soccer ball field",
                "storage tank",
                "swimming pool",
                "tennis court",
            ),
            scene_classes=("coast", "desert", "farmland", "forest", "industrial", "urban", "water"),
            detection_tokens=2048,
        ),
    )
}

_ARCHITECTURES = {
    "qwen2_vl": "qwen2-vl",
    "qwen2_5_vl": "qwen2.5-vl",
    "qwen3_vl": "qwen3-vl",
    "qwen3_vl_moe": "qwen3-vl",
    "qwen3_5": "qwen3-vl",
    "qwen3_5_moe": "qwen3-vl",
}


def family_named(name: str) -> ModelFamily:
    """A family by name.

    Raises:
        ModelError: naming the families that exist.
    """
    if name not in FAMILIES:
        raise ModelError(f"family {name!r} is unknown; choose from {', '.join(FAMILIES)}")
    return FAMILIES[name]


_SPELLINGS = {
    "rscovlm": r"(?<![a-z0-9])rscovlm(?![a-z0-9])",
    # The hub's, Ollama's (qwen2.5vl:7b) and ModelScope's (Qwen2___5-VL).
    "qwen2.5-vl": r"(?<![a-z0-9])qwen-?2[.-]*5-?vl(?![a-z])",
    "qwen2-vl": r"(?<![a-z0-9])qwen-?2-?vl(?![a-z])",
    "qwen3-vl": r"(?<![a-z0-9])qwen-?3(?:-?vl|[.-]+5)(?![a-z])",
    "nano": r"^nano$",
}


def family_in(text: str) -> ModelFamily | None:
    """The family that the name of a model says, or None; of a path, its last part first.

    Names count as words, so that neither ``gpt-5-nano`` nor ``Nemotron-Nano`` is taken for nano.
    """
    plain = text.lower().replace("_", "-").rstrip("/")
    for part in (plain.rpartition("/")[2], plain):
        for name, spelling in _SPELLINGS.items():
            if re.search(spelling, part):
                return FAMILIES[name]
    return None


def family_of(folder: str | Path, name: str | None = None) -> ModelFamily:
    """The family of a checkpoint, from its name and the files beside its weights.

    ``config.json`` tells the architecture and patch sizes, the image processor's configuration the pixel
    bounds, and an optional ``rscovlm.json`` overrides by name: ``family``, ``dialect``, ``detection``,
    ``detect_gsd_m``, ``class_gsd_m``, ``closer_looks``, ``min_pixels``, ``max_pixels``. The name tells
    RSCoVLM, whose files are those of any Qwen2.5-VL.

    Args:
        folder: of the checkpoint.
        name: that the user gave; the folder's own where it is None. A hub id is found in a folder that is
            named by a commit.

    Raises:
        ModelError: for a folder without a configuration, an architecture that is not supported, or scales
            that are none.
    """
    folder = Path(folder)
    config = read_sidecar(folder, "config.json")
    if config is None:
        raise ModelError(f"{folder} holds no config.json; give the folder of a Hugging Face checkpoint")
    architecture = config.get("model_type")
    if architecture not in _ARCHITECTURES:
        raise ModelError(
            f"{folder} is a {architecture!r} model; supported are {', '.join(sorted(_ARCHITECTURES))}"
        )
    overrides = read_sidecar(folder, OWN) or {}
    family = FAMILIES[_ARCHITECTURES[architecture]]
    if "family" in overrides:
        family = family_named(overrides["family"])
    elif architecture == "qwen2_5_vl" and family_in(name or folder.name) is FAMILIES["rscovlm"]:
        family = FAMILIES["rscovlm"]
    vision = config.get("vision_config", {})
    factor = int(vision.get("patch_size", 0)) * int(vision.get("spatial_merge_size", 2))
    family = replace(family, resolution=_bounds(family, factor, image_processor(folder) or {}, overrides))
    if "dialect" in overrides:
        try:
            family = replace(family, dialect=load_dialect(str(overrides["dialect"])))
        except ConfigError as error:
            raise ModelError(f"{folder / OWN}: {error}") from None
    known: dict[str, Any] = {
        key: overrides[key]
        for key in ("detection", "detect_gsd_m", "class_gsd_m", "closer_looks")
        if key in overrides
    }
    _check_scales(known, folder / OWN)
    closer = known.get("closer_looks", 0)
    if isinstance(closer, bool) or not isinstance(closer, int) or closer < 0:
        raise ModelError(f"closer_looks {closer!r} in {folder / OWN} is no number of looks; give 0, 1 or 2")
    return replace(family, **known)


def _check_scales(known: Mapping[str, Any], source: Path) -> None:
    """Refuse ground sampling distances in a checkpoint's own file that are no positive numbers.

    Raises:
        ModelError: with one clear line.
    """
    by_class = known.get("class_gsd_m")
    if by_class is not None and not isinstance(by_class, dict):
        raise ModelError(
            f"class_gsd_m {by_class!r} in {source} is no mapping; give metres per pixel by class, "
            'such as {"small vehicle": 0.4}'
        )
    for name, value in {"detect_gsd_m": known.get("detect_gsd_m"), **(by_class or {})}.items():
        number = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")
        if not number and not (name == "detect_gsd_m" and value is None):
            raise ModelError(
                f"{name} {value!r} in {source} is no ground sampling distance; give metres per pixel"
            )


def _bounds(
    family: ModelFamily, factor: int, processor: Mapping[str, Any], overrides: Mapping[str, Any]
) -> Resolution:
    """The pixel bounds to use: those of the training run where it stated them, else the processor's, no
    higher than the family's."""
    factor = factor or family.resolution.factor
    tokens = family.resolution.max_pixels // family.resolution.factor**2
    size = processor.get("size", {})
    least = size.get("shortest_edge") or processor.get("min_pixels") or 4 * factor**2
    most = size.get("longest_edge") or processor.get("max_pixels") or tokens * factor**2
    most = max(min(int(most), tokens * factor**2), factor**2)
    if "max_pixels" in overrides:
        least, most = overrides.get("min_pixels", least), int(overrides["max_pixels"])
    return Resolution(factor, min(int(least), most), most)
