"""Adapters baked at several scales behind a server: each request asks for the one nearest to its image."""

import pytest

from rscovlm.cli import main
from rscovlm.engines.http import HttpEngine
from rscovlm.errors import ModelError
from rscovlm.models.families import FAMILIES
from rscovlm.models.scale.routes import Routes
from tests.rscovlm.engines.server import ModelServer
from tests.rscovlm.engines.test_scaled import asked
from tests.rscovlm.painted import paint
from zoom_chain.chat import Generation

BASE = "qwen3-vl-test"
BAKED = ("gsd-0.3", "gsd-1", "gsd-10")
SHORT = Generation(max_new_tokens=4)


@pytest.fixture
def server():
    with ModelServer(model=BASE) as server:
        server.served = [BASE, *BAKED]
        yield server


@pytest.fixture
def routes(tmp_path):
    """Baked at 0.3, 1 and 10 m, which take over at 0.55 and 3.16 m; unknown images are taken for 5 m."""
    Routes.of([0.3, 1.0, 10.0], neutral_m=5.0).write(tmp_path)
    return tmp_path / "routes.json"


def models_asked(server, routes, *conversations):
    """The model that the request of each conversation names, in their order."""
    with HttpEngine(server.url, str(routes), FAMILIES["qwen3-vl"]) as engine:
        engine.chat(conversations[:1], SHORT)  # with the probes
        found = []
        for conversation in conversations:
            engine.chat([conversation], SHORT)
            found.append(server.requests[-1]["model"])
    return found


def test_a_request_names_the_adapter_nearest_to_the_scale_of_its_image(server, routes):
    scales = (0.16, 0.3, 0.54, 0.56, 3.1, 3.2, 19.0)
    expected = ["gsd-0.3", "gsd-0.3", "gsd-0.3", "gsd-1", "gsd-1", "gsd-10", "gsd-10"]
    assert models_asked(server, routes, *(asked(gsd_m) for gsd_m in scales)) == expected
    assert BASE not in {request["model"] for request in server.requests}


def test_the_latest_image_of_a_chain_decides(server, routes):
    assert models_asked(server, routes, asked(10.0, 0.3), asked(0.3, 10.0)) == ["gsd-0.3", "gsd-10"]


def test_an_image_of_unknown_scale_goes_where_the_neutral_one_does(server, routes):
    assert models_asked(server, routes, asked(None)) == [Routes.read(routes).route(5.0).name] == ["gsd-10"]


def test_beyond_what_was_compared_the_nearest_answers_and_that_is_said_once(server, routes, capsys):
    assert models_asked(server, routes, asked(0.1), asked(100.0)) == ["gsd-0.3", "gsd-10"]
    told = capsys.readouterr().err
    assert told.count("0.1 m per pixel lies outside the 0.15 to 20 m") == 1
    assert told.count("lies outside") == 1
    models_asked(server, routes, asked(0.15), asked(20.0), asked(None))
    assert "lies outside" not in capsys.readouterr().err


def test_a_server_that_lacks_an_adapter_is_one_line(server, routes):
    server.served.remove("gsd-1")
    with pytest.raises(ModelError, match=r"does not serve 'gsd-1'; it serves gsd-0\.3, gsd-10, qwen3"):
        HttpEngine(server.url, str(routes), FAMILIES["qwen3-vl"])


@pytest.mark.parametrize(("stated_m", "model"), [("0.1", "gsd-0.3"), ("30", "gsd-10")])
def test_ask_sends_a_scene_to_the_adapter_of_the_scale_at_which_it_is_shown(
    server, routes, stated_m, model, tmp_path, capsys
):
    paint(tmp_path / "scene.tif")
    limits = ["--family", "qwen3-vl", "--zoom", "off", "--max-pixels", "65536", "--assume-gsd", stated_m]
    asking = ["ask", str(tmp_path / "scene.tif"), "How many?", "--model", f"{server.url}#{routes}", *limits]
    assert main(asking) == 0, capsys.readouterr().err
    assert server.requests[-1]["model"] == model
