"""Any table of questions and answers by its fields, and benchmarks that are such tables."""

import pyarrow as pa
import pytest
from pyarrow import parquet

from rscovlm.errors import DataError
from tests.rscovlm.data.published import converted, grey_of, image, inside, said, write_json, write_lines


def test_fields_name_question_answer_image_and_id_of_any_table(tmp_path):
    image(tmp_path / "images" / "a.png")
    fields = {"question": "q", "answer": "meta.gold", "image": "img", "id": "uid"}
    row = {"q": "How many?", "meta": {"gold": 3}, "img": "a", "uid": "u7", "split": "test"}
    for file in (write_lines(tmp_path / "x.jsonl", [row]), write_json(tmp_path / "x.json", {"rows": [row]})):
        (sample,), _, _ = converted(file, "fields", tmp_path / "images", fields=fields)
        assert (sample.id, sample.task) == ("u7", "vqa")
        assert said(sample) == [("user", "<image>How many?"), ("assistant", "3")]
        assert sample.images[0].size == (100, 200)
    (tmp_path / "x.csv").write_text('uid,q,gold,img\nu1,"One, two?",yes,a.png\nu2,?,,a.png\n')
    flat = fields | {"answer": "gold"}
    (sample,), _, account = converted(tmp_path / "x.csv", "fields", tmp_path / "images", fields=flat)
    assert said(sample) == [("user", "<image>One, two?"), ("assistant", "yes")]
    assert account.left_out == {"no answer": 1}


def test_fields_without_an_answer_or_of_another_name_are_refused(tmp_path):
    path = write_lines(tmp_path / "x.jsonl", [{"q": "?", "a": "!"}])
    with pytest.raises(DataError, match="--fields names no answer; give answer=FIELD"):
        converted(path, "fields", fields={"question": "q"})
    with pytest.raises(DataError, match=r"no answer .*no field 'b'; it has q, a"):
        converted(path, "fields", fields={"question": "q", "answer": "b"})


def test_choices_stand_below_the_question(tmp_path):
    row = {"q": "Which?", "a": "B", "c": ["(A) sea", "(B) sand"]}
    path = write_lines(tmp_path / "x.jsonl", [row, row | {"a": "AB"}])
    fields = {"question": "q", "answer": "a", "choices": "c"}
    (one, two), _, _ = converted(path, "fields", fields=fields)
    assert said(one)[0][1] == "Which?\n(A) sea\n(B) sand\nAnswer with the letter of the right choice."
    assert said(two)[0][1].endswith("Answer with the letters of the right choices.")


def test_xlrs_bench_mme_realworld_and_rsitmd(tmp_path):
    xlrs = {
        "index": 4,
        "question": "Which?",
        "multi-choice options": ["(A) sea", "(B) sand"],
        "answer": "A",
        "category": "Counting/overall",
        "l2-category": "Counting",
        "image": [inside(10), inside(20)],
    }
    parquet.write_table(pa.Table.from_pylist([xlrs]), tmp_path / "xlrs.parquet")
    (sample,), folder, _ = converted(tmp_path / "xlrs.parquet")
    assert (sample.source, sample.id) == ("xlrs-bench", "4")
    assert said(sample)[0][1].startswith("<image><image>Which?\n(A) sea\n(B) sand\n")
    assert [grey_of(sample, folder, place) for place in (0, 1)] == [10, 20]
    assert sample.attributes == {"category": "Counting/overall", "l2-category": "Counting"}

    image(tmp_path / "a.png")
    mme = {
        "Question_id": "rs/1",
        "Image": "a.png",
        "Text": "Which?",
        "Answer choices": ["(A) 1", "(E) none"],
        "Ground truth": "E",
        "Category": "count",
    }
    (sample,), _, _ = converted(write_json(tmp_path / "mme.json", [mme]))
    assert (sample.source, sample.id, said(sample)[1]) == ("mme-realworld", "rs/1", ("assistant", "E"))
    assert said(sample)[0][1] == (
        "<image>Which? The choices are listed below: \n(A) 1\n(E) none\nSelect the best answer to the above "
        "multiple-choice question based on the image. Respond with only the letter (A, B, C, D, or E) of the "
        "correct option.\nThe best answer is:"
    )

    sentences = [{"raw": "A dam .", "tokens": []}, {"raw": "A dam .", "tokens": []}, {"raw": "Water."}]
    entry = {"filename": "a.png", "imgid": 7, "split": "train", "sentences": sentences}
    path = write_json(tmp_path / "dataset_RSITMD.json", {"images": [entry], "dataset": "RSITMD"})
    samples, _, _ = converted(path)
    assert [(s.id, s.task, said(s)[1][1]) for s in samples] == [
        ("7:0", "caption", "A dam ."),
        ("7:1", "caption", "Water."),
    ]
    assert samples[0].attributes == {"split": "train"}
