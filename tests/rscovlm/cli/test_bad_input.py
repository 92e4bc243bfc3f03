"""What a user can get wrong: exit code 2, one line that says what would be right, and nothing left behind."""

from __future__ import annotations

import errno
import os

import numpy as np
import pytest
import rasterio

from tests.rscovlm.cli.conftest import MODEL
from tests.rscovlm.scripted import write_raster


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Good and bad inputs in the current folder."""
    monkeypatch.chdir(tmp_path)
    noise = np.random.default_rng(0).integers(0, 255, (3, 512, 512), dtype=np.uint8)
    write_raster(tmp_path / "good.tif", pixels=noise, tiled=True)
    write_raster(tmp_path / "nowhere.tif", gsd_m=None)
    write_raster(tmp_path / "empty.tif", pixels=np.zeros((3, 64, 64), np.uint8), nodata=0)
    whole = (tmp_path / "good.tif").read_bytes()
    (tmp_path / "cut.tif").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "corrupt.tif").write_bytes(b"II*\0" + b"\xff" * 200)
    (tmp_path / "text.tif").write_text("not a raster")
    (tmp_path / "zero.tif").touch()
    (tmp_path / "none.txt").write_text("\n\n")
    (tmp_path / "bad.jsonl").write_text('{"question": "one?"}\n{"query": "two?"}\n')
    (tmp_path / "bad.yaml").write_text("policy: sideways\n")
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "folder").mkdir()
    return tmp_path


def listing(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


HTTP = f"--model {MODEL}"
BAD = [
    # The scene.
    (f"ask missing.tif any? {HTTP}", "missing.tif does not exist"),
    (f"ask folder any? {HTTP}", "folder"),
    (f"ask text.tif any? {HTTP}", "text.tif"),
    (f"ask corrupt.tif any? {HTTP}", "corrupt.tif"),
    (f"ask zero.tif any? {HTTP}", "zero.tif"),
    (f"ask cut.tif any? {HTTP}", "cut.tif"),
    (f"ask empty.tif any? {HTTP}", "no valid pixels"),
    (f"detect missing.tif {HTTP}", "missing.tif does not exist"),
    (f"detect cut.tif {HTTP}", "cut.tif"),
    (f"detect empty.tif {HTTP}", "no valid pixels"),
    (f"classify cut.tif {HTTP}", "cut.tif"),
    # Bands.
    (f"ask good.tif any? --bands 4,3,2 {HTTP}", "band 4"),
    (f"ask good.tif any? --bands 1,2 {HTTP}", "bands"),
    (f"ask good.tif any? --bands nir {HTTP}", "no band nir"),
    (f"ask good.tif any? --bands 1,,2 {HTTP}", "--bands '1,,2' is not a list of bands"),
    (f"ask good.tif any? --alpha x {HTTP}", "--alpha 'x' is no band"),
    (f"ask good.tif any? --alpha 9 {HTTP}", "no band 9 for alpha"),
    (f"ask good.tif any? --nodata x {HTTP}", "--nodata 'x' is no number"),
    (f"ask good.tif any? --mask gone.tif {HTTP}", "gone.tif does not exist"),
    (f"ask good.tif any? --assume-crs EPSG:0 {HTTP}", "EPSG:0"),
    (f"ask good.tif any? --assume-gsd -1 {HTTP}", "-1.0 m is no length"),
    # The model.
    ("ask good.tif any? --model checkpoint", "config.json"),
    ("ask good.tif any? --model no-such-model", "no-such-model"),
    ("ask good.tif any? --model http://server/v1#mystery", "--family"),
    (f"ask good.tif any? --family quen {HTTP}", "family 'quen' is unknown"),
    (f"ask good.tif any? --max-pixels 10 {HTTP}", "--max-pixels 10"),
    ("detect good.tif --model no-such-model", "no-such-model"),
    ("classify good.tif --model no-such-model", "no-such-model"),
    # Questions and settings.
    (f"ask good.tif {HTTP}", "there is no question"),
    (f"ask good.tif --questions none.txt {HTTP}", "none.txt holds no questions"),
    (f"ask good.tif --questions bad.jsonl {HTTP}", "bad.jsonl:2"),
    (f"ask good.tif --questions missing.txt {HTTP}", "missing.txt"),
    (f"ask good.tif any? --config bad.yaml {HTTP}", "sideways"),
    (f"ask good.tif any? --config zoom/none {HTTP}", "zoom/none"),
    (f"ask good.tif any? --zoom sideways {HTTP}", "--zoom"),
    (f"ask good.tif any? --max-zooms -1 {HTTP}", "--max-zooms"),
    (f"classify good.tif --classes , {HTTP}", "--classes"),
    (f"classify good.tif --classes forest,moon {HTTP}", "nano does not know the classes moon"),
    (f"detect good.tif --classes , {HTTP}", "--classes"),
    (f"detect good.tif --classes unicorn {HTTP}", "unicorn"),
    # Tiles.
    (f"detect good.tif --tile big {HTTP}", "'big'"),
    (f"detect good.tif --tile 64 --overlap 64 {HTTP}", "overlap 64 px"),
    (f"detect nowhere.tif --tile 50m {HTTP}", "ground sampling distance"),
    (f"detect good.tif --window 1,2,3 {HTTP}", "--window '1,2,3'"),
    (f"detect good.tif --window 9000,0,10,10 {HTTP}", "outside the scene"),
    (f"detect good.tif --batch-size 0 {HTTP}", "--batch-size"),
    # Outputs, all before the model is loaded.
    (f"ask good.tif any? --trace trace.pdf {HTTP}", ".html"),
    (f"ask good.tif any? --trace missing/trace.html {HTTP}", "missing"),
    (f"ask good.tif any? --output answers.xml {HTTP}", ".json"),
    (f"ask good.tif any? --output one.json --trace one.json {HTTP}", "a file of its own"),
    (f"detect good.tif --output boxes.shp {HTTP}", ".gpkg"),
    (f"detect good.tif --output missing/boxes.gpkg {HTTP}", "missing"),
    (f"detect nowhere.tif --output boxes.gpkg {HTTP}", "coordinate reference system"),
    (f"detect good.tif --overlay overlay.jpg {HTTP}", ".png"),
    (f"detect good.tif --resume {HTTP}", "--output"),
    ("synth scene missing/out.tif", "missing"),
    ("synth scene out.jpg", ".tif"),
    ("synth scene out.tif --size huge", "--size 'huge'"),
    ("synth scene out.tif --size 300000x1000000000", "500,000 px"),
    ("synth scene out.tif --size 64 --cover lava", "lava"),
    ("synth dataset out --count 0", "--count"),
    # The line itself.
    ("ask", "SCENE"),
    ("ask good.tif any? --nonsense", "--nonsense"),
    ("segment good.tif", "segment"),
]


@pytest.mark.parametrize(("command", "says"), BAD, ids=[command for command, _ in BAD])
def test_bad_input_gets_one_line_and_exit_code_2_and_leaves_nothing(run, files, no_model, command, says):
    before = listing(files)
    done = run(*command.split())
    assert done.code == 2, done.err
    assert done.out == ""
    assert done.err.startswith("rscovlm: ")
    assert done.err.count("\n") == 1, done.err
    assert says in done.err
    assert listing(files) == before


@pytest.mark.parametrize("command", ["", "synth"])
def test_no_command_shows_the_help(run, command):
    done = run(*command.split())
    assert (done.code, done.err) == (2, "")
    assert f"Usage: rscovlm {command}".strip() in done.out


def test_debug_shows_the_traceback_wherever_it_stands(run, files):
    for command in ("--debug ask missing.tif any?", "ask missing.tif any? --debug"):
        done = run(*command.split())
        assert done.code == 2
        assert "Traceback" in done.err
        assert done.err.splitlines()[-1].startswith("rscovlm: ")


def test_a_full_disk_is_one_line_and_leaves_no_half_written_file(run, files, scripted, monkeypatch):
    scripted(lambda conversation: "yes")
    replace = os.replace

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = listing(files)
    kept = ["a.txt.journal.jsonl", "t.html.journal.jsonl"]  # replies that were paid for
    monkeypatch.setattr("os.replace", full)
    for command in ("ask good.tif any? --output a.txt", "ask good.tif any? --trace t.html"):
        done = run(*f"{command} {HTTP}".split())
        assert (done.code, done.out) == (2, "")
        assert done.err == "rscovlm: the disk is full\n"
    assert sorted(listing(files)) == sorted([*before, *kept])
    monkeypatch.setattr("os.replace", replace)
    scripted(lambda conversation: pytest.fail("a kept reply is not asked for again"))
    assert run(*f"ask good.tif any? --output a.txt --resume {HTTP}".split()).code == 0
    assert sorted(listing(files)) == sorted([*before, "a.txt", "t.html.journal.jsonl"])


def test_ctrl_c_exits_with_130_without_a_traceback(run, files, scripted):
    def interrupt(conversation):
        raise KeyboardInterrupt

    scripted(interrupt)
    done = run(*f"ask good.tif any? {HTTP}".split())
    assert (done.code, done.out, done.err) == (130, "", "rscovlm: interrupted\n")


def test_a_defect_says_so_and_is_not_taken_for_bad_usage(run, files, scripted):
    def fail(conversation):
        raise ZeroDivisionError("division by zero")

    scripted(fail)
    done = run(*f"ask good.tif any? {HTTP}".split())
    assert done.code == 1
    assert done.err.startswith("rscovlm: this should not have happened: ZeroDivisionError: division by zero")
    assert done.err.count("\n") == 1


def test_memory_that_ran_out_tells_what_to_lower(run, files, scripted):
    def exhaust(conversation):
        raise MemoryError

    scripted(exhaust)
    done = run(*f"detect good.tif {HTTP}".split())
    assert (done.code, done.out) == (2, "")
    assert "--max-pixels" in done.err.splitlines()[-1]
    assert "--batch-size" in done.err.splitlines()[-1]


def test_a_palette_image_and_a_16_bit_one_are_good_input(run, tmp_path, scripted):
    scripted(lambda conversation: "yes")
    deep = np.linspace(0, 60_000, 64 * 64 * 4, dtype=np.uint16).reshape(4, 64, 64)
    path = write_raster(tmp_path / "deep.tif", pixels=deep)
    assert run("ask", path, "any?", "--bands", "4,3,2", "--model", MODEL)[:2] == (0, "yes\n")
    path = write_raster(tmp_path / "palette.tif", pixels=np.arange(4096, dtype=np.uint8).reshape(1, 64, 64))
    with rasterio.open(path, "r+") as dataset:
        dataset.write_colormap(1, {value: (value, 255 - value, 0) for value in range(256)})
    assert run("ask", path, "any?", "--model", MODEL)[:2] == (0, "yes\n")
