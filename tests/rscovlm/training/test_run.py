"""A run from its configuration: where it writes, what it opens, and what it refuses."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from rscovlm.data.mix import Mix
from rscovlm.data.planning import Batching
from rscovlm.data.plot_source import PlotSource
from rscovlm.data.sources import FileSource
from rscovlm.errors import DataError, UsageError
from rscovlm.reo.made_plots import write_plots
from rscovlm.training.building import open_base
from rscovlm.training.config import load_train_config
from rscovlm.training.run import (
    check_evaluation,
    check_usable,
    open_loader,
    open_mix,
    run_folder,
    run_training,
)
from tests.rscovlm.data.noises import SPEC, Noises
from tests.rscovlm.data.written import ships, write
from tests.rscovlm.training.alone import IMAGE_ID, Alone, config


def mix(**more):
    sources = {"a": Noises("a", size=20)}
    return Mix(sources, {"a": 20}, 0, **more)


def test_a_run_writes_where_it_is_told_or_by_the_name_of_its_configuration(tmp_path):
    assert run_folder(config(output=str(tmp_path / "x")), "mine.yaml") == tmp_path / "x"
    assert run_folder(config(), "configs/train/synth.yaml") == Path("runs/synth")


def test_an_evaluation_needs_samples_that_are_held_out():
    check_evaluation(config(evaluation={"every": None}), mix())
    with pytest.raises(UsageError, match=r"evaluation\.every has no effect: the mix holds nothing out"):
        check_evaluation(config(evaluation={"every": 5}), mix())


def test_a_number_that_no_sample_has_is_told_before_a_model_is_built(tmp_path, monkeypatch):
    """One that is rare is found, though none of the samples that are encoded has it."""
    write_plots(tmp_path / "plots.h5", seed=1, tiles=3, plots=2)
    nano = open_base(load_train_config("synth"), tmp_path)
    source = PlotSource("plots", nano.encoder, 1, 99, tmp_path, ["plots.h5"], split="all")
    data = Mix({"plots": source}, {"plots": 6}, 0)
    monkeypatch.setattr("rscovlm.training.run.PROBED", 1)
    first = data.order(0)[0].index
    source.places.numbers["rare"] = np.where(np.arange(6) == (first + 1) % 6, 1.0, np.nan)
    assert check_usable(data, nano, {"agb_mg_per_ha": "a", "rare": "b"}) == []
    with pytest.raises(
        DataError, match=r"heads\.numbers\.agb\.target: no sample has a number 'agbb'; .*agb_mg"
    ):
        check_usable(data, nano, {"agbb": "heads.numbers.agb.target"})


def test_a_folder_with_a_run_is_not_overwritten(tmp_path):
    done = tmp_path / "checkpoints" / "step-00000004"
    done.mkdir(parents=True)
    (done / "state.json").write_text("{}")
    with pytest.raises(UsageError, match="holds a run; go on with it by --resume, or give another folder"):
        run_training(config(), tmp_path, mix=lambda *_: pytest.fail("the mix was opened"))


def test_a_mix_is_rendered_for_the_run_and_a_file_goes_before_a_shipped_name(tmp_path, model, monkeypatch):
    family, encoder = model
    base = SimpleNamespace(family=family, encoder=encoder)
    (tmp_path / "data").mkdir()
    write(tmp_path / "data" / "ships.jsonl", [ships(2)])
    (tmp_path / "synth").write_text("sources: [ships]\n")
    monkeypatch.chdir(tmp_path)
    opened = open_mix(config(mix="synth", mix_root="data", seed=8), base)
    [source] = opened.sources.values()
    assert isinstance(source, FileSource)
    assert (source.name, source.seed, source.max_tokens) == ("ships", 8, 200)
    assert source.rules.resolution == family.resolution
    (tmp_path / "synth").unlink()
    with pytest.raises(Exception, match="mix mix/synth: "):
        open_mix(config(mix="synth", mix_root="nowhere"), base)


@pytest.fixture
def base(model):
    return SimpleNamespace(
        patches=SPEC, encoder=SimpleNamespace(image_id=IMAGE_ID), settings=model_settings(model)
    )


def model_settings(model):
    from rscovlm.models.weights import read_settings

    return read_settings(Path(model[1].tokenizer.name_or_path))


def test_the_loader_takes_batches_and_limits_from_the_run_and_its_rank(base, tmp_path):
    second = Alone()
    second.num_processes, second.process_index = 2, 1
    loader = open_loader(config(seed=5, broken_limit=3), base, mix(), tmp_path, second)
    assert loader.batching == Batching(2, None, 200, True)
    assert (loader.seed, loader.rank, loader.world) == (5, 1, 2)
    # Ten steps of two samples are an epoch of twenty.
    assert [loader.steps_of(epochs) for epochs in (1, 2.5, 0.01)] == [10, 25, 1]
