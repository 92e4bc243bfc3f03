"""Training samples a second from files: this project's loader against the reference recipe's way.

The recipe (RSCoVLM's training code, as published): Pillow decodes the image whole, it is resized, the image
processor of transformers patches it in float32, a hand-written template is tokenised piece by piece, and
positions come from ``get_rope_index`` of a live model. Both ways load the same samples at the same sizes, in
one process each, without workers: detection on tiles of 1024 px, and zooming (overview and crop) into a scene
of 12288 px.

Run by ``benchmarks/training.py --only loading``, or alone.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from rscovlm.data.encoding import Encoder
    from rscovlm.data.mix import Mix

TILES, TILE = 12, 1024
SCENE = 12288
ZOOMS = 4
MOST_PIXELS = 1008 * 1008


def make_files(folder: Path) -> None:
    """JPEG tiles, a tiled GeoTIFF with overviews, two sample files, a mix, and a tiny checkpoint."""
    from PIL import Image

    from rscovlm.data.sample import Box, ImageRef, Sample, Turn
    from rscovlm.synth.dataset import write_scene
    from rscovlm.synth.world import plan_world
    from tests.rscovlm.checkpoints import tiny_qwen25_vl

    rng = np.random.default_rng(0)
    outline = np.array([[0, 0], [60, 0], [60, 30], [0, 30]])
    tiles, zooms = [], []
    for index in range(TILES):
        coarse = rng.integers(0, 255, (TILE // 16, TILE // 16, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((TILE, TILE)).save(folder / f"{index}.jpg", quality=90)
        boxes = tuple(Box(outline + rng.integers(0, TILE - 60, 2), "ship") for _ in range(12))
        image = ImageRef(f"{index}.jpg", size=(TILE, TILE))
        tiles.append(Sample(f"t{index}", "detection", (image,), boxes=boxes, classes=("plane", "ship")))
    write_scene(plan_world(1, SCENE, SCENE), folder / "scene.tif")
    asked = (
        Turn("user", "<image>What colour are the planes?"),
        Turn("assistant", "<zoom 0>"),
        Turn("user", "<crop 0>"),
        Turn("assistant", "red"),
    )
    for index in range(ZOOMS):
        corners = rng.integers(0, SCENE - 1500, 2) + np.array([[0, 0], [1500, 0], [1500, 1500], [0, 1500]])
        image = ImageRef("scene.tif", size=(SCENE, SCENE))
        zooms.append(Sample(f"z{index}", "zoom", (image,), asked, (Box(corners, ""),)))
    for name, samples in (("tiles", tiles), ("zooms", zooms)):
        (folder / f"{name}.jsonl").write_text("".join(sample.to_line() + "\n" for sample in samples))
    (folder / "mix.yaml").write_text("sources: [tiles, zooms]\ndefaults: {templates: rscovlm}\n")
    tiny_qwen25_vl(folder / "rscovlm-tiny")


def opened(folder: Path) -> tuple[Mix, Encoder]:
    """The mix of the files, and the encoder."""
    from transformers import AutoConfig, AutoTokenizer

    from rscovlm.data.encoding import Encoder
    from rscovlm.data.sources import load_mix
    from rscovlm.models.families import FAMILIES
    from rscovlm.models.patches import PatchSpec
    from tiling.resolution import Resolution

    checkpoint = folder / "rscovlm-tiny"
    patches = PatchSpec.of_checkpoint(checkpoint, AutoConfig.from_pretrained(checkpoint).vision_config)
    encoder = Encoder(AutoTokenizer.from_pretrained(checkpoint), patches)
    bounds = Resolution(28, 4 * 28**2, MOST_PIXELS)
    return load_mix(folder / "mix.yaml", FAMILIES["rscovlm"], encoder, 1, resolution=bounds), encoder


def ours(folder: Path, source: str) -> Callable[[int], int]:
    """A sample by index as a pack; returns its tokens."""
    from rscovlm.data.packing import collate

    mix, encoder = opened(folder)

    def load(index: int) -> int:
        return collate([mix.sources[source].encode(index, 0)], encoder.patches, encoder.image_id).length

    return load


def recipe(folder: Path, source: str) -> Callable[[int], int]:
    """The same by the reference recipe."""
    import torch
    from PIL import Image
    from transformers import AutoConfig, AutoTokenizer, Qwen2_5_VLForConditionalGeneration
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    from rscovlm.data.example import Key
    from rscovlm.data.pictures import FilePicture
    from rscovlm.data.rendering import render_example
    from rscovlm.data.sources import FileSource

    Image.MAX_IMAGE_PIXELS = None
    checkpoint = folder / "rscovlm-tiny"
    mix, _ = opened(folder)
    file = mix.sources[source]
    assert isinstance(file, FileSource)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    model = Qwen2_5_VLForConditionalGeneration(AutoConfig.from_pretrained(checkpoint))
    processor = Qwen2VLImageProcessorPil(size={"shortest_edge": 4 * 28**2, "longest_edge": MOST_PIXELS})

    def load(index: int) -> int:
        example = render_example(file.sample(index), file.rules, Key(source, index, 0), 1, file.file.resolve)
        ids: list[int] = []
        patches, grids, whole = [], [], None
        for turn in example.conversation.messages:
            ids += tokenizer.encode(f"<|im_start|>{turn.role}\n")
            for part in turn.content:
                if isinstance(part, str):
                    ids += tokenizer.encode(part)
                    continue
                assert isinstance(part, FilePicture)
                # The image is decoded once for a conversation, and the crop cut from it.
                whole = whole or Image.open(part.path).convert("RGB")
                x0, y0, x1, y1 = part.view.window.bounds
                shown = whole.crop((round(x0), round(y0), round(x1), round(y1)))
                shown = shown.resize((part.size.width, part.size.height), Image.Resampling.BICUBIC)
                done = processor(shown, return_tensors="pt")
                patches.append(done["pixel_values"])
                grids.append(done["image_grid_thw"])
                count = int(done["image_grid_thw"].prod()) // 4
                ids += tokenizer.encode("<|vision_start|>" + "<|image_pad|>" * count + "<|vision_end|>")
            ids += tokenizer.encode("<|im_end|>\n")
        row = torch.tensor(ids)[None]
        torch.cat(patches)
        model.model.get_rope_index(
            input_ids=row,
            mm_token_type_ids=(row == model.config.image_token_id).int(),
            image_grid_thw=torch.cat(grids),
            attention_mask=torch.ones_like(row),
        )
        return len(ids)

    return load


def measure(arguments: tuple[str, str, str, int]) -> dict[str, float]:
    """Median seconds a sample and peak memory of one way, in a process of its own."""
    way, folder, source, repeats = arguments
    load = {"ours": ours, "recipe": recipe}[way](Path(folder), source)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds = []
    for _ in range(repeats):
        started = time.process_time()
        for index in range(TILES if source == "tiles" else ZOOMS):
            load(index)
        seconds.append((time.process_time() - started) / (TILES if source == "tiles" else ZOOMS))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": statistics.median(seconds), "peak_mb": after, "grown_mb": after - before}


def loading(device: str = "cpu", repeats: int = 3) -> dict[str, float]:
    """CPU seconds and memory of a sample from its file, against the reference recipe's way."""
    del device  # pixels are read on the CPU everywhere
    found: dict[str, float] = {}
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        make_files(Path(folder))
        for source in ("tiles", "zooms"):
            both = {}
            for way in ("recipe", "ours"):
                with context.Pool(1) as pool:
                    both[way] = pool.apply(measure, ((way, folder, source, repeats),))
                found[f"{source}: {way}, CPU ms a sample"] = 1000 * both[way]["seconds"]
                found[f"{source}: {way}, peak MB"] = both[way]["peak_mb"]
            found[f"{source}: times faster"] = both["recipe"]["seconds"] / both["ours"]["seconds"]
            found[f"{source}: part of the peak memory"] = both["ours"]["peak_mb"] / both["recipe"]["peak_mb"]
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="of which medians are taken")
    print(json.dumps(loading(repeats=parser.parse_args().repeats), indent=2))
