"""Floating point operations (FLOPs) of Qwen2.5-VL and Qwen3-VL: the one model behind plans and MFU.

Counted are matrix products, two operations for a multiplication with its addition: attention of the language
model as causal, of the vision tower in full within a frame or within its windows, and the output layer for
learnt tokens alone. Norms, activations and recomputed activations are not counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rscovlm.models.qwen import VisionLanguageConfig


@dataclass(frozen=True)
class Counts:
    """The sizes of what a model computes in one pass.

    Attributes:
        lengths: tokens of each sample, visual tokens included; samples do not attend to each other.
        grids: frames, rows and columns of each image in patches.
        learnt: tokens that get logits.
    """

    lengths: Sequence[int]
    grids: Iterable[tuple[int, int, int]]
    learnt: int


@dataclass(frozen=True)
class Work:
    """FLOPs of a forward pass through one part of a model.

    Attributes:
        weights: products of tokens with weights.
        attention: products of queries with keys, and of their scores with values.
    """

    weights: float = 0.0
    attention: float = 0.0

    def __add__(self, other: Work) -> Work:
        return Work(self.weights + other.weights, self.attention + other.attention)


@dataclass(frozen=True)
class Cost:
    """FLOPs of a forward pass, by part of the model.

    Attributes:
        vision: the vision tower without its mergers.
        merger: the mergers, those of DeepStack included.
        language: the language model without its output layer.
        head: the output layer.
    """

    vision: Work = Work()
    merger: Work = Work()
    language: Work = Work()
    head: Work = Work()

    @property
    def forward(self) -> float:
        """FLOPs of the forward pass."""
        return sum(part.weights + part.attention for part in self._parts.values())

    def training(self, gradients: Mapping[str, Gradients]) -> float:
        """FLOPs of a forward and a backward pass.

        Args:
            gradients: what the backward pass computes in each part, by its name.
        """
        total = 0.0
        for name, work in self._parts.items():
            needed = gradients[name]
            flows = needed.flows or needed.learns > 0
            total += work.weights * (1 + flows + needed.learns) + work.attention * (1 + 2 * flows)
        return total

    def __add__(self, other: Cost) -> Cost:
        return Cost(*(mine + its for mine, its in zip(self._parts.values(), other._parts.values())))

    @property
    def _parts(self) -> dict[str, Work]:
        return {part.name: getattr(self, part.name) for part in fields(self)}


PARTS = tuple(part.name for part in fields(Cost))


@dataclass(frozen=True)
class Gradients:
    """What a backward pass computes in one part of a model.

    Attributes:
        learns: share of the part's weights that get a gradient, 0 to 1.
        flows: whether a gradient flows through the part to what lies before it.
    """

    learns: float
    flows: bool


@dataclass(frozen=True)
class CostModel:
    """The coefficients of the polynomial that a forward pass costs, for one checkpoint's shape.

    Attributes:
        per_token: language model, without attention.
        per_pair: a token that attends to another, in all layers.
        per_logits: output layer for one token.
        per_patch: vision tower, without attention.
        per_patch_pair: a patch that attends to another, in one layer.
        full, windowed: layers of the vision tower with full and with windowed attention.
        window: patches along the side of an attention window; 0 where there are none.
        per_visual_token: all mergers.
        merge: patches along the side of a visual token.
    """

    per_token: float
    per_pair: float
    per_logits: float
    per_patch: float
    per_patch_pair: float
    full: int
    windowed: int
    window: int
    per_visual_token: float
    merge: int

    @classmethod
    def of_config(cls, config: VisionLanguageConfig) -> CostModel:
        """The model of a Qwen2.5-VL or Qwen3-VL configuration of transformers."""
        terms = _language_terms(config.text_config) | _vision_terms(config.vision_config)
        return cls(**terms)

    def cost(self, counts: Counts) -> Cost:
        """The cost of one pass over what ``counts`` says."""
        vision, merger = Work(), Work()
        for frames, rows, columns in counts.grids:
            patches = frames * rows * columns
            pairs = frames * self._patch_pairs(rows, columns)
            vision += Work(patches * self.per_patch, pairs * self.per_patch_pair)
            merger += Work(patches / self.merge**2 * self.per_visual_token)
        # Causal: a token attends to itself and to those before it.
        pairs = sum(length * (length + 1) / 2 for length in counts.lengths)
        language = Work(sum(counts.lengths) * self.per_token, pairs * self.per_pair)
        return Cost(vision, merger, language, Work(counts.learnt * self.per_logits))

    def _patch_pairs(self, rows: int, columns: int) -> float:
        """Pairs of patches that attend to each other in one frame, over all layers."""
        pairs = self.full * (rows * columns) ** 2
        if self.windowed:
            pairs += self.windowed * _squares(rows, self.window) * _squares(columns, self.window)
        return pairs


def _squares(side: int, window: int) -> int:
    """Sum of squared lengths of the windows that a side is cut into."""
    whole, rest = divmod(side, window)
    return whole * window**2 + rest**2


def _language_terms(text: Any) -> dict[str, Any]:
    width, layers = text.hidden_size, text.num_hidden_layers
    head = getattr(text, "head_dim", None) or width // text.num_attention_heads
    queries, keys = text.num_attention_heads * head, text.num_key_value_heads * head
    weights = 2 * width * queries + 2 * width * keys + 3 * width * text.intermediate_size
    return {
        "per_token": 2.0 * layers * weights,
        # Scores and their use: two products of the queries' width for each pair of tokens.
        "per_pair": 4.0 * layers * queries,
        "per_logits": 2.0 * width * text.vocab_size,
    }


def _vision_terms(vision: Any) -> dict[str, Any]:
    width, depth, merge = vision.hidden_size, vision.depth, vision.spatial_merge_size
    full_layers = getattr(vision, "fullatt_block_indexes", None)
    full = depth if full_layers is None else len(full_layers)
    # Qwen2.5-VL has a gated MLP of three matrices in the vision tower, Qwen3-VL a plain one of two.
    matrices = 2 if full_layers is None else 3
    weights = 4 * width**2 + matrices * width * vision.intermediate_size
    inputs = vision.in_channels * vision.temporal_patch_size * vision.patch_size**2
    window_px = getattr(vision, "window_size", 0)
    mergers = 1 + len(getattr(vision, "deepstack_visual_indexes", ()))
    merged = width * merge**2
    return {
        "per_patch": 2.0 * (depth * weights + inputs * width),
        "per_patch_pair": 4.0 * width,
        "full": full,
        "windowed": depth - full,
        # Windows hold whole visual tokens.
        "window": window_px // (merge * vision.patch_size) * merge,
        "per_visual_token": 2.0 * mergers * (merged**2 + merged * vision.out_hidden_size),
        "merge": merge,
    }


def gradients_of(parameters: Iterable[tuple[str, int, bool]]) -> dict[str, Gradients]:
    """What a backward pass computes in each part of a model.

    Args:
        parameters: (part, elements, whether they learn) of each parameter; embeddings may be left out.
    """
    weights, learning = dict.fromkeys(PARTS, 0), dict.fromkeys(PARTS, 0)
    for part, elements, learns in parameters:
        weights[part] += elements
        learning[part] += elements * learns
    vision, merger = learning["vision"] > 0, learning["merger"] > 0
    # A gradient flows through a part where anything before it learns.
    flows = {"vision": False, "merger": vision, "language": vision or merger, "head": True}
    return {name: Gradients(learning[name] / max(1, weights[name]), flows[name]) for name in PARTS}
