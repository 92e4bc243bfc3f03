"""A sample becomes a conversation: boxes at the size drawn, in the family's words, the same anywhere."""

import math

import numpy as np
import pytest
from PIL import Image

from configs import ConfigError
from detection_eval.geometry.rotated import boxes_to_quads
from detection_eval.text.contracts import CONTRACTS
from detection_eval.text.parsing import parse_response
from rscovlm.data.example import BoxText, Key
from rscovlm.data.rendering import Rules, box_contract, render_example
from rscovlm.data.sample import Box, ImageRef, Sample, Turn
from rscovlm.data.templates import load_templates
from rscovlm.errors import DataError
from rscovlm.models.families import FAMILIES
from tiling.view import Size, Window
from zoom_chain.looks import CropRule

SHIP = Box([[100, 40], [160, 40], [160, 80], [100, 80]], "ship")
PLANE = Box([[300, 200], [360, 260], [320, 300], [260, 240]], "plane")
CLASSES = ("plane", "ship", "storage-tank")


def detection(*boxes, classes=CLASSES, **fields):
    image = ImageRef("scene.png", size=(400, 600))
    return Sample("d", "detection", (image,), boxes=boxes, classes=classes, **fields)


def rules(family="qwen2.5-vl", forms="quad", sizing="native", templates="rscovlm", **fields):
    family = FAMILIES[family]
    return Rules(family, family.resolution, load_templates(templates), {sizing: 1.0}, {forms: 1.0}, **fields)


def render(sample, rule, visit=0, **options):
    return render_example(sample, rule, Key("source", 0, visit), 7, **options)


def answer(example):
    return "".join(example.conversation.messages[-1].content)


def picture(example):
    return example.conversation.messages[-2].content[0]


@pytest.mark.parametrize("family", ["qwen2.5-vl", "qwen3-vl"])
@pytest.mark.parametrize("form", ["quad", "obb", "hbb", "json-quad", "json-obb", "json-hbb"])
def test_the_parser_reads_back_every_format_at_whatever_size_was_drawn(family, form):
    rule = rules(family, form, "area")
    sizes = set()
    for visit in range(4):
        example = render(detection(SHIP, PLANE), rule, visit)
        size = picture(example).size
        sizes.add(size)
        read = parse_response(
            answer(example), box_contract(form, rule.family), CLASSES, size.width, size.height
        ).detections
        assert sorted(read.names) == ["plane", "ship"]
        back = picture(example).view.to_scene(read.polygons[list(read.names).index("ship")])
        unit = max(picture(example).view.scale) if family == "qwen2.5-vl" else 0.6
        assert np.abs(back.min(axis=0) - (100, 40)).max() <= 1.01 * unit
        assert np.abs(back.max(axis=0) - (160, 80)).max() <= 1.01 * unit
    assert len(sizes) > 1


def test_the_words_are_those_of_the_reference_for_its_own_format():
    example = render(detection(SHIP), rules())
    system, user, said = example.conversation.messages
    assert system.content[0].startswith("As an AI assistant, you specialize in accurate oriented object")
    assert user.content[1] == "find the plane, ship, storage tank"
    # 400 x 600 px is shown at 392 x 588 px: 100 * 588 / 600 = 98, 40 * 392 / 400 = 39.2
    assert picture(example).size == Size(392, 588)
    assert said.content == ("98,39,157,39,157,78,98,78 ship\n",)
    assert isinstance(said.content[0], BoxText)


def test_nothing_to_find_is_answered_with_the_formats_sentence():
    assert answer(render(detection(), rules())) == CONTRACTS["rscovlm-quad"].empty


def test_a_difficult_object_is_not_asked_of_anyone():
    hard = Box(SHIP.polygon, "ship", difficult=True)
    assert answer(render(detection(hard), rules())) == CONTRACTS["rscovlm-quad"].empty


def test_boxes_known_only_by_their_bounds_are_never_written_as_rotated():
    flat = Box(SHIP.polygon, "ship", horizontal=True)
    assert render(detection(flat), rules(forms="quad")).form == "rscovlm-hbb"
    assert render(detection(flat), rules(forms="rscovlm-quad")).form == "rscovlm-hbb"
    assert render(detection(flat), rules(forms="json-obb")).form == "rscovlm-json-hbb"


