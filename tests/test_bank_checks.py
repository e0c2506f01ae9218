"""Banks that were damaged: the gauge is named; a full disk leaves the old bank."""

from __future__ import annotations

import errno

import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr
from typer.testing import CliRunner

from conftest import build_quietly, small_region
from slipcast.cli.main import app
from slipcast.errors import InputError
from slipcast.greens.bank import GreensBank
from slipcast.greens.checks import CHECKSUMS, gauge_checksums
from slipcast.io.probe import unreadable_rows


def test_every_gauge_has_a_checksum(small_bank):
    checksums = small_bank.dataset.attrs[CHECKSUMS].split()
    assert len(set(checksums)) == len(small_bank.gauges)
    response = small_bank.dataset["response"].copy(deep=True)
    response[3, 17, 40] += 1e-6
    other = gauge_checksums(small_bank.dataset.assign(response=response)).split()
    assert [one == another for one, another in zip(checksums, other, strict=True)] == [True, True, True, False, True]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"response": 1e-6}, "the response at gauge 46404, .* is another"),
        ({"gauge_depth": 17.0}, "its numbers do not match its fingerprint"),
    ],
)
def test_numbers_changed_by_another_program_are_found(small_bank, tmp_path, change, message):
    small_bank.save(tmp_path / "bank.nc")
    with xr.open_dataset(tmp_path / "bank.nc") as dataset:
        dataset.assign({name: dataset[name] + by for name, by in change.items()}).to_netcdf(tmp_path / "copy.nc")
    with pytest.raises(InputError, match=rf"copy\.nc is damaged or was changed: {message}"):
        GreensBank.open(tmp_path / "copy.nc")


def test_a_bank_that_another_program_copied_is_read(small_bank, tmp_path):
    small_bank.save(tmp_path / "bank.nc")
    with xr.open_dataset(tmp_path / "bank.nc") as dataset:
        dataset.load().to_netcdf(tmp_path / "copy.nc")
    assert GreensBank.open(tmp_path / "copy.nc").id == small_bank.id


@pytest.mark.slow
def test_a_flipped_byte_of_a_response_names_its_gauge(small_bank, tmp_path):
    path = tmp_path / "bank.nc"
    small_bank.save(path)
    content = path.read_bytes()
    named = set()
    for place in np.linspace(0.1, 0.85, 12):
        damaged = bytearray(content)
        damaged[int(place * len(content))] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(
            InputError, match=r"^\S+bank.nc is damaged: the response at gauge \w+ cannot be read$"
        ) as told:
            GreensBank.open(path)
        named.add(str(told.value).split()[-4])
    assert len(named) > 2
    assert named <= set(small_bank.gauges)


def test_damage_elsewhere_names_no_gauge(small_bank, tmp_path):
    (tmp_path / "text.nc").write_text("no bank")
    small_bank.save(tmp_path / "bank.nc")
    xr.Dataset({"a": 1}).to_netcdf(tmp_path / "other.nc")
    for name in ("text", "none", "bank", "other"):
        assert unreadable_rows(tmp_path / f"{name}.nc", "response", "gauge") == []


def test_the_command_finds_damage(small_bank, tmp_path):
    path = tmp_path / "bank.nc"
    small_bank.save(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    result = CliRunner().invoke(app, ["bank", "check", str(path)])
    assert isinstance(result.exception, InputError)
    assert "is damaged: the response at gauge" in str(result.exception)


def test_a_file_without_checksums_is_incomplete(small_bank, tmp_path):
    attrs = {key: value for key, value in small_bank.dataset.attrs.items() if key != CHECKSUMS}
    bare = GreensBank(small_bank.dataset.drop_attrs(deep=False).assign_attrs(attrs))
    with pytest.raises(InputError, match="bank cascadia: it has 0 checksums for 5 gauges"):
        bare.check()
    bare.save(tmp_path / "bare.nc")
    with pytest.raises(InputError, match=r"bare\.nc is an incomplete bank file: it lacks gauge_checksums"):
        GreensBank.open(tmp_path / "bare.nc")


def test_smaller_banks_have_checksums_of_their_own(small_bank):
    for part in (small_bank.with_window(["46404", "westport"], 30), small_bank.with_sources(["acsza58"])):
        assert len(part.dataset.attrs[CHECKSUMS].split()) == len(part.gauges)
        part.check()


def test_checksums_of_other_gauges(small_bank):
    attrs = small_bank.dataset.attrs | {CHECKSUMS: "0123456789abcdef"}
    with pytest.raises(InputError, match="bank cascadia: it has 1 checksums for 5 gauges"):
        GreensBank(small_bank.dataset.assign_attrs(attrs)).check()


@pytest.mark.parametrize("when", ["a part", "the bank"])
def test_a_full_disk_leaves_the_old_bank(small_bank, tmp_path, monkeypatch, when):
    path = tmp_path / "bank.nc"
    small_bank.save(path)
    original = xr.Dataset.to_netcdf

    def full(dataset, target, **options):
        if (dataset.attrs["slipcast"] == "bank") == (when == "the bank"):
            target.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "no space")
        return original(dataset, target, **options)

    monkeypatch.setattr(xr.Dataset, "to_netcdf", full)
    with pytest.raises(InputError, match=r"^cannot write \S+: the disk is full$"):
        build_quietly(small_region(), save_to=path)
    monkeypatch.undo()
    assert not list(tmp_path.rglob("*.partial"))
    npt.assert_array_equal(GreensBank.open(path).dataset["response"], small_bank.dataset["response"])
