"""What a mix will bring, counted by hand."""

import json

import pytest
from PIL import Image

from rscovlm.data.report import report_mix
from rscovlm.data.sample import ImageRef, Sample, Turn
from rscovlm.data.sources import load_mix
from tests.rscovlm.data.written import ships, ships_and_talk, write


def test_visits_that_lose_boxes_or_do_not_fit_are_counted(tmp_path, model):
    file = ships_and_talk(tmp_path)
    mix = load_mix(file, *model, seed=1, max_tokens=400)
    source = mix.sources["ships"]
    report = report_mix(mix, merge=2)
    fleet, talk = report.sources
    assert fleet.cut_visits == sum(source.encode(i, 0).cut > 0 for i in range(20))
    assert fleet.draws == fleet.measured == 20
    assert talk.too_long == 2
    assert talk.measured == 0
    assert report.loss_share("token") == {"ships": 1.0, "talk": 0.0}
    assert fleet.cut_boxes == sum(source.encode(i, 0).cut for i in range(20))
    assert fleet.longest == max(len(source.encode(i, 0).ids) for i in range(20))
    assert talk.usable == 0
    assert report.unusable() == ["source talk: none of its samples can be trained on; 2 too long for a pack"]


def test_the_report_counts_tokens_by_hand(tmp_path, model):
    turns = (Turn("user", "<image>How many ships?"), Turn("assistant", "red"))
    pictures = [
        Sample(f"v{i}", "vqa", (ImageRef("small.png", size=(64, 96)),), turns) for i in range(4)
    ]  # 2 x 3 visual tokens of 32 px
    Image.new("RGB", (96, 64)).save(tmp_path / "small.png")
    Image.new("RGB", (400, 400)).save(tmp_path / "x.png")
    write(tmp_path / "vqa.jsonl", pictures)
    write(tmp_path / "ships.jsonl", [ships(9)] * 2)
    (tmp_path / "mix.yaml").write_text("sources: [vqa*2, ships]\ndefaults: {templates: plain}\n")
    mix = load_mix(tmp_path / "mix.yaml", *model, seed=1)
    report = report_mix(mix, merge=2)
    vqa, fleet = report.sources
    assert (vqa.samples, vqa.draws, vqa.visual_tokens, vqa.patches) == (4, 8, 6, 24)
    answer = len(model[1].tokenizer.encode("red", add_special_tokens=False)) + 1
    assert vqa.label_tokens == answer
    assert vqa.text_tokens + 6 == vqa.longest, "all four are alike: text, and six visual tokens"
    assert report.loss_share("sample") == {"vqa": 0.8, "ships": 0.2}
    assert report.loss_share("source") == {"vqa": 0.5, "ships": 0.5}
    tokens = 8 * answer, 2 * fleet.label_tokens
    assert report.loss_share("token")["vqa"] == pytest.approx(tokens[0] / sum(tokens))
    roots = 8 * answer**0.5, 2 * fleet.label_tokens**0.5
    assert report.loss_share("sqrt")["vqa"] == pytest.approx(roots[0] / sum(roots))
    assert report.to_json()["epoch"]["samples"] == 10


def test_the_report_counts_broken_samples_by_kind_and_names_sources_without_any_other(tmp_path, model):
    turns = (Turn("user", "<image>How many ships?"), Turn("assistant", "red"))
    Image.new("RGB", (96, 64)).save(tmp_path / "x.png")
    right = Sample("r", "vqa", (ImageRef("x.png", size=(64, 96)),), turns)
    swapped = [Sample(f"s{i}", "vqa", (ImageRef("x.png", size=(96, 64)),), turns) for i in range(3)]
    write(tmp_path / "half.jsonl", [right, right, *swapped])
    lines = [json.dumps(right.to_json() | {"phrase": None, "id": f"n{i}"}) for i in range(2)]
    (tmp_path / "null.jsonl").write_text("\n".join(lines))
    (tmp_path / "mix.yaml").write_text("sources: [half, null]\n".replace("null", "'null'"))
    report = report_mix(load_mix(tmp_path / "mix.yaml", *model, seed=1), merge=2)
    half, null = report.sources
    assert (half.measured, list(half.broken.values())) == (2, [3])
    assert "has # x # px, its sample states # x # px" in next(iter(half.broken))
    assert (null.measured, list(null.broken.values())) == (0, [2])
    (line,) = report.unusable()
    assert line.startswith("source null: none of its samples can be trained on; 2 broken: ")
    assert "phrase: input should be a valid string, not None" in line