def test_the_last_boxes_in_the_order_of_writing_are_left_out_and_counted():
    outline = np.array([[0, 0], [20, 0], [20, 9], [0, 9]])
    ships = [Box(outline + np.array([0, 30 * i]), "ship") for i in range(9)]
    example = render(detection(*reversed(ships)), rules(), most_boxes=4)
    lines = answer(example).splitlines()
    assert example.cut == 5
    assert lines == answer(render(detection(*ships), rules())).splitlines()[:4]


@pytest.mark.parametrize("form", ["quad", "obb", "hbb", "json-quad", "json-obb", "json-hbb"])
def test_a_shortened_answer_is_the_beginning_of_the_whole_one_in_every_format(form):
    # Oblique boxes in rows: their topmost vertices, centres and bounds come in different orders.
    rng = np.random.default_rng(3)
    rows = zip(rng.uniform(60, 540, 12), 60 + 10 * rng.integers(0, 4, 12), rng.uniform(0, 3, 12))
    ships = [Box(quad, "ship") for quad in boxes_to_quads([[x, y, 50, 14, angle] for x, y, angle in rows])]
    rule = rules(forms=form)
    whole, short = (
        parse_response(answer(example), box_contract(form, rule.family), ("ship",), 588, 392).detections
        for example in (render(detection(*ships), rule), render(detection(*ships), rule, most_boxes=5))
    )
    assert short.polygons.tolist() == whole.polygons[:5].tolist()


def test_an_open_question_gets_one_word_for_a_class_in_one_answer():
    rule = rules(templates="varied")
    words = set()
    for visit in range(20):
        example = render(detection(PLANE, PLANE, classes=()), rule, visit)
        assert "plane, ship" not in example.conversation.messages[-2].content[1]
        labels = {line.split(" ", 1)[1] for line in answer(example).splitlines()}
        assert len(labels) == 1
        words |= labels
    assert {"plane", "airplane"} <= words


@pytest.mark.parametrize(("templates", "label"), [("varied", "white ship"), ("plain", "ship")])
def test_grounding_labels_its_box_with_the_phrase_or_the_class_as_the_templates_say(templates, label):
    sample = Sample(
        "g", "grounding", (ImageRef("scene.png", size=(400, 600)),), boxes=(SHIP,), phrase="White ship."
    )
    example = render(sample, rules(forms="hbb", templates=templates))
    assert "White ship" in example.conversation.messages[-2].content[1]
    assert answer(example) == f"98,39,157,78 {label}\n"


def test_an_article_is_not_written_twice_unless_phrases_are_verbatim_as_rscovlms():
    sample = Sample(
        "g", "grounding", (ImageRef("s.png", size=(400, 600)),), boxes=(SHIP,), phrase="The white ship"
    )
    asked = {
        name: render(sample, rules(forms="hbb", templates=name)).conversation.messages[-2].content[1]
        for name in ("plain", "rscovlm")
    }
    assert asked == {"plain": "find the white ship.", "rscovlm": "find the The white ship"}


@pytest.mark.parametrize(("templates", "label"), [("rscovlm", "The white Ship-of-war."), ("plain", "ship")])
@pytest.mark.parametrize("form", ["hbb", "json-hbb"])
def test_the_label_of_a_grounded_phrase_is_verbatim_where_rscovlm_writes_it_so(templates, label, form):
    sample = Sample(
        "g",
        "grounding",
        (ImageRef("s.png", size=(400, 600)),),
        boxes=(SHIP,),
        phrase="The white Ship-of-war.",
    )
    written = answer(render(sample, rules(forms=form, templates=templates)))
    assert label in written
    assert written.lower().count("ship") == 1


def test_labels_of_detection_are_spoken_in_rscovlms_templates_too():
    ship = Box(SHIP.polygon, "Small-Ship")
    sample = Sample(
        "d", "detection", (ImageRef("s.png", size=(400, 600)),), boxes=(ship,), classes=("Small-Ship",)
    )
    assert answer(render(sample, rules(forms="hbb", templates="rscovlm"))).endswith(" small ship\n")


def test_placeholders_are_filled_in_the_frame_of_their_image():
    sample = Sample(
        "c",
        "chat",
        (ImageRef("scene.png", size=(400, 600)),),
        (
            Turn("user", "<image>What is at <box 0>?"),
            Turn("assistant", "<value ships> ship, <value length_m> m."),
        ),
        boxes=(SHIP,),
        targets={"length_m": 61.26, "ships": 1},
    )
    user, said = render(sample, rules(forms="json-hbb")).conversation.messages
    assert user.content[1:] == ("What is at ", "[98, 39, 157, 78]", "?")
    assert "".join(said.content) == "1 ship, 61.3 m."


