"""How items of a benchmark are put to a model: what is shown, in which words, and how long replies may be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from rscovlm.bench.item import Item, Kind
from rscovlm.bench.prompts import SPOKEN, Profile
from rscovlm.bench.runs.looking import CLOSER, Blind, Mode
from rscovlm.tasks.recipe import Recipe
from tiling.resolution import Resolution
from zoom_chain.chat import GREEDY, Generation, Sampling
from zoom_chain.settings import ZoomSettings

if TYPE_CHECKING:
    from rscovlm.models.families import ModelFamily
    from rscovlm.models.inputs import PatchInput

_TOKENS: Mapping[Kind, int] = {"classify": 32, "choice": 512, "caption": 1024}
_USUAL_TOKENS = 512


@dataclass(frozen=True)
class Asking:
    """How items are put to a model: everything about a request that is not the item's own.

    Attributes:
        family: how the model sees and writes.
        profile: all words, with those of recipe and family filled in.
        recipe: which questions may be looked at closer.
        mode: what is shown.
        blind: what is shown in its place.
        settings: of the zoom chain.
        resolution: of the first view.
        sampling: how tokens are chosen; None leaves it to the checkpoint.
        seed: of sampling and of shuffled images.
        max_tokens: of one reply; None takes what is usual for the kind of task.
        batch_size: items that are asked together.
        images: shown in place of the items' own, by key.
        tiled: whether objects are detected by the tiles of ``rscovlm detect`` rather than in one look.
        inputs: how plots are shown; None where no item is about one.
        heads: head of the model by the number that it gives, which answers in place of words.
    """

    family: ModelFamily
    profile: Profile
    recipe: Recipe
    mode: Mode
    settings: ZoomSettings
    resolution: Resolution
    blind: Blind = "none"
    sampling: Sampling | None = GREEDY
    seed: int = 0
    max_tokens: int | None = None
    batch_size: int = 16
    images: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tiled: bool = False
    inputs: PatchInput | None = None
    heads: Mapping[str, str] = field(default_factory=dict)

    @property
    def two_pass(self) -> bool:
        """Whether heads are asked for a number after the model has said something about the plot."""
        return bool(self.heads) and self.inputs is not None and self.inputs.knowledge is not None

    def head_for(self, item: Item) -> str | None:
        """The head that answers an item; None where it is answered in words."""
        return None if self.blind == "text" else self.heads.get(item.extra.get("target", ""))

    def zooms(self, item: Item) -> bool:
        """Whether the model may look closer before it answers an item."""
        if not self.settings.policy.looks_closer or item.kind not in SPOKEN or len(item.images) != 1:
            return False
        category = item.groups.get("category") or ("count" if item.kind == "count" else None)
        allowed = self.recipe.zooms(item.subject, category) or not self.settings.policy.offers_tool
        return self.mode in CLOSER and allowed

    def in_tiles(self, item: Item) -> bool:
        """Whether objects are looked for in the tiles of an item's image."""
        return self.tiled and item.kind == "detect"

    def generation(self, kind: Kind) -> Generation:
        """How replies about a kind of item are generated."""
        usual = self.family.detection_tokens if kind == "detect" else _TOKENS.get(kind, _USUAL_TOKENS)
        return Generation(self.max_tokens or usual, self.sampling, self.seed)

    def facts(self) -> dict[str, Any]:
        """All that a reply depends on besides the items and the weights, as JSON can hold it."""
        chain = {"zoom settings": asdict(self.settings), "never zoom": self.recipe.never_zoom}
        tiles = {name: getattr(self.recipe, name) for name in ("tile", "overlap", "gsd")}
        return {
            "family": self.family.name,
            "prompts": self.profile.model_dump(mode="json"),
            "dialect": self.family.dialect.name,
            "zoom": self.mode,
            **(chain if self.mode in CLOSER else {}),
            "tiles": tiles if self.tiled else None,
            "blind": self.blind,
            "resolution": asdict(self.resolution),
            "sampling": None if self.sampling is None else asdict(self.sampling),
            "max tokens": self.max_tokens,
            "seed": self.seed,
            "batch size": self.batch_size,
            "inputs": None if self.inputs is None else self.inputs.model_dump(mode="json"),
            "heads": dict(self.heads),
            **({"passes": 2} if self.two_pass else {}),
        }
