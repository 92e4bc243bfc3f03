"""Heads that answer benchmarks, plots as pictures, and chains of questions."""

import numpy as np
import pytest
import torch

from rscovlm.bench.item import Item, Truth
from rscovlm.bench.prompts import load_profile
from rscovlm.bench.runs.answering import ask_items
from rscovlm.bench.runs.job import plan_job, read_questions
from rscovlm.bench.runs.numbers import filled_in, in_waves, plots_seen
from rscovlm.bench.suites import SUITES
from rscovlm.data.agbd import AgbdFile, write_agbd
from rscovlm.errors import DataError
from rscovlm.models.checkpoints import resolve
from rscovlm.models.heads.distribution import Mixture
from rscovlm.models.regions import Regions
from rscovlm.synth.forest import make_plot, make_tile
from rscovlm.tasks.recipe import Recipe
from tests.rscovlm.regression import INPUTS, Reader, checkpoint
from zoom_chain.chat import Reply


class Answers(Reader):
    """A reader of pixels that also says words: how many pictures it saw and the question's first words."""

    name = "answers"

    def chat(self, conversations, options):
        return [Reply(f"{len(each.images)}: {each.messages[-1].text}") for each in conversations]


@pytest.fixture
def folder(tmp_path):
    plots = [make_plot(4, make_tile(4, tile), 0) for tile in range(3)]
    write_agbd(tmp_path / "p_test.h5", plots, lite=True)
    return tmp_path


def rows_of(benchmark, folder, model, engine, **options):
    questions = read_questions(SUITES[benchmark], folder)
    job = plan_job(questions, resolve(str(model)), Recipe(), load_profile("default"), mode="off", **options)
    batches = [questions.items[start : start + 4] for start in range(0, len(questions.items), 4)]
    found = [row for batch in ask_items(engine, job.asking, batches) for row in batch]
    return {row.item.key: row for row in found}, job


def test_the_head_answers_where_a_number_is_asked_for(folder, tmp_path):
    engine = Answers()
    rows, job = rows_of("agbd-lite", folder, checkpoint(tmp_path / "model"), engine)
    assert job.asking.heads == {"agb_mg_per_ha": "agb"}
    assert len(rows) == 3
    for row in rows.values():
        assert row.stop_reason == "head"
        assert row.user == INPUTS.prompt, "the words that the head learnt"
        assert float(row.text.split()[0]) == pytest.approx(row.numbers["mean"], rel=1e-3)
        assert np.all(np.diff(row.numbers["quantiles"]) > 0)
    assert engine.batches == [3]
    assert job.asking.facts()["inputs"]["views"] == ["natural"]


def test_words_answer_where_nothing_is_shown_or_there_is_no_head(folder, tmp_path):
    model = checkpoint(tmp_path / "model")
    rows, _ = rows_of("agbd-lite", folder, model, Answers(), blind="text")
    assert {row.text.split(":")[0] for row in rows.values()} == {"0"}
    (model / "rscovlm.json").write_text('{"family": "nano"}')
    rows, job = rows_of("agbd-lite", folder, model, Answers())
    assert {row.text.split(":")[0] for row in rows.values()} == {"1"}
    assert job.asking.inputs.views == ("natural",)


def test_plots_of_tiles_that_a_model_was_fitted_on_are_counted():
    items = [
        Item(str(n), (), "number", "", Truth(("1",)), extra={"tile": tile} if tile else {})
        for n, tile in enumerate(["a", "a", "b", ""])
    ]
    used = {"training": ["x"], "the recalibration of agb": ["a", "c"]}
    assert plots_seen(items, used) == (
        "the recalibration of agb has seen the tiles a, which 2 of 3 items are of",
    )


def test_held_out_plots_of_tiles_of_training_are_refused_unless_the_scores_are_to_say_so(folder, tmp_path):
    seen = make_tile(4, 0).name
    model = checkpoint(tmp_path / "model", INPUTS.model_copy(update={"tiles": (seen, "99ABC")}))
    with pytest.raises(DataError, match=rf"test: .*training has seen the tiles {seen}, which 1 of 3 items"):
        rows_of("agbd-lite", folder, model, Answers())
    rows, job = rows_of("agbd-lite", folder, model, Answers(), seen_tiles=True)
    assert len(rows) == 3
    assert job.notes == (f"training has seen the tiles {seen}, which 1 of 3 items are of",)
    (folder / "p_test.h5").rename(folder / "p_train.h5")
    questions = read_questions(SUITES["agbd-lite"], folder, "train")
    job = plan_job(questions, resolve(str(model)), Recipe(), load_profile("default"), mode="off")
    assert len(job.notes) == 1, "of a model's own split a note is enough"


