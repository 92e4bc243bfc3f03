"""What token counts prove: images resized, prompts cut, prompts with additions, each told apart."""

import numpy as np
import pytest

from rscovlm.engines.accounting import Accounting, Probed
from rscovlm.errors import ModelError
from tiling.resolution import Resolution
from zoom_chain.chat import Conversation, ImagePart

BOUNDS = Resolution(32, 4 * 32**2, 256 * 32**2)
SIZES = "a large image than for a small one"


def picture(rows, columns):
    return ImagePart(np.zeros((32 * rows, 32 * columns, 3), np.uint8))


def probed(text_small=20, small=4, large=256):
    accounting = Accounting(BOUNDS)
    accounting.take_probes(Probed(4, small + text_small), Probed(256, large + text_small), SIZES)
    return accounting


def test_images_counted_in_full_pass_whatever_a_server_adds():
    assert probed(20).added == 0
    assert probed(964).added == 900


@pytest.mark.parametrize(("small", "large"), [(4, 100), (64, 256), (3, 190)])
def test_probes_show_shrinking_enlarging_and_other_families(small, large):
    with pytest.raises(ModelError, match="the server resizes images"):
        probed(20, small, large)


def test_a_count_at_the_length_of_a_context_is_a_cut_and_not_resizing():
    asked = Conversation().say("user", picture(40, 40), "How many?")
    with pytest.raises(ModelError, match="cuts prompts at 1024 tokens"):
        probed().check(asked, 1024)
    with pytest.raises(ModelError, match="resizes images"):
        probed().check(asked, 1000)


def test_the_second_image_is_accounted_for_by_what_the_first_turn_took():
    accounting = probed()
    system = "x" * 2000  # whose true tokens nobody but the server knows
    first = Conversation().say("system", system).say("user", picture(8, 8), "How many?")
    accounting.check(first, 64 + 450)
    second = first.say("assistant", "Closer.").say("user", "Here:", picture(16, 16))
    accounting.check(second, 64 + 450 + 256 + 20)
    # 156 of 256 tokens are missing, fewer than the text of the conversation has: bounds on the whole miss it.
    with pytest.raises(ModelError, match=r"resizes images.* for the last 2 turns with 1 images"):
        accounting.check(second, 64 + 450 + 100 + 20)


def test_thoughts_that_a_template_takes_out_again_are_no_resizing():
    accounting = probed()
    first = Conversation().say("user", picture(8, 8), "How many?")
    accounting.check(first, 64 + 40)
    second = first.say("assistant", "<think>Hm.</think>Closer.").say("user", picture(8, 8))
    accounting.check(second, 128 + 38)


def test_a_prompt_of_text_is_not_looked_at():
    probed().check(Conversation().say("user", "How many?"), 100_000)


def test_additions_count_from_below_too():
    with pytest.raises(ModelError, match="resizes images"):
        probed(964).check(Conversation().say("user", picture(8, 8), "How many?"), 500)


def test_more_tokens_than_the_text_has_bytes_are_an_enlarged_image():
    asked = Conversation().say("user", picture(8, 8), "How many?")
    most = 64 + 9 + 2 * 64
    probed().check(asked, most)
    with pytest.raises(ModelError, match="resizes images"):
        probed().check(asked, most + 1)