@pytest.fixture
def large(tmp_path):
    path = tmp_path / "large.png"
    Image.fromarray(np.zeros((3000, 4000, 3), dtype=np.uint8)).save(path)
    turns = (
        Turn("user", "<image>What is it?"),
        Turn("assistant", "<zoom 0>"),
        Turn("user", "<crop 0>"),
        Turn("assistant", "a ship"),
    )
    box = Box([[2000, 1500], [2400, 1500], [2400, 1800], [2000, 1800]], "ship")
    return Sample("z", "zoom", (ImageRef(str(path)),), turns, (box,))


@pytest.mark.parametrize("family", ["rscovlm", "qwen3-vl", "nano"])
def test_a_zoom_is_asked_and_answered_in_the_words_of_the_dialect(large, family):
    rule = Rules(FAMILIES[family], FAMILIES[family].resolution, load_templates("plain"))
    system, question, call, crop, _ = render(large, rule).conversation.messages
    dialect = rule.family.dialect
    assert system.content == (dialect.system_prompt,)
    assert question.content[1] == "What is it?" + dialect.user_suffix
    overview, closer = question.content[0].view, crop.content[0].view
    expected = overview.from_scene([[2000, 1500], [2400, 1800]]).ravel()
    assert call.content == (dialect.render_call(expected, *reversed(overview.size), "ship"),)
    assert closer.window.contains(Window(2000, 1500, 400, 300))
    assert closer.magnification_over(overview) > 1.5
    assert crop.content[0].read().shape == (*closer.size, 3)
    assert crop.content[1:] == ((dialect.crop_text,) if dialect.crop_text else ())


@pytest.mark.parametrize("family", ["rscovlm", "qwen2.5-vl", "qwen3-vl", "nano"])
def test_a_second_call_states_its_box_in_the_image_that_the_dialect_refers_to(large, family):
    inner = Box([[2100, 1600], [2160, 1600], [2160, 1640], [2100, 1640]])
    turns = (*large.turns[:3], Turn("assistant", "<zoom 1>"), Turn("user", "<crop 1>"), *large.turns[3:])
    twice = Sample("z", "zoom", large.images, turns, (*large.boxes, inner))
    rule = Rules(FAMILIES[family], FAMILIES[family].resolution, load_templates("plain"))
    _, question, _, crop, call, closer, _ = render(twice, rule).conversation.messages
    dialect = rule.family.dialect
    frame = {"latest": crop, "original": question}[dialect.frame].content[0].view
    expected = frame.from_scene([[2100, 1600], [2160, 1640]]).ravel()
    assert call.content == (dialect.render_call(expected, *reversed(frame.size), ""),)
    assert closer.content[0].view.window.contains(Window(2100, 1600, 60, 40))


def test_both_kinds_of_frames_are_among_the_dialects():
    assert {family.dialect.frame for family in FAMILIES.values()} == {"latest", "original"}


def test_the_margin_of_a_crop_is_a_unit_of_its_own_axis(tmp_path):
    Image.fromarray(np.zeros((600, 4000, 3), dtype=np.uint8)).save(tmp_path / "wide.png")
    turns = (("user", "<image>?"), ("assistant", "<zoom 0>"), ("user", "<crop 0>"), ("assistant", "yes"))
    tiny = Box([[2000, 300], [2002, 300], [2002, 302], [2000, 302]])
    sample = Sample(
        "w", "zoom", (ImageRef(str(tmp_path / "wide.png")),), tuple(Turn(*t) for t in turns), (tiny,)
    )
    crops = CropRule(margin=0.1, min_side_px=1, max_aspect=100)
    family = FAMILIES["qwen3-vl"]
    rule = Rules(family, family.resolution, load_templates("plain"), crops=crops)
    window = render(sample, rule).conversation.messages[3].content[0].view.window
    # A thousandth of 4000 and of 600 px on each side, which is more than a tenth of the box.
    assert window.width == pytest.approx(2 + 2 * 4.0)
    assert window.height == pytest.approx(2 + 2 * 0.6)


def test_a_question_that_names_classes_is_answered_in_their_names_at_every_visit():
    rule = rules(templates="varied")
    for visit in range(20):
        labels = {
            line.split(" ", 1)[1] for line in answer(render(detection(PLANE), rule, visit)).splitlines()
        }
        assert labels == {"plane"}


