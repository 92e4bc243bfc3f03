"""The engine as a model of lmms-eval: ``lmms-eval --model rscovlm --model_args pretrained=...,zoom=chain``.

| module | holds |
|---|---|
| ``arguments`` | what stands in ``--model_args``, and what becomes of a task's generation settings |
| ``pictures`` | what a task hands over as an image, as a file that is read by windows |
| ``answering`` | a batch of requests to answers |
| ``model`` | the class that lmms-eval calls; the only module that imports lmms-eval when it is imported |
"""

from __future__ import annotations

from typing import Any


def manifest() -> Any:
    """The entry point of ``lmms_eval.models``: the name of the model and its class."""
    from lmms_eval.models.registry_v2 import ModelManifest

    return ModelManifest("rscovlm", simple_class_path="rscovlm.lmms.model.Rscovlm")
