"""Weights that learn in place of a model's own: the table of their kinds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rscovlm.errors import ModelError
from rscovlm.models.adapters.base import Adapter
from rscovlm.models.adapters.low_rank import Dora, Lora, Qlora
from rscovlm.models.adapters.scaled import KINDS

ADAPTERS: dict[str, type[Adapter]] = {"lora": Lora, "dora": Dora, "qlora": Qlora, **KINDS}
"""Kinds of adapters by the names that configurations use."""


def make_adapter(name: str, settings: Mapping[str, Any]) -> Adapter:
    """An adapter that has not been applied yet.

    Args:
        name: of its kind.
        settings: of that kind.

    Raises:
        ModelError: for a name that is not in ``ADAPTERS``, or settings that the kind does not take.
    """
    if name not in ADAPTERS:
        raise ModelError(f"adapter {name!r} is unknown; choose from {', '.join(ADAPTERS)}")
    try:
        return ADAPTERS[name](**settings)
    except TypeError as error:
        raise ModelError(f"adapter {name!r}: {error}") from error
