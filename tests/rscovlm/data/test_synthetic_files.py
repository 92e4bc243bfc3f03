"""Sample files about synthetic scenes."""

import json

import pytest
from PIL import Image

from detection_eval.geometry.quads import area
from detection_eval.text.contracts import CONTRACTS
from detection_eval.text.parsing import parse_response
from rscovlm.data.example import Key
from rscovlm.data.mix import read_mix
from rscovlm.data.rendering import Rules, render_example
from rscovlm.data.store import SampleFile
from rscovlm.data.synthetic import Scale
from rscovlm.data.synthetic_files import TASKS, plan_zoom_world, write_sample_set
from rscovlm.data.templates import load_templates
from rscovlm.errors import UsageError
from rscovlm.models.checkpoints import resolve
from rscovlm.models.families import FAMILIES
from rscovlm.models.weights import read_tokenizer
from rscovlm.synth.catalogue import CLASS_NAMES, LAND_COVERS
from rscovlm.synth.views import next_window
from tiling.view import Window

NANO, QWEN = Scale.of(FAMILIES["nano"]), Scale.of(FAMILIES["qwen2.5-vl"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("samples")
    assert write_sample_set(folder, 41, QWEN, seed=6) == dict(zip(TASKS, (9, 8, 8, 8, 8)))
    return folder


def samples(folder, task):
    return list(SampleFile(folder / f"{task}.jsonl"))


def test_every_task_has_its_file_and_every_image_its_size(folder):
    for task in TASKS:
        found = samples(folder, task)
        assert len(found) == (9 if task == "classification" else 8)
        assert {sample.task for sample in found} == {task}
        for sample in found:
            with Image.open(folder / sample.images[0].path) as image:
                assert image.size[::-1] == sample.images[0].size
            assert 0.1 < sample.gsd_m < 10
    assert len({sample.id for task in TASKS for sample in samples(folder, task)}) == 41


def test_boxes_lie_inside_their_images_and_have_known_classes(folder):
    boxes = 0
    for task in ("detection", "grounding"):
        for sample in samples(folder, task):
            height, width = sample.images[0].size
            for box in sample.boxes:
                boxes += 1
                assert box.label in CLASS_NAMES
                assert (box.polygon >= 0).all()
                assert (box.polygon <= (width, height)).all()
                assert area(box.polygon) > 1.5, "a car of 4 m at 1.2 m times 1.3"
            if task == "grounding":
                assert len(sample.boxes) == 1
                assert sample.boxes[0].label.split()[-1] in sample.phrase or "court" in sample.phrase
            else:
                assert {box.label for box in sample.boxes} <= set(sample.classes)
    assert boxes > 12


def test_nano_is_taught_to_ground_by_the_lines_in_which_it_lists_objects(tmp_path):
    """Not by the phrase, which it would have to learn to spell before anything else."""
    write_sample_set(tmp_path, 40, NANO, seed=6)
    tokenizer = read_tokenizer(resolve("nano").local)
    mix = read_mix("mix/synth")
    rules = Rules(FAMILIES["nano"], FAMILIES["nano"].resolution, load_templates(mix.defaults.templates))
    for place, sample in enumerate(samples(tmp_path, "grounding")):
        example = render_example(
            sample, rules, Key("grounding", place, 0), 0, lambda ref: tmp_path / ref.path
        )
        (asked, answer) = example.conversation.messages
        assert asked.text == f"find the {sample.phrase}."
        found = parse_response(answer.text, CONTRACTS["nano"], CLASS_NAMES, *reversed(sample.images[0].size))
        assert list(found.detections.names) == [sample.boxes[0].label]
        label = answer.text.rpartition(" ")[0]
        assert len(tokenizer.tokenize(f"\n{label}")) <= 1 + len(label.split())


def test_classes_and_answers_are_of_the_catalogue(folder):
    for sample in samples(folder, "classification"):
        assert sample.answer in sample.classes == LAND_COVERS
    for sample in samples(folder, "vqa"):
        assert sample.turns[0].text.startswith("<image>")
        assert sample.turns[1].text == sample.turns[1].text.lower()


def test_a_chain_narrows_down_to_where_the_answer_can_be_read(folder):
    for sample in samples(folder, "zoom"):
        steps = len(sample.boxes)
        assert steps >= 1
        texts = [turn.text for turn in sample.turns]
        middle = [text for step in range(steps) for text in (f"<zoom {step}>", f"<crop {step}>")]
        assert texts[1:-1] == middle
        evidence = Window.from_bounds(*sample.attributes["evidence"])
        last = Window.around(sample.boxes[-1].polygon)
        assert next_window(last, evidence) is None
        sides = [Window.around(box.polygon).width for box in sample.boxes]
        assert sides == sorted(sides, reverse=True)


def test_more_samples_continue_the_fewer_and_images_are_kept(folder, tmp_path):
    write_sample_set(tmp_path, 10, QWEN, seed=6)
    first = next((tmp_path / "images").iterdir())
    before = first.stat().st_mtime_ns
    write_sample_set(tmp_path, 15, QWEN, seed=6)
    assert first.stat().st_mtime_ns == before
    for task in TASKS:
        few, many = samples(tmp_path, task), samples(folder, task)
        assert few == many[: len(few)]
        for sample in few:
            name = sample.images[0].path
            assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_an_interruption_leaves_no_torn_file_and_is_continued(tmp_path, folder):
    def stop(done, total):
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_sample_set(tmp_path, 15, QWEN, seed=6, progress=stop)
    assert [path.name for path in tmp_path.glob("*.jsonl")] == ["classification.jsonl"]
    write_sample_set(tmp_path, 15, QWEN, seed=6)
    assert samples(tmp_path, "vqa") == samples(folder, "vqa")[:3]


def test_a_folder_of_another_seed_is_refused(folder):
    with pytest.raises(UsageError, match="choose another folder"):
        write_sample_set(folder, 41, QWEN, seed=7)
    with pytest.raises(UsageError, match="choose another folder"):
        write_sample_set(folder, 41, NANO, seed=6)
    assert json.loads((folder / "samples.json").read_text())["seed"] == 6


def test_too_few_samples_are_refused(tmp_path):
    with pytest.raises(UsageError, match="at least one of each task"):
        write_sample_set(tmp_path, 4, QWEN)


def test_scenes_to_zoom_into_are_squares_of_stated_sides_each_its_own():
    worlds = [plan_zoom_world(scene, seed=0) for scene in range(8)]
    assert {world.width for world in worlds} <= {1536, 2048, 3072, 4096}
    assert all(world.height == world.width and world.gsd_m == 0.3 for world in worlds)
    assert len({world.seed for world in worlds}) == 8
    assert plan_zoom_world(0, seed=1).seed != worlds[0].seed
