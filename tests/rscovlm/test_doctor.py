"""The report tells what is in use, and for everything else why not."""

import sys
from importlib import metadata

import pytest
import torch

from rscovlm import doctor
from rscovlm.models.weights import attention_for


def report() -> dict[str, doctor.Row]:
    rows = doctor.diagnose()
    assert len({row.name for row in rows}) == len(rows), "each part is reported once"
    return {row.name: row for row in rows}


def test_versions_are_those_of_the_imported_packages():
    rows = report()
    for name in ("torch", "transformers", "numpy", "rasterio", "httpx"):
        assert rows[name] == doctor.Row(name, "ok", metadata.version(name))
    assert rows["python"].detail.startswith(sys.version.split()[0])


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what is reported without a CUDA device")
def test_without_cuda_each_accelerated_part_says_why_it_is_not_in_use():
    rows = report()
    assert rows["flash-attn"].state == "not in use"
    assert "needs CUDA" in rows["flash-attn"].detail
    assert rows["liger-kernel"].state == "not in use"
    assert rows["dtype"].detail.startswith("float32")


def test_a_missing_package_is_reported_with_what_to_do_and_does_not_stop_the_report(monkeypatch):
    real = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: None if name == "torch" else real(name))
    rows = report()
    assert rows["torch"].state == "missing"
    assert "pip install torch" in rows["torch"].detail
    assert rows["httpx"].state == "ok"


def test_an_installed_extra_is_available(monkeypatch):
    real = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: "0.99" if name == "vllm" else real(name))
    monkeypatch.setattr(doctor.util, "find_spec", lambda name: object())
    assert report()["vllm"] == doctor.Row("vllm", "available", "0.99")


@pytest.mark.parametrize(
    ("capability", "dtype", "installed", "attention", "reason"),
    [
        ((8, 0), torch.bfloat16, True, "flash_attention_2", "is installed"),
        ((8, 0), torch.bfloat16, False, "sdpa", "extra: flash-attn"),
        ((7, 5), torch.float16, True, "sdpa", "compute capability 8.0"),
        ((9, 0), torch.float32, True, "sdpa", "runs in float32"),
    ],
)
def test_flash_attention_is_taken_where_the_gpu_the_dtype_and_the_package_allow_it(
    monkeypatch, capability, dtype, installed, attention, reason
):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr("transformers.utils.import_utils.is_flash_attn_2_available", lambda: installed)
    found = attention_for(torch.device("cuda"), dtype)
    assert found[0] == attention
    assert reason in found[1]
