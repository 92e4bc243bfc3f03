"""A file of a few plots, and a tiny model that shows them."""

from __future__ import annotations

from rscovlm.data.agbd import write_agbd
from rscovlm.data.encoding import Encoder
from rscovlm.data.plot_source import PlotSource
from rscovlm.models.patches import PatchSpec
from rscovlm.models.weights import read_settings, read_tokenizer
from rscovlm.synth.forest import make_plot, make_tile


def plots_file(folder, tiles=6, plots=3):
    """A file of plots whose land cover, biomass and patches vary."""
    made = [make_plot(4, make_tile(4, tile), index) for tile in range(tiles) for index in range(plots)]
    write_agbd(folder / "plots.h5", made, lite=True)
    return folder / "plots.h5"


def encoder_of(checkpoint):
    """How a checkpoint reads."""
    spec = PatchSpec.of_checkpoint(checkpoint, read_settings(checkpoint).vision_config)
    return Encoder(read_tokenizer(checkpoint), spec)


def source_of(file, checkpoint, split="all", **options):
    """Plots of a file for a checkpoint."""
    return PlotSource(
        "plots", encoder_of(checkpoint), 1, 1 << 40, file.parent, [file.name], split=split, **options
    )
