"""The learning curve of a course of several runs."""

import json

import pytest

from rscovlm.errors import UsageError
from rscovlm.training.curve import draw, learning_curves, main, smoothed
from rscovlm.training.logs import LOG


def run(folder, *steps):
    """A run folder that logged (conversations, loss of chains, loss of detection or None)."""
    folder.mkdir()
    lines = [
        {"step": index, "seen/samples": seen, "loss/task/chain": chain, "loss/task/detect": detect}
        for index, (seen, chain, detect) in enumerate(steps)
    ]
    (folder / LOG).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


@pytest.fixture
def runs(tmp_path):
    return [
        run(tmp_path / "a", (100, 3.0, 4.0), (200, 2.0, None)),
        run(tmp_path / "b", (50, 1.0, 1.5)),
    ]


def test_each_run_goes_on_where_the_one_before_it_ended(runs):
    curves = learning_curves(runs, before=1000)
    assert curves == {
        "chain": [(1100, 3.0), (1200, 2.0), (1250, 1.0)],
        "detect": [(1100, 4.0), (1250, 1.5)],
    }


def test_each_part_of_the_course_is_averaged_however_often_it_was_logged():
    points = [(0.0, 1.0), (4.0, 3.0), (12.0, 5.0), (25.0, 7.0), (29.0, 9.0)]
    assert smoothed(points, 10) == [(2.0, 2.0), (12.0, 5.0), (27.0, 8.0)]
    assert smoothed(points, 1) == points


def test_some_tasks_alone_are_drawn_and_unknown_ones_named(runs, tmp_path, monkeypatch, capsys):
    file = tmp_path / "curve.svg"
    call = ["curve", *map(str, runs), "--output", str(file), "--tasks"]
    monkeypatch.setattr("sys.argv", [*call, "detect"])
    main()
    assert file.read_text().count("<polyline") == 1
    monkeypatch.setattr("sys.argv", [*call, "detect,dance"])
    with pytest.raises(SystemExit):
        main()
    assert "no losses of dance; the logs have chain, detect" in capsys.readouterr().err


def test_a_drawing_shows_every_curve_at_its_conversations(runs):
    svg = draw(learning_curves(runs))
    assert svg.startswith("<svg xmlns=")
    assert svg.count("<polyline") == 2
    assert ">chain<" in svg
    assert ">detect<" in svg
    assert "chain: 1" in svg, "where it ends"


def test_logs_without_losses_are_refused_in_one_line(tmp_path):
    with pytest.raises(UsageError, match="no losses of tasks"):
        draw(learning_curves([run(tmp_path / "new")]))
