"""The loader: the same packs on any number of workers and ranks, and from any cursor on."""

import json
from dataclasses import dataclass, replace

import pytest

from rscovlm.data.example import Key
from rscovlm.data.loading import Form, Loader
from rscovlm.data.planning import Batching
from rscovlm.data.randomness import generator
from rscovlm.errors import DataError
from tests.rscovlm.data.noises import SPEC, Noises, cost


def sources(**more):
    return {"a": Noises("a", **more), "b": Noises("b", 25)}


def order(epoch):
    """Each sample once an epoch, shuffled."""
    keys = [Key("a", index, epoch) for index in range(40)] + [Key("b", index, epoch) for index in range(25)]
    return [keys[place] for place in generator(5, epoch).permutation(len(keys))]


BATCHINGS = {
    "samples": Batching(samples=10, max_tokens=100),
    "samples, not packed": Batching(samples=8, max_tokens=100, packed=False),
    "packs": Batching(packs=4, max_tokens=100, window=24),
}


def loader(batching, given=None, **more):
    return Loader(given or sources(), order, batching, Form(SPEC, 7, cost), steps=9, **more)


def contents(packs):
    """What packs hold, pixels included; the empty ones left out."""
    return [(p.keys, p.input_ids.tolist(), p.patches.numpy().tobytes()) for p in packs if p.keys]


@pytest.fixture(scope="module", params=BATCHINGS)
def case(request):
    """A batching, and what one rank without workers gets: the packs of nine steps, over an epoch's end."""
    batching = BATCHINGS[request.param]
    return batching, [contents(packs) for packs in loader(batching)]


@pytest.mark.parametrize("workers", [1, 3])
def test_any_number_of_workers_gives_the_same_packs(case, workers):
    batching, expected = case
    assert [contents(packs) for packs in loader(batching, workers=workers)] == expected


@pytest.mark.parametrize("cursor", [0, 1, 4, 8])
def test_a_resume_at_any_cursor_gives_the_same_packs(case, cursor):
    batching, expected = case
    resumed = loader(batching, cursor=cursor)
    assert [contents(packs) for packs in resumed] == expected[cursor:]
    assert resumed.cursor == 9


@pytest.mark.parametrize("world", [2, 3])
def test_ranks_share_the_same_packs_and_make_as_many_micro_steps(case, world):
    batching, expected = case
    ranks = [list(loader(batching, rank=rank, world=world)) for rank in range(world)]
    for step, whole in enumerate(expected):
        packs = [ranks[rank][step] for rank in range(world)]
        assert len({len(mine) for mine in packs}) == 1
        assert sorted(map(repr, (c for mine in packs for c in contents(mine)))) == sorted(map(repr, whole))


def test_a_step_of_samples_holds_the_next_of_the_order():
    steps = list(loader(BATCHINGS["samples"]))
    keys = [{key for pack in packs for key in pack.keys} for packs in steps]
    assert keys[0] == set(order(0)[:10])
    assert keys[6] == set(order(0)[60:]), "what is left of an epoch is a smaller step"
    assert keys[7] == set(order(1)[:10])


def test_an_epoch_of_packs_holds_each_sample_once():
    made = loader(BATCHINGS["packs"])
    made.steps = made.steps_in(0)
    packs = [pack for packs in made for pack in packs]
    assert sorted(key for pack in packs for key in pack.keys) == sorted(order(0))
    assert max(pack.length for pack in packs) <= 100


def test_steps_of_epochs_can_be_counted_ahead():
    made = loader(BATCHINGS["samples"])
    assert made.steps_in(0) == 7
    assert made.steps_of(2) == 14
    assert made.steps_of(1.5) == 7 + 4


@pytest.mark.parametrize("kind", BATCHINGS)
def test_broken_samples_are_left_out_counted_and_listed(kind, tmp_path):
    listing = tmp_path / "run" / "skipped.jsonl"
    given = sources(broken=(3, 4), torn=tuple(range(10, 20)))
    made = loader(BATCHINGS[kind], given, listing=listing)
    keys = {key[:2] for packs in made for pack in packs for key in pack.keys}
    lines = [json.loads(line) for line in listing.read_text().splitlines()]
    listed = {(line["source"], line["index"]) for line in lines}
    assert listed == set(made.skipped)
    assert {("a", 3), ("a", 4)} < listed
    assert len(listed) > 2, "some samples of 10 to 19 have pictures"
    assert not keys & {("a", 3), ("a", 4)}
    reasons = {(line["index"]): line["reason"] for line in lines}
    assert reasons[3] == "sample 3 has no answer"
    assert {reasons[index] for index in reasons if index >= 10} == {"file is torn"}


@pytest.mark.parametrize("kind", BATCHINGS)
def test_too_many_broken_samples_stop_the_run_with_one_line(kind):
    with pytest.raises(DataError, match=r"3 samples are broken, 2 are allowed; the last is a \d+: sample"):
        list(loader(BATCHINGS[kind], sources(broken=(1, 2, 3)), most_broken=2))


@pytest.mark.parametrize("kind", BATCHINGS)
def test_samples_longer_than_a_pack_are_left_out_and_not_called_broken(kind):
    batching = replace(BATCHINGS[kind], max_tokens=50)
    made = loader(batching, most_broken=0)
    assert all(pack.length <= 51 for packs in made for pack in packs)
    assert made.skipped
    assert {each.why for each in made.skipped.values()} == {"too long"}
    assert "a pack holds 50" in next(iter(made.skipped.values())).reason


def test_a_step_of_broken_samples_alone_is_a_step_of_the_dummy():
    given = {"a": Noises("a", broken=tuple(range(40)))}
    keys = [Key("a", index, 0) for index in range(4)]
    made = Loader(given, lambda epoch: keys, Batching(samples=2), Form(SPEC, 7, cost), steps=2)
    assert [[pack.keys for pack in packs] for packs in made] == [[()], [()]]


def test_an_empty_mix_is_a_data_error():
    with pytest.raises(DataError, match="epoch 0 has no sample"):
        next(iter(Loader({}, lambda epoch: [], Batching(samples=2), Form(SPEC, 7, cost))))


def test_a_fault_of_the_program_is_not_taken_for_a_broken_sample():
    class Faulty(Noises):
        def encode(self, index, visit):
            raise TypeError("a bug")

    with pytest.raises(TypeError, match="a bug"):
        list(loader(BATCHINGS["samples"], {"a": Faulty("a"), "b": Faulty("b")}))


def test_steps_of_samples_need_no_pass_over_an_endless_source():
    @dataclass
    class Endless(Noises):
        def encode(self, index, visit):
            return super().encode(index % 40, visit)

    class Counting:
        def __len__(self):
            return 10**12

        def __getitem__(self, place):
            if isinstance(place, slice):
                return [self[i] for i in range(place.start, place.stop)]
            return Key("a", place, 0)

    source = Endless("a")
    made = iter(Loader({"a": source}, lambda epoch: Counting(), Batching(samples=5), Form(SPEC, 7, cost)))
    next(made), next(made)
    assert source.encodes == 10
