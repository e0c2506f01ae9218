"""Do first waves lose energy over the open ocean? Maxima far away with the decay of banks and with more of it.

    python -m benchmarks.events.far_decay benchmarks/events/* --raw ../shared/events --banks runs/event-banks

In a bank what follows the first wave falls as exp(-t / 2T), with the time T in which the energy of whole tsunamis falls
in the Pacific, measured on waves that have met coasts many times. Here the responses of the same bank fall so from the
origin on, the first wave too. Buoys that a wave reaches four hours after the origin or later are forecast from those
that it reached before.
The table goes to docs/benchmarks/far_decay.json; some minutes on one core.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.events.cases import Case
from benchmarks.events.event import Event, read_event_records
from benchmarks.events.prediction import method_prediction
from benchmarks.events.waves import FirstWave, first_waves
from benchmarks.markdown import Rows
from benchmarks.provenance import ROOT, source_files, tables, write_compact
from slipcast.errors import SlipcastWarning
from slipcast.forecasting.wave_fit import fit_waves
from slipcast.greens.bank import GreensBank
from slipcast.greens.reciprocity import gauges_at_sea
from slipcast.physics.bathymetry import Bathymetry
from slipcast.physics.dissipation import left_after_arrival
from slipcast.physics.travel_paths import TravelPaths

FAR_S = 4 * 3600.0
METHODS = ("tikhonov", "mixture")
FIRST_KEPT, FIRST_TOO = "after the first wave, as in banks", "of the first wave, too"
COMMAND = "python -m benchmarks.events.far_decay benchmarks/events/* --raw EVENTS --banks runs/event-banks"


def code(root: Path = ROOT) -> list[Path]:
    """Return the files on which the table depends."""
    return source_files("benchmarks/events/far_decay.py", root=root)


def decaying_from_origin(bank: GreensBank) -> GreensBank:
    """Return a bank in which first waves decay as those do that follow them."""
    subfaults, response = bank.subfaults, bank.dataset["response"].to_numpy().copy()
    from_origin = left_after_arrival(bank.time_s, 0.0)[:, np.newaxis]
    for _, grid_waves, stencils in gauges_at_sea(bank.region, Bathymetry.etopo1(), min_depth_m=10.0, elastic=True):
        paths = TravelPaths(grid_waves)
        for gauge, stencil in stencils.items():
            arrival_s = paths.means(stencil, subfaults.lon_deg, subfaults.lat_deg).travel_time_s
            response[bank.gauges.index(gauge)] *= from_origin / left_after_arrival(bank.time_s, arrival_s)
    series = {name: rows[np.isfinite(rows[:, 0])] for name, rows in zip(bank.gauges, response, strict=True)}
    return GreensBank.from_series(bank.region, series, depths_m=bank.gauge_depth_m)


def case_of(waves: Sequence[FirstWave]) -> Case | None:
    """Return the case in which far buoys are forecast from those before; None where an event has none of either."""
    near = [wave for wave in waves if wave.end_s < FAR_S]
    far = [wave.gauge for wave in waves if wave.start_s >= FAR_S]
    if not near or not far:
        return None
    names = tuple(wave.gauge for wave in near)
    return Case("far buoys", "left out", {wave.gauge: wave.end_min for wave in near}, names, tuple(far))


def main(argv: Sequence[str] | None = None) -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("events", nargs="+", type=Path)
    parser.add_argument("--raw", type=Path)
    parser.add_argument("--banks", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks" / "far_decay.json")
    given = parser.parse_args(argv)
    warnings.simplefilter("ignore", SlipcastWarning)
    rows = Rows("event", "far buoys", "method", "decay", "ln of modelled over recorded maxima", "explained variance")
    for folder in given.events:
        if not (folder / "event.toml").exists():
            continue
        event = Event.open(folder)
        if not event.interface:
            continue
        records, _ = read_event_records(event, given.raw)
        bank = GreensBank.open(given.banks / f"{event.name}.nc")
        waves = {wave.gauge: wave for wave in first_waves(records)[0] if wave.gauge in bank.gauges}
        if (case := case_of(list(waves.values()))) is None:
            continue
        from_origin = decaying_from_origin(bank)
        for method in METHODS:
            for name, of in ((FIRST_KEPT, bank), (FIRST_TOO, from_origin)):
                made = method_prediction(event, records, of, waves, case, method).made
                fits = [
                    fit
                    for gauge in case.held_out
                    for fit in fit_waves(records, made[gauge], used=case.used)
                    if fit.gauge == gauge
                ]
                ratios = ", ".join(f"{np.log(fit.modelled_m / fit.observed_m):+.2f}" for fit in fits)
                explained = ", ".join(f"{fit.explained_variance:.2f}" for fit in fits)
                rows.add(event.title, ", ".join(case.held_out), method, name, ratios, explained)
    write_compact(given.out, tables({"far_decay": rows.results()}, COMMAND, code()))


if __name__ == "__main__":
    main()
