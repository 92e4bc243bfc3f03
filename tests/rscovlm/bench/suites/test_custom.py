"""A user's own benchmark from YAML or JSON lines, without code."""

import pytest

from configs import ConfigError
from rscovlm.bench.item import Item, Truth
from rscovlm.bench.records import item_to_json
from rscovlm.bench.suites.custom import is_file_of_items, load_benchmark
from rscovlm.errors import DataError, UsageError
from tests.rscovlm.bench.suites.laid_out import bounds, pictures
from tests.rscovlm.data.published import write_lines


def read(path, split="test"):
    benchmark, root = load_benchmark(path)
    reading = benchmark.read(root, split)
    return list(reading), reading.account


def sheet(folder, text, name="ponds.yaml"):
    (folder / name).write_text(text)
    return folder / name


def test_a_csv_of_questions(tmp_path):
    pictures(tmp_path / "pictures", ["a.png", "b.jpg"])
    rows = [f"{number},a.png,How deep is pond {number}?,{number} m,north" for number in range(18)]
    rows += ["18,b.png,How deep?,,south", "19,gone.png,How deep?,1 m,south"]
    assert len(rows) == 20
    (tmp_path / "ponds.csv").write_text("\n".join(["number,file,question,gold,district", *rows]) + "\n")
    path = sheet(
        tmp_path,
        "name: ponds\ntitle: Ponds\ndata: ponds.csv\nimages: pictures\ngroups: [district]\n"
        "fields: {id: number, image: file, question: question, answer: gold}\n",
    )

    found, account = read(path)

    assert [item.key for item in found] == [str(number) for number in (*range(18), 19)]
    assert found[3] == Item(
        "3",
        (str(tmp_path / "pictures" / "a.png"),),
        "open",
        "How deep is pond 3?",
        Truth(("3 m",)),
        groups={"district": "north"},
    )
    assert account.left_out == {"no right answer": 1}
    assert account.changed == {"items whose image is missing": 1}
    benchmark, root = load_benchmark(path)
    assert (benchmark.name, benchmark.title, root) == ("ponds", "Ponds", tmp_path)


def test_options_boxes_classes_and_captions(tmp_path):
    pictures(tmp_path, ["a.png"])
    rows = [
        {
            "meta": {"image": "a.png"},
            "q": "Which?",
            "o": ["A. red", "B. blue"],
            "a": "B",
            "b": [0.1, 0.2, 0.5, 0.6],
        }
    ]
    write_lines(tmp_path / "rows.jsonl", rows)
    common = "name: x\ndata: rows.jsonl\n"
    named = "fields: {image: meta.image, question: q, answer: a"

    (chosen,), _ = read(sheet(tmp_path, common + named + ", choices: o}"))
    (located,), _ = read(
        sheet(tmp_path, common + "boxes_in: 0-1\nfields: {image: meta.image, question: q, boxes: b}")
    )
    (named_class,), _ = read(sheet(tmp_path, common + "kind: classify\nclasses: [A, B]\n" + named + "}"))
    (described,), _ = read(sheet(tmp_path, common + "kind: caption\nfields: {image: meta.image, answer: a}"))

    assert (chosen.kind, chosen.options, chosen.truth.answers) == ("choice", ("red", "blue"), ("B",))
    assert (located.kind, bounds(located)) == ("ground", [20, 20, 100, 60])  # of 200 x 100 px
    assert (named_class.kind, named_class.options, named_class.truth.answers) == (
        "classify",
        ("A", "B"),
        ("B",),
    )
    assert (described.kind, described.subject, described.truth.answers) == ("caption", "", ("B",))


@pytest.mark.parametrize(("unit", "sides"), [("0-1", 1), ("0-100", 100), ("0-1000", 1000), ("pixels", None)])
def test_units_of_boxes(tmp_path, unit, sides):
    pictures(tmp_path, ["a.png"])  # 200 x 100 px
    box = [20, 20, 100, 60] if sides is None else [part * sides for part in (0.1, 0.2, 0.5, 0.6)]
    write_lines(tmp_path / "rows.jsonl", [{"i": "a.png", "q": "the pond", "b": box}])
    text = f"name: x\ndata: rows.jsonl\nboxes_in: {unit}\nfields: {{image: i, question: q, boxes: b}}"
    assert bounds(read(sheet(tmp_path, text))[0][0]) == pytest.approx([20, 20, 100, 60])


def test_a_class_that_is_no_candidate_is_left_out(tmp_path):
    write_lines(tmp_path / "rows.jsonl", [{"i": "a.png", "a": "pond"}, {"i": "a.png", "a": "lake"}])
    text = "name: x\ndata: rows.jsonl\nkind: classify\nclasses: [lake]\nfields: {image: i, answer: a}"
    found, account = read(sheet(tmp_path, text))
    assert [item.truth.answers for item in found] == [("lake",)]
    assert account.left_out == {"its class is none of the candidates": 1}


def test_items_as_runs_log_them(tmp_path):
    pictures(tmp_path, ["a.png"])
    item = Item("k", ("a.png",), "choice", "Which?", Truth(("A",)), ("red", "blue"), {"where": "north"})
    write_lines(tmp_path / "my own.jsonl", [item_to_json(item)])
    found, _ = read(tmp_path / "my own.jsonl")
    assert found[0].images == (str(tmp_path / "a.png"),)
    assert (found[0].options, found[0].groups) == (item.options, item.groups)
    assert load_benchmark(tmp_path / "my own.jsonl").benchmark.name == "my-own"


def test_a_file_for_each_split(tmp_path):
    pictures(tmp_path, ["a.png"])
    write_lines(tmp_path / "v.jsonl", [{"i": "a.png", "q": "What?", "a": "x"}])
    path = sheet(
        tmp_path, "name: x\ndata: {test: t.jsonl, val: v.jsonl}\nfields: {image: i, question: q, answer: a}"
    )
    assert len(read(path, "val")[0]) == 1
    with pytest.raises(DataError, match=r"split test; it holds split val; expected t\.jsonl"):
        read(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\ndata: a.jsonl\nimage: pictures\n", "image.*did you mean images"),
        ("name: x\n", "data"),
        ("name: X Y\ndata: a.jsonl\n", "name"),
        ("name: x\ndata: a.jsonl\nfields: {question: q}\n", "fields.image"),
        ("name: x\ndata: a.jsonl\nboxes_in: percent\nfields: {image: i}\n", "boxes_in"),
    ],
)
def test_wrong_settings_are_named(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        load_benchmark(sheet(tmp_path, text))


def test_what_is_no_benchmark(tmp_path):
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(UsageError, match=r"a\.txt is no benchmark; give YAML or JSON lines"):
        load_benchmark(tmp_path / "a.txt")
    with pytest.raises(FileNotFoundError, match=r"gone\.yaml does not exist"):
        load_benchmark(tmp_path / "gone.yaml")
    assert is_file_of_items("my.yaml")
    assert not is_file_of_items("lrs-vqa")


def test_a_field_that_is_not_there_is_counted_with_those_that_are(tmp_path):
    write_lines(tmp_path / "rows.jsonl", [{"i": "a.png", "q": "What?"}])
    found, account = read(
        sheet(tmp_path, "name: x\ndata: rows.jsonl\nfields: {image: i, question: q, answer: gold}")
    )
    assert found == []
    assert account.left_out == {"no answer": 1}
    assert "no field 'gold'; it has i, q" in account.places[0][1]
