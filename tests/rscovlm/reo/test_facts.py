"""Facts of samples, whatever they are stored as."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rscovlm.errors import DataError
from rscovlm.reo.facts import AGB, files_of, read_facts
from tests.rscovlm.reo.material import plots_file


def test_hdf5_of_plots_gives_labels_places_dates_and_covers(tmp_path):
    found = read_facts([plots_file(tmp_path, tiles=3, plots=2)])
    assert (found.stored, len(found), len(set(found.tile))) == ("AGBD-Lite", 6, 3)
    assert np.isfinite(found.label).all()
    assert np.abs(found.lat).max() <= 51
    assert found.image_day.min() >= 120
    assert all(found.cover)
    assert len(set(found.key.tolist())) == 6


def parquet(path, rows=4, **more):
    table = {
        "label": np.linspace(10, 400, rows).tolist(),
        "input": [np.full((14, 25, 25), 0.1).tolist()] * rows,
        "metadata": [
            {"lat": 1.5 + row, "lon": 20.0, "s2_num_days": 30.0, "agbd_se": 3.0} for row in range(rows)
        ],
        **more,
    }
    pq.write_table(pa.table(table), path)
    return path


def test_tables_of_agbd_raw_are_read_by_their_struct_and_without_their_patches(tmp_path):
    found = read_facts([parquet(tmp_path / "train-0.parquet")])
    assert (found.stored, found.split.tolist()) == ("table", ["train"] * 4)
    np.testing.assert_allclose(found.label, [10, 140, 270, 400])
    assert found.lat.tolist() == [1.5, 2.5, 3.5, 4.5]
    assert found.numbers["agbd_se"].tolist() == [3.0] * 4
    assert found.image_day.tolist() == [30.0] * 4


def test_a_table_without_a_label_says_which_columns_there_are(tmp_path):
    pq.write_table(pa.table({"height": [1.0]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"no label.*there are height"):
        read_facts([tmp_path / "a.parquet"])


def test_conversations_give_their_targets_dates_and_words(tmp_path):
    rows = [
        {"question": "What is the AGB?", "answer": "It is 120.5 Mg/ha.", "lat": 3, "date": "2019-04-27"},
        {"question": "What is the land cover?", "answer": "closed forest", "agbd": 80.0},
        {"question": "", "answer": "lost"},
    ]
    (tmp_path / "r.json").write_text(json.dumps(rows))
    found = read_facts([tmp_path / "r.json"])
    assert found.stored == "conversations"
    assert found.numbers[AGB].tolist() == [120.5, 80.0]
    assert found.image_day[0] == 10
    assert found.texts[1] == ("What is the land cover?", "closed forest")


def test_splits_come_from_names_and_from_what_is_stated(tmp_path):
    for name in ("train_0", "val_0", "x"):
        parquet(tmp_path / f"{name}.parquet")
    other = tmp_path / "x.parquet"
    found = read_facts([*files_of(tmp_path)[:2], other], {str(other): "test"})
    assert found.split.tolist() == ["train"] * 4 + ["val"] * 4 + ["test"] * 4


def test_files_of_different_kinds_are_refused(tmp_path):
    parquet(tmp_path / "a.parquet")
    with pytest.raises(DataError, match="stored as table and AGBD-Lite"):
        read_facts([tmp_path / "a.parquet", plots_file(tmp_path, tiles=1, plots=1)])
    (tmp_path / "scene.tif").write_bytes(b"II*\0")
    with pytest.raises(DataError, match=r"scene\.tif is no data set of plots; give HDF5, Parquet"):
        read_facts([tmp_path / "scene.tif"])
    with pytest.raises(DataError, match="does not exist"):
        files_of(tmp_path / "gone")
