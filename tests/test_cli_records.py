"""The command line with real records: raw text to records, and the options of ``invert`` that take them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import numpy.testing as npt
import pytest

from cli_fixtures import check_usage_error
from inversion_fixtures import invert_by, named
from record_fixtures import DARTS, TRUE_M
from slipcast.forecasting.wave_fit import WaveFit, leave_one_out
from slipcast.greens.bank import GreensBank
from slipcast.inversion import SlipEstimate, Timing, candidate_sources, fit_timing
from slipcast.io.netcdf import read_netcdf
from slipcast.records import Records, read_records
from slipcast.records.first_wave import first_wave_ends
from tide_fixtures import ndbc_text, tide_m

ORIGIN, EPICENTRE = "2011-03-11T05:46:24Z", (-125.5, 47.0)
READ = ("--origin", ORIGIN, "--region", "cascadia", "--epicentre", *EPICENTRE)


@pytest.fixture(scope="module")
def files(small_bank, tmp_path_factory):
    """Write a bank, the raw records of three DARTs, and what comes of them."""
    folder = tmp_path_factory.mktemp("files")
    small_bank.save(folder / "bank.nc")
    time_s = np.union1d(np.arange(-86400.0, 0.0, 900.0), small_bank.time_s)
    rng = np.random.default_rng(6)
    for name, level in zip(DARTS, small_bank.source_response(DARTS).to_numpy() @ TRUE_M, strict=True):
        wave = np.interp(time_s / 1.01, small_bank.time_s, level) * (time_s >= 0)
        height = 2800 + tide_m(time_s) + wave + 0.001 * rng.standard_normal(time_s.size)
        height[40] += 0.6 * (name == "46407")
        text = ndbc_text(time_s, height, np.where(time_s < 0, 1, 2))
        # the last line of one was cut in its height
        (folder / f"{name}.txt").write_text(text[:-4] if name == "46419" else text)
    read_records(
        *(folder / f"{name}.txt" for name in DARTS), origin=ORIGIN, region="cascadia", epicentre=EPICENTRE
    ).save(folder / "records.nc")
    return folder


def test_reading_by_hand(slipcast, files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    texts = [files / f"{name}.txt" for name in DARTS]
    code, out, err = slipcast("records", "read", *texts, *READ)
    assert code == 0, err
    lines = out.splitlines()
    assert lines[-1] == "records.nc"
    shape = r"{}: \d+ samples from -2[34].[08] to 2.0 h, scatter before the origin [01].\d mm{}"
    for name, line in zip(DARTS, lines, strict=False):
        assert re.fullmatch(shape.format(name, ", 1 flagged spike" if name == "46407" else ""), line)
    assert err.startswith("46419: left out: line ")
    expected = read_netcdf(files / "records.nc", "records")
    found = read_netcdf("records.nc", "records")
    for name, values in expected.variables.items():
        npt.assert_array_equal(found[name].to_numpy(), values.to_numpy(), err_msg=str(name))


def test_a_summary_of_reading(slipcast, files, tmp_path):
    texts = [files / f"{name}.txt" for name in DARTS]
    code, out, err = slipcast("records", "read", *texts, *READ, "--out", tmp_path / "r.nc", "--json")
    assert code == 0, err
    rows = json.loads(out)
    assert [row["gauge"] for row in rows] == DARTS
    records = Records.open(tmp_path / "r.nc")
    for number, row in enumerate(rows):
        held = records.dataset.isel(gauge=number)
        sent = np.isfinite(held["height"].to_numpy())
        assert row["samples"] == sent.sum()
        npt.assert_allclose([row["first_h"], row["last_h"]], records.time_s[sent][[0, -1]] / 3600)
        assert row["position"] == [held["gauge_lon"].item(), held["gauge_lat"].item(), held["position_from"].item()]
        assert row["position"][2].startswith("deployment 20")
        assert (row["tide"], row["shaking_min"]) == ("short", None)
        early = (records.time_s < 0) & (records.time_s > -6 * 3600)
        npt.assert_allclose(row["scatter_mm"], 1e3 * np.nanstd(held["sea_level"].to_numpy()[early]))
    assert [row["flagged"] for row in rows] == [{}, {"spike": 1}, {}]
    assert rows[2]["left_out"].startswith("line ")


def test_options_of_reading(slipcast, files, tmp_path):
    text, out = files / "46404.txt", tmp_path / "r.nc"
    more = ("--shaking", "46404=20", "--position", "46404=-128.5,45.5", "--until", 60, "--out", out)
    code, told, err = slipcast("records", "read", text, *READ, *more)
    assert code == 0, err
    assert ", shaking from 0 to 20 min" in told
    expected = read_records(
        text,
        origin=ORIGIN,
        epicentre=EPICENTRE,
        shaking={"46404": 20.0},
        positions={"46404": (-128.5, 45.5)},
        until_min=60,
    )
    found = Records.open(out)
    npt.assert_array_equal(found.sea_level, expected.sea_level)
    npt.assert_allclose(found.dataset["gauge_lon"], 231.5)
    table = tmp_path / "stations.csv"
    table.write_text("station,lon_deg,lat_deg\n46404,231.0,45.0\n")
    assert slipcast("records", "read", text, *READ, "--stations", table, "--shaking", "keep", "--out", out)[0] == 0
    assert Records.open(out).dataset["position_from"].item() == "deployment without dates"
    # what was read can be read again
    assert slipcast("records", "read", out, *READ, "--out", tmp_path / "again.nc")[0] == 0
    npt.assert_array_equal(Records.open(tmp_path / "again.nc").dataset["height"], Records.open(out).dataset["height"])


def test_a_buoy_that_cannot_be_used_is_said(slipcast, files, tmp_path):
    (tmp_path / "46407.txt").write_text("<html>404</html>")
    texts, out = (files / "46404.txt", tmp_path / "46407.txt", files / "46419.txt"), tmp_path / "r.nc"
    code, told, err = slipcast("records", "read", *texts, *READ, "--out", out)
    assert code == 0, err
    assert [line[:6] for line in told.splitlines()[:-1]] == ["46404:", "46419:"]
    assert "warning: station 46407 is left out: " in err
    code, told, err = slipcast("records", "read", *texts, *READ, "--out", out, "--json")
    assert code == 0, err
    rows = json.loads(told)
    assert [row["gauge"] for row in rows] == ["46404", "46419", "46407"]
    assert rows[2].keys() == {"gauge", "samples", "left_out"}
    assert rows[2]["left_out"] == Records.open(out).gauges_left_out["46407"]
    # the inversion says it again
    command = ("invert", out, "--bank", files / "bank.nc", *INVERT, "--window", 45, "--out", tmp_path / "slip.nc")
    code, _, err = slipcast(*command)
    assert code == 0, err
    assert "46407: left out: " in err
    code, told, err = slipcast(*command, "--json")
    assert json.loads(told)["gauges_left_out"] == Records.open(out).gauges_left_out
    # none is left
    code, _, err = slipcast("records", "read", tmp_path / "46407.txt", *READ, "--out", out)
    assert code == 2
    assert "is a web page" in err


def test_a_record_without_tide_says_so(slipcast, tmp_path):
    (tmp_path / "46404_notide.txt").write_text("".join(f"{60 * i} 0.0{i % 7}1\n" for i in range(-90, 90)))
    command = ("records", "read", tmp_path / "46404_notide.txt", *READ, "--out", tmp_path / "r.nc")
    code, told, err = slipcast(*command)
    assert code == 0, err
    assert told.startswith("46404: 180 samples from -1.5 to 1.5 h, came without tide, ")
    assert json.loads(slipcast(*command, "--json")[1])[0]["tide"] == "none"


DAMPED = {"method": "tikhonov", "noise_sd_m": 0.01, "slip_sd_m": 5.0}
INVERT = ("--method", "tikhonov", "--noise", 0.01, "--slip-sd", 5)


def test_first_waves_and_a_joint_tide(slipcast, files, tmp_path):
    records, bank = Records.open(files / "records.nc"), GreensBank.open(files / "bank.nc")
    command = ("invert", files / "records.nc", "--bank", files / "bank.nc", *INVERT, "--out", tmp_path / "slip.nc")
    ends = first_wave_ends(records)
    chosen = candidate_sources(bank.sources, EPICENTRE, 7.2)
    assert 0 < len(chosen) < len(bank.sources)
    reach = ("--epicentre", *EPICENTRE, "--magnitude", 7.2)
    cases: list[tuple[tuple, dict, GreensBank]] = [
        (("--window", "first-wave"), {"window_min": ends}, bank),
        (
            ("--window", "first-wave", "--gauges", "46419,46404"),
            {"window_min": {name: ends[name] for name in ("46404", "46419")}, "gauges": ["46419", "46404"]},
            bank,
        ),
        (
            ("--window", "46404=50.5, 46419=first-wave"),
            {"window_min": {"46404": 50.5, "46419": ends["46419"]}},
            bank,
        ),
        (("--window", 45, "--joint-tide"), {"window_min": 45, "joint_tide": True}, bank),
        (
            ("--window", 45, "--no-joint-tide", *reach),
            {"window_min": 45, "joint_tide": False},
            bank.with_sources(chosen),
        ),
    ]
    for arguments, options, responses in cases:
        code, out, err = slipcast(*command, *arguments)
        assert code == 0, err
        assert re.fullmatch(
            r".*slip.nc: Mw \d\.\d\d, largest slip .* m\n(no wave seen at 46407\n)?explained: .*\n", out
        )
        expected, found = invert_by(records, responses, **DAMPED, **options), SlipEstimate.open(tmp_path / "slip.nc")
        npt.assert_array_equal(found.slip, expected.slip)
        assert found.sources == responses.sources
        assert expected.dataset.attrs.items() <= found.dataset.attrs.items()
    assert found.dataset.attrs["tide"] == "short"


@pytest.mark.slow
def test_delays_on_the_command_line(slipcast, files, tmp_path):
    records, bank = Records.open(files / "records.nc"), GreensBank.open(files / "bank.nc")
    command = ("invert", files / "records.nc", "--bank", files / "bank.nc", *INVERT, "--out", tmp_path / "slip.nc")
    code, out, err = slipcast(*command, "--window", 100, "--stretch")
    assert code == 0, err
    timing = fit_timing(records, bank, window_min=100)
    assert timing.stretch == pytest.approx(0.01, abs=0.0026)
    found = SlipEstimate.open(tmp_path / "slip.nc")
    expected = timing.noted(invert_by(timing.applied(records), bank, window_min=100, **DAMPED))
    npt.assert_array_equal(found.slip, expected.slip)
    assert found.dataset.attrs["stretch"] == timing.stretch
    told = out.splitlines()[2]
    assert told.startswith(f"real waves are slower by {100 * timing.stretch:.2f} %; unexplained with it ")
    assert f"{100 * timing.misfit_after:.1f} % of the variance, without {100 * timing.misfit_before:.1f} %" in told
    options = ("--window", 45, "--gauges", "46404,46419", "--shifts")
    code, out, err = slipcast(*command, *options)
    assert code == 0, err
    timing = fit_timing(records, bank, window_min=45, gauges=["46404", "46419"], stretch=False, shifts=True)
    assert timing.shift_s
    shifted = "".join(f", {name} {shift:+.0f} s" for name, shift in timing.shift_s.items())
    assert f"real waves are slower by 0.00 %{shifted}; unexplained" in out
    assert Timing.of(SlipEstimate.open(tmp_path / "slip.nc")).shift_s == timing.shift_s


def test_each_dart_from_the_others(slipcast, files, tmp_path):
    records, bank = Records.open(files / "records.nc"), GreensBank.open(files / "bank.nc")
    command = ("invert", files / "records.nc", "--bank", files / "bank.nc", *INVERT, "--out", tmp_path / "slip.nc")
    expected = leave_one_out(records, named(records, bank, window_min=90, **DAMPED), bank)
    code, out, err = slipcast(*command, "--window", 90, "--leave-one-out")
    assert code == 0, err
    lines = out.splitlines()[2:]
    for (name, (_, fit)), line in zip(expected.items(), lines, strict=True):
        assert line.startswith(f"{name} from the others: explained variance {fit.explained_variance:.2f}, highest ")
        assert f"(recorded {fit.observed_m:.2f}), arrival " in line
    code, out, err = slipcast(*command, "--window", 90, "--leave-one-out", "--json")
    assert code == 0, err
    told = json.loads(out)["predicted"]
    assert told == {name: vars(fit) for name, (_, fit) in expected.items()}
    npt.assert_array_equal(
        SlipEstimate.open(tmp_path / "slip.nc").slip, invert_by(records, bank, window_min=90, **DAMPED).slip
    )


@pytest.mark.parametrize(("modelled_s", "told"), [(900.0, "+5"), (420.0, "-3")])
def test_a_late_wave_is_a_later_arrival(slipcast, files, tmp_path, monkeypatch, modelled_s, told):
    fit = WaveFit("46404", False, 0.0, 1.0, 0.5, 1.0, 1.0, observed_arrival_s=600.0, modelled_arrival_s=modelled_s)
    monkeypatch.setattr("slipcast.forecasting.wave_fit.leave_one_out", lambda *_, **__: {"46404": (None, fit)})
    command = ("invert", files / "records.nc", "--bank", files / "bank.nc", *INVERT, "--out", tmp_path / "slip.nc")
    code, out, err = slipcast(*command, "--window", 90, "--leave-one-out")
    assert code == 0, err
    assert out.endswith(f", arrival {told} min\n")


@pytest.mark.slow
def test_figures_of_an_event(slipcast, files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    records, bank = files / "records.nc", files / "bank.nc"
    assert slipcast("invert", records, "--bank", bank, *INVERT, "--window", 60)[0] == 0
    for arguments in (
        ("plot", "records", records, "--hours", -2, 2),
        ("plot", "event", records, "--slip", "slip.nc", "--bank", bank, "--title", "a twin"),
    ):
        code, out, err = slipcast(*arguments)
        assert code == 0, err
        assert Path(out.strip()).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("records read TEXT --origin yesterday", "origin must be a time such as 2011-03-11T05:46:24Z, got 'yesterday'"),
        ("records read nothing.txt --origin 2011-03-11", "cannot read nothing.txt"),
        ("records read RECORDS --origin 2010-03-11", "the origin 2010-03-11T00:00:00 is 1.0 years away"),
        ("records read TEXT --origin 2011-03-12", "ends before the origin, 2011-03-12T00:00:00 UTC"),
        ("records read TEXT --origin 2011-03-11 --position 46404", "--position must be STATION=LON,LAT, got '46404'"),
        (
            "records read TEXT --origin 2011-03-11 --position 46404=1,2,3",
            "--position must be STATION=LON,LAT, got '464",
        ),
        ("records read TEXT --origin 2011-03-11 --shaking finds", "shaking must be find, keep or minutes by station"),
        ("records read TEXT --origin 2011-03-11 --shaking 46404=a", "--shaking must be find, keep or STATION=MINUTES"),
        ("records read TEXT --origin 2011-03-11 --shaking 46440=3", "unknown station '46440' in shaking; nearest: 464"),
        ("records read TEXT --origin 2011-03-11 --tide long", "tide must be one of short, harmonic, got 'long'"),
        ("records read TEXT --origin 2011-03-11 --epicentre 47 -125", "epicentre must be longitude and latitude"),
        ("records read TEXT --origin 2011-03-11 --region japna", "unknown region 'japna'; nearest: japan"),
        ("records read TEXT --origin 2011-03-11 --stations no.csv", "cannot read no.csv"),
        ("records read TEXT --origin 2011-03-11 --out FOLDER", "cannot write FOLDER: it is a folder"),
        ("records read TEXT", "Missing option '--origin'"),
        ("records read --origin 2011-03-11", "Missing argument"),
        (
            "records fetch 21418 --start 2011-03-1 --end 2011-03-12",
            "--start must be a time such as 2011",
        ),
        ("records fetch 21418 --start 2011-03-11 --end later", "--end must be a time such as 2011"),
        ("records fetch 21/418 --start 2011-03-11 --end 2011-03-12", "station must be letters, digits, _ and -"),
        ("records fetch 21418 --start 2011-03-12 --end 2011-03-11", "start must not be after end"),
        ("records fetch 21418 --start 2011-03-11 --end 2011-03-12 --address ftp://a", "http"),
        (
            "records fetch 21418 --start 2011-03-11 --end 2011-03-12 --address http://127.0.0.1:9",
            "files already on disk can be read without a network",
        ),
        (
            "invert RECORDS --bank BANK --method nnls --window soon",
            "--window must be minutes, first-wave or GAUGE=",
        ),
        ("invert RECORDS --bank BANK --method nnls --window 46404=soon", "GAUGE=either, got '46404=soon'"),
        ("invert RECORDS --bank BANK --method nnls --window ,", "first-wave or GAUGE=either, got ''"),
        (
            "invert RECORDS --bank BANK --method nnls --window 46404=45,60",
            "for all gauges, or one GAUGE=... for each",
        ),
        ("invert RECORDS --bank BANK --method nnls --window 46404=45,first-wave", "or one GAUGE=... for each"),
        ("invert RECORDS --bank BANK --method nnls --window 46404=45,46404=50", "or one GAUGE=... for each"),
        ("invert RECORDS --bank BANK --method nnls --window 46440=45", "unknown gauge '46440' in records"),
        ("invert RECORDS --bank BANK --method nnls --window 46440=first-wave", "unknown gauge '46440' in records"),
        (
            "invert RECORDS --bank BANK --method nnls --window 60 --epicentre 235 47",
            "--epicentre needs a --magnitude, which the records do not name",
        ),
        (
            "invert RECORDS --bank BANK --method nnls --window 60 --epicentre 142 38 --magnitude 8",
            "km from the nearest unit source",
        ),
        (
            "invert RECORDS --bank BANK --method nnls --window 60 --epicentre 235 47 --magnitude 13",
            "magnitude must be between 0 and 10, got 13",
        ),
        ("invert RECORDS --bank BANK --method nnls --stretch", "--stretch and --shifts need --bank and --window"),
        ("invert RECORDS --method nnls --window 60 --half-duration 20", "--half-duration is for the waves of a bank"),
        *(
            (f"invert RECORDS --bank BANK --model cascadia --window 60 {option}", "are for a --method, got --model")
            for option in ("--stretch", "--shifts", "--half-duration 20")
        ),
        ("invert RECORDS --method nnls --window 60 --shifts", "--stretch and --shifts need --bank and --window"),
        ("invert RECORDS --method nnls --window 20 --leave-one-out", "--leave-one-out needs --bank, and no --model"),
        ("invert RECORDS --bank BANK --model cascadia --leave-one-out", "--leave-one-out needs --bank, and no --model"),
        ("invert RECORDS --bank BANK --method nnls --window 60 --gauges 46404 --leave-one-out", "at least two gauges"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(slipcast, files, tmp_path, monkeypatch, line, message):
    monkeypatch.chdir(tmp_path)
    words = {"BANK": "bank.nc", "RECORDS": "records.nc", "TEXT": "46404.txt", "FOLDER": ""}
    check_usage_error(slipcast, line, message, files, words)
