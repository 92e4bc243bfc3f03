"""Tables as AGBD_raw is laid out on its card."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rscovlm.data.agbd_raw import CHANNELS
from rscovlm.data.agbd_raw_writing import write_agbd_raw
from rscovlm.synth.forest import make_plot, make_tile


def test_types_and_sizes_are_those_of_the_card(tmp_path):
    plots = [make_plot(2, make_tile(2, 0), index) for index in range(3)]
    write_agbd_raw(tmp_path / "a.parquet", plots, tiles=False, row_group=2)
    file = pq.ParquetFile(tmp_path / "a.parquet")
    schema = file.schema_arrow
    assert schema.names == ["input", "label", "metadata"]
    assert schema.field("input").type == pa.list_(pa.list_(pa.list_(pa.float32())))
    assert schema.field("label").type == pa.float32()
    assert {"s2_num_days", "lat", "lon", "agbd_se", "rh98"} <= {
        each.name for each in schema.field("metadata").type
    }
    assert file.metadata.num_row_groups == 2
    values = np.array(file.read()["input"].to_pylist(), np.float32)
    assert values.shape == (3, 32, 25, 25)
    assert 4 * values[0].size + 4 * (1 + 32 + 32 * 25) + 4 + 36 == 83_372  # values, offsets, label, metadata


def test_channels_of_places_run_along_their_axes(tmp_path):
    plot = make_plot(2, make_tile(2, 0), 0)
    write_agbd_raw(tmp_path / "a.parquet", [plot])
    patch = np.array(pq.read_table(tmp_path / "a.parquet")["input"].to_pylist()[0])
    cosine, sine = (2 * patch[CHANNELS.index(name)] - 1 for name in ("lat_cos", "lat_sin"))
    latitude = np.degrees(np.arctan2(sine, cosine)) / 2
    np.testing.assert_allclose(latitude[12], plot.lat, atol=1e-4)
    np.testing.assert_allclose(latitude[24, 0] - latitude[0, 0], 240 / 111_195, rtol=0.05)
