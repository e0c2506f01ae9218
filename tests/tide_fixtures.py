"""A tide by the astronomical arguments of Schureman, and text as NDBC has it: raw records whose parts are known."""

from __future__ import annotations

import numpy as np

ORIGIN = np.datetime64("2011-03-11T05:46:24")
EPICENTRE = (142.4, 38.3)

# how often the hour angle T, and the mean longitudes of moon, sun and lunar perigee count in the argument, its constant
# (degrees), and the coefficient of the tidal potential: Schureman 1940 (US C&GS Special Publication 98, table 2),
# Doodson 1921 (Proc. R. Soc. A 100, 305)
CONSTITUENTS = {
    "M2": (2, -2, 2, 0, 0, 0.90812),
    "S2": (2, 0, 0, 0, 0, 0.42286),
    "N2": (2, -3, 2, 1, 0, 0.17387),
    "K2": (2, 0, 2, 0, 0, 0.11498),
    "K1": (1, 0, 1, 0, -90, 0.53050),
    "O1": (1, -2, 1, 0, 90, 0.37689),
    "P1": (1, 0, -1, 0, 90, 0.17543),
    "Q1": (1, -3, 1, 1, 90, 0.07216),
}


def argument_deg(name: str, time_s: np.ndarray) -> np.ndarray:
    """Return the equilibrium argument of a constituent, by mean longitudes without nodal corrections."""
    days = (ORIGIN - np.datetime64("2000-01-01T12:00:00")) / np.timedelta64(1, "D") + np.asarray(time_s) / 86400.0
    hour_angle = 360.0 * (days + 0.5)
    moon, sun, perigee = (
        at + per_century * days / 36525.0  # Meeus 1998, Astronomical Algorithms, chapters 25 and 47
        for at, per_century in ((218.3165, 481267.8813), (280.4665, 36000.7698), (83.3532, 4069.0137))
    )
    of_t, of_moon, of_sun, of_perigee, constant, _ = CONSTITUENTS[name]
    return of_t * hour_angle + of_moon * moon + of_sun * sun + of_perigee * perigee + constant


def tide_m(time_s, *, share: float = 0.4, lag_deg=(40.0, 110.0), uneven: dict[str, float] | None = None) -> np.ndarray:
    """Return a tide: a share of every coefficient (m), late by an angle a species (once, twice a day)."""
    total = np.zeros(np.shape(time_s))
    for name, (species, *_, coefficient) in CONSTITUENTS.items():
        amplitude = share * coefficient * (uneven or {}).get(name, 1.0)
        total += amplitude * np.cos(np.radians(argument_deg(name, time_s) - lag_deg[species - 1]))
    return total


def ndbc_text(time_s, height_m, kind) -> str:
    """Write samples as NDBC does, the newest first; times in whole seconds after the origin."""
    moments = ORIGIN + np.round(np.asarray(time_s)).astype("timedelta64[s]")
    lines = [
        f"{str(moment).translate(str.maketrans('-T:', '   '))} {each} {height:.3f}\n"
        for moment, height, each in zip(moments, height_m, kind, strict=True)
    ]
    return "#YY  MM DD hh mm ss T   HEIGHT\n" + "".join(lines[::-1])


def wave_m(time_s) -> np.ndarray:
    """Return a first wave with a crest of 0.8 m at 45 min; less than 1 mm before 23 min."""
    minutes = np.asarray(time_s) / 60.0
    return 0.8 * np.exp(-(((minutes - 45.0) / 8.0) ** 2)) - 0.4 * np.exp(-(((minutes - 68.0) / 12.0) ** 2))


def raw_record(seed: int = 1, *, before_h: float = 30.0) -> dict[str, np.ndarray]:
    """Return a raw record, a part at a time: every 15 min, and every minute from an hour before the origin to 4 h."""
    quarters, minutes = np.arange(-before_h * 3600, 6 * 3600, 900.0), np.arange(-3600.0, 4 * 3600, 60.0)
    # a buoy samples at full minutes, the earthquake came 24 s after one
    time_s = np.union1d(quarters, minutes) - 24.0
    kind = np.where(np.isin(time_s + 24.0, minutes), 2, 1)
    rng = np.random.default_rng(seed)
    shaking = np.where((time_s > 300) & (time_s < 720), 0.15 * rng.choice([-1.0, 1.0], time_s.size), 0.0)
    spike = np.where(np.isclose(time_s, 6000.0 - 24.0), 0.5, 0.0)
    noise = 0.001 * rng.standard_normal(time_s.size)
    height = np.round(5662.0 + tide_m(time_s) + wave_m(time_s) + shaking + spike + noise, 3)
    return {"time_s": time_s, "height_m": height, "kind": kind, "spike": spike != 0, "shaking": shaking != 0}