def test_units_are_restored_by_the_region_of_each_plot(folder, tmp_path):
    with AgbdFile(folder / "p_test.h5") as opened:
        tiles = [plot.tile for plot in opened]
    values = {"agb_mg_per_ha": np.array([4.0, 6.0, 8.0])}
    regions = Regions.of("tile", np.array([tiles[1]] * 3), values, least=3)

    class Standing(Answers):
        def estimate(self, conversations, targets, numbers=None):
            means = torch.tensor([each["region_mean/agb_mg_per_ha"] for each in numbers])
            return [Mixture.gaussian(means, torch.ones(len(conversations)))]

    model = checkpoint(tmp_path / "model", INPUTS.model_copy(update={"regions": regions}))
    rows, _ = rows_of("agbd-lite", folder, model, Standing())
    found = {key.split("/")[1]: row.numbers["region"] for key, row in rows.items()}
    assert found == {tiles[0]: None, tiles[1]: tiles[1], tiles[2]: None}, "None is of all training plots"
    assert {row.numbers["mean"] for row in rows.values()} == {6.0}


def test_a_link_holds_what_the_model_said_before(folder, tmp_path):
    rows, _ = rows_of("reo-chain", folder, checkpoint(tmp_path / "model"), Answers())
    assert len(rows) == 30
    for key, row in rows.items():
        if key.endswith("/cover/predicted"):
            said = rows[key.replace("/cover/predicted", "/activity/none")].text.splitlines()[0][:80]
            assert f"Human activity: {said}." in row.user
        if key.endswith("/number/predicted"):
            assert row.numbers is not None
            assert "{count}" not in row.user


def test_a_batch_is_asked_in_waves_where_a_question_holds_an_answer_of_it():
    def item(key, **after):
        return Item(key, (), "open", "{a}?", Truth(("x",)), extra={"after": after} if after else {})

    a, b, c = item("a"), item("b"), item("c", a="a")
    assert in_waves([a, b, c]) == [[a, b], [c]]
    (filled,) = filled_in([c], {"a": "<think>hm</think>two\nlines"})
    assert filled.subject == "two?"
    assert filled_in([c], {})[0].subject == "unknown?"


def test_a_limit_draws_whole_chains(folder):
    questions = read_questions(SUITES["reo-chain"], folder, limit=10)
    assert (len(questions.items), questions.of) == (10, 30)
    assert len({item.images for item in questions.items}) == 1


class TwoPass(Answers):
    """Says what lies in the middle, and gives a number after that alone; one reply fails."""

    def __init__(self, failing=None):
        super().__init__()
        self.failing, self.heard, self.asked = failing, [], 0

    def chat(self, conversations, options):
        self.asked += len(conversations)
        said = [Reply(f" cover {place} ", completion_tokens=3) for place in range(len(conversations))]
        if self.failing is not None:
            said[self.failing] = Reply("", stop_reason="error", error="out of memory")
        return said

    def estimate(self, conversations, targets, numbers=None):
        self.heard += [tuple((each.role, each.text) for each in one.messages) for one in conversations]
        return super().estimate(conversations, targets, numbers)


TAUGHT = INPUTS.model_copy(update={"knowledge": "What is the land cover?"})


def test_a_head_that_learnt_after_words_is_asked_in_two_passes(folder, tmp_path):
    engine = TwoPass()
    rows, job = rows_of("agbd-lite", folder, checkpoint(tmp_path / "model", TAUGHT), engine)
    assert engine.heard == [
        (("user", "What is the land cover?"), ("assistant", f"cover {place}"), ("user", INPUTS.prompt))
        for place in range(3)
    ]
    assert [row.numbers["knowledge"] for row in rows.values()] == ["cover 0", "cover 1", "cover 2"]
    assert {(row.user, row.reply_tokens, row.stop_reason) for row in rows.values()} == {
        (INPUTS.prompt, 3, "head")
    }
    assert job.asking.facts()["passes"] == 2
    direct, _ = rows_of("agbd-lite", folder, checkpoint(tmp_path / "direct"), Answers())
    assert [row.numbers["mean"] for row in rows.values()] == [row.numbers["mean"] for row in direct.values()]


def test_no_number_is_asked_for_where_the_first_pass_failed(folder, tmp_path):
    engine = TwoPass(failing=1)
    rows, _ = rows_of("agbd-lite", folder, checkpoint(tmp_path / "model", TAUGHT), engine)
    assert [row.error for row in rows.values()] == [None, "out of memory", None]
    assert len(engine.heard) == 2


def test_a_question_that_holds_links_of_the_chain_is_asked_at_once(folder, tmp_path):
    engine = TwoPass()
    rows, _ = rows_of("reo-chain", folder, checkpoint(tmp_path / "model", TAUGHT), engine)
    for key, row in rows.items():
        if "/number/" in key:
            assert ("knowledge" in row.numbers) == key.endswith("/number/none")
