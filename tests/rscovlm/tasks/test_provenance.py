"""What output files and journals say about the program and the words that made them."""

from importlib import metadata

from rscovlm.tasks.provenance import text_hash, version


def test_the_fingerprint_of_a_text_is_the_first_half_of_its_sha_256_in_utf_8():
    assert text_hash("") == "e3b0c44298fc1c14", "the published digest of no bytes"
    assert text_hash("Größe") != text_hash("Grösse")


def test_a_package_that_is_not_installed_has_no_known_version(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", lambda name: f"1.2 of {name}")
    assert version() == "1.2 of rscovlm"
    monkeypatch.setattr(metadata, "version", missing)
    assert version() == "unknown"
