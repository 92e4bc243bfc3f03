"""Numbers of the log, each by hand."""

from dataclasses import replace

import pytest
import torch

from rscovlm.data.packing import collate, empty_pack
from rscovlm.models.patches import PatchSpec
from rscovlm.models.positions import RopeSpec
from rscovlm.training.metrics import Tally, step_numbers, summed, waiting
from tests.rscovlm.data.examples import encoded

SPEC, ROPE = PatchSpec(14, 2, 2, (0.5,) * 3, (0.5,) * 3), RopeSpec(7)


def pack_of_two():
    """10 tokens with an image of 2 x 4 patches and 2 learnt; 4 tokens, 3 learnt."""
    first = encoded(SPEC, ROPE, 0, question=4, answer=2, images=((1, 2),), source="boxes")
    second = replace(encoded(SPEC, ROPE, 1, question=1, answer=3, source="words"), task="caption")
    return collate([first, second], SPEC, 7)


def test_a_tally_counts_what_packs_hold_and_what_room_they_have():
    tally = Tally()
    tally.add_pack(pack_of_two(), capacity=20, flops=5.0)
    tally.add_pack(pack_of_two(), capacity=10, flops=7.0)  # a dummy may exceed the capacity
    tally.add_pack(empty_pack(SPEC, 7), capacity=20, flops=1.0)
    assert tally.settle() == {
        "tokens": 14 + 14 + 1,
        "learnt": 5 + 5,
        "samples": 4,
        "patches": 8 + 8,  # those of the dummy are no data
        "packs": 3,
        "capacity": 20 + 14 + 20,
        "flops": 13.0,
    }
    assert tally.settle() == {}, "it starts anew"


def test_losses_are_means_over_samples_of_their_source_and_task_and_over_steps():
    tally = Tally()
    pack = pack_of_two()
    losses = torch.zeros(pack.length)
    # The targets of the first sample are told by its tokens 7 and 8, those of the second by 10 to 12.
    losses[7:9] = torch.tensor([1.0, 3.0])
    losses[10:13] = torch.tensor([4.0, 5.0, 9.0])
    tally.add_losses(pack, losses, {"loss": torch.tensor(0.5)})
    tally.add_losses(pack, 2 * losses, {"loss": torch.tensor(1.5)})
    numbers = step_numbers(tally.settle(), seconds=1.0, steps=4, processes=1, peak=None)
    assert numbers["loss"] == (0.5 + 1.5) / 4
    assert numbers["loss/source/boxes"] == numbers["loss/task/vqa"] == (2 + 4) / 2
    assert numbers["loss/source/words"] == numbers["loss/task/caption"] == (6 + 12) / 2


def test_rates_of_two_processes_over_three_steps_by_hand():
    """Sums are of both processes; each waited on its own, and each has a device of its own."""
    total = {
        "samples": 12,
        "learnt": 30,
        "tokens": 600,
        "patches": 90,
        "capacity": 800,
        "waited": 3,
        "flops": 48,
    }
    numbers = step_numbers(total, seconds=6.0, steps=3, processes=2, peak=8.0)
    assert numbers["samples"] == 4
    assert numbers["learnt"] == 10
    assert numbers["speed/tokens_per_s"] == 100
    assert numbers["speed/patches_per_s"] == 15
    assert numbers["speed/samples_per_s"] == 2
    assert numbers["speed/seconds_per_step"] == 2
    assert numbers["speed/fill"] == 0.75
    assert numbers["speed/data_wait"] == 3 / (6 * 2)
    assert numbers["speed/mfu"] == 48 / (6 * 2 * 8)
    assert "speed/mfu" not in step_numbers(total, 6.0, 3, 2, None)


def test_tallies_of_ranks_add_up_where_one_has_what_the_other_lacks():
    assert summed([{"a": 1.0, "b": 2.0}, {"b": 3.0, "c": 4.0}]) == {"a": 1.0, "b": 5.0, "c": 4.0}


def test_waiting_counts_the_time_inside_also_where_data_fail(monkeypatch):
    clock = iter([10.0, 12.5, 20.0, 21.0])
    monkeypatch.setattr("rscovlm.training.metrics.time.perf_counter", lambda: next(clock))
    tally = Tally()
    with waiting(tally):
        pass
    with pytest.raises(OSError, match="torn"), waiting(tally):
        raise OSError("torn")
    assert tally.settle() == {"waited": 3.5}
