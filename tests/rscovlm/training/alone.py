"""One process without accelerate, and a learner of one weight whose steps can be worked out by hand."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace

import torch
from torch import nn

from rscovlm.data.packing import Pack, collate
from rscovlm.training.loop import Run
from rscovlm.training.loss import Reduction
from rscovlm.training.objective import Moment, Outcome
from rscovlm.training.settings import TrainConfig
from tests.rscovlm.data.noises import SPEC, Noises

IMAGE_ID = 7


class Alone:
    """What the training code asks of accelerate's ``Accelerator``, for one process on the CPU."""

    num_processes, process_index, is_main_process = 1, 0, True
    device = torch.device("cpu")
    state = SimpleNamespace(deepspeed_plugin=None)

    def __init__(self) -> None:
        self.unsynchronised = 0

    def autocast(self):
        return nullcontext()

    def wait_for_everyone(self) -> None:
        pass

    def reduce(self, tensor: torch.Tensor, how: str) -> torch.Tensor:
        assert how == "sum"
        return tensor

    def prepare(self, *parts):
        return parts

    @contextmanager
    def no_sync(self, wrapped):
        self.unsynchronised += 1
        yield


class Scales(nn.Module):
    """The loss of every token is its one weight, so that the gradient of a step's mean loss is exactly 1."""

    def __init__(self, start: float = 0.0) -> None:
        super().__init__()
        self.model = nn.Module()
        self.model.language_model = nn.Linear(1, 1, bias=False)
        nn.init.constant_(self.model.language_model.weight, start)
        self.drawn: list[float] = []
        self.moments: list[Moment] = []

    @property
    def weight(self) -> nn.Parameter:
        return self.model.language_model.weight

    def forward(self, pack: Pack, weights: torch.Tensor, moment: Moment) -> Outcome:
        self.drawn.append(torch.rand(1).item())
        self.moments.append(moment)
        losses = (weights[0] > 0) * self.weight[0, 0]
        return Outcome((weights[0] * losses).sum(), losses.detach(), {})


def config(**changes) -> TrainConfig:
    """Settings of a run of a few steps; its model is never opened."""
    return TrainConfig.model_validate(
        {
            "model": "nano",
            "mix": "painted",
            "steps": 6,
            "batch": {"samples": 2, "max_tokens": 200},
            "optimizer": {"lr": 0.5, "clip": None},
            "schedule": {"shape": "constant", "warmup_steps": 2},
            "workers": 0,
            "checkpoints": {"steps": 4, "minutes": None, "keep": 2},
            "logging": {"tensorboard": False},
            **changes,
        }
    )


def a_run(folder: Path, settings: TrainConfig, start: float = 0.0) -> Run:
    """A run of ``Scales`` by plain gradient descent."""
    learner = Scales(start)
    lr = settings.optimizer.lr
    group = {"params": [learner.weight], "group": "language", "peak_lr": lr, "lr": lr, "decays": True}
    optimizer = torch.optim.SGD([group], lr=lr)
    reduction = Reduction("sample", ("a",))
    return Run(
        settings, folder, Alone(), learner, optimizer, reduction, settings.steps, lambda pack: 1.0, False, "m"
    )


def packs(step: int) -> list[Pack]:
    """Two packs of one sample each."""
    source = Noises("a")
    return [collate([source.encode(2 * step + place, 0)], SPEC, IMAGE_ID) for place in (0, 1)]