def test_boxes_are_listed_in_the_frame_of_the_image_that_they_are_on():
    images = (ImageRef("a.png", size=(400, 600)), ImageRef("b.png", size=(200, 300)))
    turns = (Turn("user", "<image><image>Where are ships?"), Turn("assistant", "<boxes>"))
    ship = Box([[10, 20], [60, 20], [60, 80], [10, 80]], "ship")
    for place in (0, 1):
        box = Box(ship.polygon, "ship", place)
        example = render(Sample("p", "vqa", images, turns, (box,)), rules(forms="hbb"))
        size = [part.size for part in example.conversation.messages[-2].content[:2]][place]
        scale = size.width / images[place].size[1], size.height / images[place].size[0]
        corners = np.array([[10, 20], [60, 80]]) * scale
        numbers = [int(number) for number in answer(example).split()[0].split(",")]
        assert np.abs(np.array(numbers) - corners.ravel()).max() <= 1


def test_a_window_that_is_not_square_keeps_its_height_and_width():
    image = ImageRef("scene.png", (0.0, 0.0, 280.0, 56.0), (400, 600))
    sample = Sample("w", "detection", (image,), classes=CLASSES)
    assert picture(render(sample, rules())).size == Size(56, 280)


def test_choices_depend_on_the_visit_and_on_nothing_else():
    rule = rules(templates="varied", sizing="area")
    first = [render(detection(SHIP, PLANE), rule, visit) for visit in range(6)]
    again = [render(detection(SHIP, PLANE), rule, visit) for visit in reversed(range(6))]
    assert first == again[::-1]
    assert len({example.conversation.messages[-2].content for example in first}) > 3


def test_a_window_of_an_image_keeps_boxes_in_its_own_frame():
    sample = Sample(
        "w",
        "detection",
        (ImageRef("scene.png", (80.0, 20.0, 112.0, 84.0), (400, 600)),),
        boxes=(SHIP, PLANE),
        classes=CLASSES,
    )
    example = render(sample, rules(forms="hbb"))
    assert picture(example).size == Size(84, 112)
    assert answer(example) == "20,20,80,60 ship\n"


def test_a_window_outside_its_image_is_a_broken_sample():
    sample = detection(SHIP)
    outside = Sample("w", "detection", (ImageRef("s.png", (900.0, 0.0, 10.0, 10.0), (400, 600)),))
    with pytest.raises(DataError, match="outside"):
        render(outside, rules())
    assert render(sample, rules())


def test_unknown_formats_and_sizes_are_refused_by_name():
    with pytest.raises(ConfigError, match="'quadd' is unknown; choose from quad"):
        rules(forms="quadd")
    with pytest.raises(ConfigError, match="nativ is unknown; choose from native"):
        rules(sizing="nativ")


def test_a_picture_that_is_shown_smaller_has_larger_pixels_on_the_ground():
    turns = (Turn("user", "<image>What?"), Turn("assistant", "A field."))
    image = ImageRef("scene.png", size=(2800, 5600))
    (shown,) = render(Sample("s", "vqa", (image,), turns, gsd_m=0.3), rules()).conversation.images
    reduction = math.sqrt(2800 / shown.size.height * 5600 / shown.size.width)
    assert reduction > 1.5
    assert shown.gsd_m == pytest.approx(0.3 * reduction)


def test_an_image_may_state_a_scale_of_its_own():
    turns = (Turn("user", "<image><image>What?"), Turn("assistant", "A field."))
    images = (ImageRef("a.png", size=(280, 280), gsd_m=10.0), ImageRef("b.png", size=(280, 280)))
    shown = render(Sample("s", "vqa", images, turns, gsd_m=0.3), rules()).conversation.images
    assert [picture.gsd_m for picture in shown] == [pytest.approx(10.0), pytest.approx(0.3)]


def test_a_turn_may_state_the_scale_at_which_its_image_is_shown():
    turns = (Turn("user", "<image>One pixel is <gsd>. What?"), Turn("assistant", "A field."))
    image = ImageRef("scene.png", size=(2800, 5600))
    known = render(Sample("s", "vqa", (image,), turns, gsd_m=0.3), rules()).conversation
    assert known.messages[0].text == f"One pixel is {known.images[0].gsd_m:.2g} m. What?"
    unknown = render(Sample("s", "vqa", (image,), turns), rules()).conversation
    assert unknown.messages[0].text == "One pixel is unknown. What?"
