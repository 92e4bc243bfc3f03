"""The checkpoint from which nano's course starts."""

from rscovlm.models.families import FAMILIES, family_of
from rscovlm.models.weights import read_settings
from rscovlm.nano.base import corpus
from rscovlm.nano.lessons import make_lesson
from tests.rscovlm.nano.material import SMALL


def test_the_tokenizer_is_built_from_what_lessons_say_without_the_tags_of_calls():
    texts = corpus(seed=3, lessons=12)
    turns = [turn for index in range(12) for turn in make_lesson(3, index).conversation.messages]
    assert texts[::2] == [turn.role + "\n" for turn in turns]
    assert [len(text) for text in texts[1::2]] == [
        len(turn.text) - turn.text.count("<tool_call>") * len("<tool_call></tool_call>") for turn in turns
    ]
    assert not any("tool_call>" in text for text in texts)


def test_a_base_is_a_checkpoint_of_the_family_in_the_shape_asked_for(base):
    settings = read_settings(base)
    assert settings.text_config.hidden_size == SMALL.width
    assert settings.vision_config.depth == SMALL.vision_depth
    assert family_of(base).name == "nano"
    assert family_of(base).detect_gsd_m == FAMILIES["nano"].detect_gsd_m
    assert family_of(base).class_gsd_m == FAMILIES["nano"].class_gsd_m
    assert sorted(path.name for path in base.iterdir() if path.suffix == ".safetensors") == [
        "model.safetensors"
    ]
