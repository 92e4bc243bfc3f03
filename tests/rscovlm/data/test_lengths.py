"""Lengths and costs: measured once, kept, and shared between ranks."""

import time

import numpy as np
import pytest

from rscovlm.data import lengths as lengths_module
from rscovlm.data.example import Key
from rscovlm.data.lengths import measure, measure_all, reason_of
from tests.rscovlm.data.noises import Noises, cost


def test_a_broken_sample_has_no_length_and_a_reason_of_one_line():
    source = Noises("a", broken=(1,))
    found = measure({"a": source}, [Key("a", index, 0) for index in (0, 1, 2)], cost)
    lengths = [len(source.encode(index, 0).ids) for index in (0, 2)]
    assert found.tokens.tolist() == [lengths[0], 0, lengths[1]]
    assert found.flops.tolist() == [lengths[0] ** 2, 0, lengths[1] ** 2]
    assert (found.broken.tolist(), found.reasons) == ([1], ("sample 1 has no answer",))
    assert reason_of(OSError("  torn\nat byte 3")) == "torn"
    assert reason_of(OSError()) == "OSError"


def test_a_fault_of_the_program_is_not_a_broken_sample():
    class Defect(Noises):
        def encode(self, index, visit):
            raise ValueError("a defect")

    with pytest.raises(ValueError, match="a defect"):
        measure({"a": Defect("a")}, [Key("a", 0, 0)], cost)


def test_no_keys_have_no_lengths():
    found = measure_all({"a": Noises("a")}, [], cost)
    assert (len(found.tokens), len(found.flops), found.reasons) == (0, 0, ())


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(lengths_module, "CHUNK", 8)


def keys_of(n):
    return [Key("a", index % 40, index // 40) for index in range(n)]


@pytest.mark.parametrize("workers", [0, 2])
def test_lengths_are_measured_once_and_kept(small_chunks, tmp_path, workers):
    given = {"a": Noises("a", broken=(3, 17))}
    first = measure_all(given, keys_of(50), cost, workers=workers, folder=tmp_path, name="x")
    assert first.tokens[0] == len(given["a"].encode(0, 0).ids)
    assert first.broken.tolist() == [3, 17, 43]
    assert first.tokens[3] == 0
    given["a"].encodes = 0
    again = measure_all(given, keys_of(50), cost, folder=tmp_path, name="x")
    assert given["a"].encodes == 0
    np.testing.assert_array_equal(again.tokens, first.tokens)
    np.testing.assert_array_equal(again.flops, first.flops)
    assert again.reasons == first.reasons
    assert first.reasons == tuple(f"sample {index} has no answer" for index in (3, 17, 3))
    assert not list(tmp_path.glob("*.partial"))


def test_a_damaged_file_of_lengths_is_measured_anew(small_chunks, tmp_path):
    given = {"a": Noises("a")}
    first = measure_all(given, keys_of(20), cost, folder=tmp_path, name="x")
    (tmp_path / "lengths-x-8.npz").write_bytes(b"PK\x03\x04 torn")
    again = measure_all(given, keys_of(20), cost, folder=tmp_path, name="x")
    np.testing.assert_array_equal(again.tokens, first.tokens)


def measuring_rank(rank, folder):
    lengths_module.CHUNK = 8
    time.sleep(0.05 * rank)
    given = {"a": Noises("a")}
    found = measure_all(given, keys_of(200), cost, folder=folder, name="x", rank=rank, world=3)
    np.save(folder / f"rank{rank}.npy", found.tokens)


def test_ranks_that_measure_at_once_agree_and_share_the_work(tmp_path):
    import multiprocessing

    context = multiprocessing.get_context("fork")
    ranks = [context.Process(target=measuring_rank, args=(rank, tmp_path)) for rank in range(3)]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join(60)
    expected = measure_all({"a": Noises("a")}, keys_of(200), cost).tokens
    for rank in range(3):
        np.testing.assert_array_equal(np.load(tmp_path / f"rank{rank}.npy"), expected)
