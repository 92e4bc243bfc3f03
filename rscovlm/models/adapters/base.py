"""Base of all kinds of adapters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from rscovlm.models.qwen import VisionLanguageModel


class Adapter(ABC):
    """Weights beside some layers of one model, which learn while the layers stay as they are.

    ``apply`` comes first; all else is about what it has put into the model.

    Attributes:
        in_four_bits: whether training holds the adapted layers in 4 bits.
        mergeable: whether layers with the weights folded in say the same for all inputs.
    """

    in_four_bits: ClassVar[bool] = False
    mergeable: ClassVar[bool] = True

    @abstractmethod
    def apply(self, model: VisionLanguageModel, layers: Sequence[str]) -> None:
        """Put fresh weights, which change nothing yet, beside layers of a model; the model itself changes.

        Args:
            model: to adapt.
            layers: full names of its linear layers to adapt; at least one.
        """

    @abstractmethod
    def learns(self, parameter: str) -> bool:
        """Whether a parameter of the adapted model, by its name, is one of the adapter's."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the adapter's own weights and settings into a folder."""

    @abstractmethod
    def load(self, folder: Path) -> None:
        """Take the weights that ``save`` has written.

        Raises:
            ModelError: they are not those of this adapter.
        """

    @abstractmethod
    def merge(self) -> VisionLanguageModel:
        """Fold the weights into the layers; the plain model that is left, without anything to adapt."""
