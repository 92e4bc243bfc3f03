"""Scale in words: what a model is told at inference is what it was trained on."""

import numpy as np
from PIL import Image

from rscovlm.data.example import Key
from rscovlm.data.geoscale.build import BEGINNING
from rscovlm.data.rendering import Rules, render_example
from rscovlm.data.sample import ImageRef, Sample, Turn
from rscovlm.data.templates import load_templates
from rscovlm.models.families import FAMILIES
from rscovlm.models.scale_words import gsd_words, stated
from zoom_chain.chat import Conversation, ImagePart


def picture(gsd_m):
    return ImagePart(np.zeros((32, 32, 3), np.uint8), gsd_m=gsd_m)


def test_two_digits_are_said_and_what_is_unknown_is_said_to_be():
    assert [gsd_words(each) for each in (0.3, 0.1234, 12.3, None)] == ["0.3 m", "0.12 m", "12 m", "unknown"]


def test_the_scale_of_the_last_image_of_a_turn_stands_between_it_and_the_question():
    asked = Conversation().say("system", "Be brief.").say("user", picture(9.0), picture(0.5), "How long?")
    told = stated(asked.say("assistant", "Zoom.").say("user", "Closer: ", picture(0.1), "And now?"))
    assert told.messages[0] == asked.messages[0]
    assert told.messages[1].content[2:] == ("One pixel is 0.5 m on the ground.\n", "How long?")
    assert told.messages[3].text == "Closer: One pixel is 0.1 m on the ground.\nAnd now?"
    assert told.images == asked.say("user", picture(0.1)).images


def test_a_question_of_training_and_one_of_inference_read_the_same(tmp_path):
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tmp_path / "a.png")
    turns = (Turn("user", f"{BEGINNING}How wide?"), Turn("assistant", "20 m"))
    sample = Sample("a", "vqa", (ImageRef(str(tmp_path / "a.png")),), turns, gsd_m=0.25)
    family = FAMILIES["qwen3-vl"]
    rules = Rules(family, family.resolution, load_templates("varied"))
    learnt = render_example(sample, rules, Key("", 0, 0), 0).conversation.messages[0]
    (asked,) = stated(Conversation().say("user", *learnt.images, "How wide?")).messages
    assert (asked.text, asked.images) == (learnt.text, learnt.images)
