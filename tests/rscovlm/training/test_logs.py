"""Where the numbers of a run go."""

import json
import math

import pytest

from rscovlm.training.logs import LOG, Logs, read_log


def logs(folder, **more):
    return Logs(folder, **{"active": True, "tensorboard": False, **more})


def test_numbers_are_lines_of_json_without_infinities(tmp_path):
    with logs(tmp_path) as log:
        log.write(1, {"loss": 0.123456789123, "gradient/all": math.inf, "speed/mfu": math.nan})
        assert read_log(tmp_path / LOG) == [
            {"step": 1, "loss": 0.12345679, "gradient/all": None, "speed/mfu": None}
        ], "there at once, for who looks at a run"
        log.write(2, {"loss": 1})
    assert (tmp_path / LOG).read_text().splitlines()[1] == json.dumps({"step": 2, "loss": 1.0})


def test_a_resumed_run_takes_back_the_steps_after_its_checkpoint_and_a_new_one_begins_anew(tmp_path):
    with logs(tmp_path) as log:
        for step in (1, 2, 3):
            log.write(step, {"loss": step})
    with (tmp_path / LOG).open("a") as file:
        file.write('{"step": 4, "lo')
    with logs(tmp_path, step=2) as log:
        log.write(3, {"loss": 9})
    assert [(line["step"], line["loss"]) for line in read_log(tmp_path / LOG)] == [(1, 1), (2, 2), (3, 9)]
    with logs(tmp_path):
        pass
    assert read_log(tmp_path / LOG) == []


def test_a_log_that_is_not_there_or_torn_is_read_as_far_as_it_goes(tmp_path):
    assert read_log(tmp_path / LOG) == []
    (tmp_path / LOG).write_text('{"step": 1}\n{"step"')
    assert read_log(tmp_path / LOG) == [{"step": 1}]


def test_other_ranks_write_nothing(tmp_path, capsys):
    shown = []
    with logs(tmp_path, active=False, progress=lambda *done: shown.append(done)) as log:
        log.write(1, {"loss": 1.0})
        log.progress(1, 2)
        log.say("hello")
    assert list(tmp_path.iterdir()) == []
    assert (shown, capsys.readouterr().err) == ([], "")


def test_progress_and_words_go_to_the_user(tmp_path, capsys):
    shown = []
    with logs(tmp_path, progress=lambda *done: shown.append(done)) as log:
        log.progress(3, 10)
        log.say("going on")
    assert shown == [(3, 10)]
    assert capsys.readouterr() == ("", "going on\n")


def test_tensorboard_gets_the_same_numbers(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with logs(tmp_path, tensorboard=True) as log:
        log.write(5, {"loss": 0.25})
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(5, 0.25)]
