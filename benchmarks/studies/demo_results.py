"""Scores and figures of a finished demonstration, put into the README and docs/figures.

slipcast demo --out demo && python -m benchmarks.studies.demo_results demo
"""

import argparse
import shutil
from pathlib import Path

from benchmarks.markdown import fill, table
from benchmarks.provenance import ROOT
from slipcast.io.atomic import read_json, write_text

FIGURES = ["overview", "chile_event", "chile_slip", "cascadia_region", "cascadia_history", "cascadia_max_amplitude"]


def scores(methods: dict) -> str:
    """Write the scores of the methods as a Markdown table."""
    header = ["", "slip MSE (m²)", "mean \\|Mw error\\|", "DART fit, median", "explained variance", "R²"]
    rows = []
    for name, score in methods.items():
        mean = score["max_amplitude_mean"]
        numbers = [f"{score['weight_mse_m2']:.1f}", f"{score['magnitude_error']['mean_absolute']:.3f}"]
        numbers += [f"{score['dart_fit']['median']:.2f}", f"{mean['explained_variance']:.2f}", f"{mean['r2']:.2f}"]
        rows.append([name, *numbers])
    return table(header, rows)


def main() -> None:
    """Write README.md again, and copy the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("demo", type=Path, help="folder of the demonstration")
    folder = parser.parse_args().demo
    metrics = read_json(folder / "metrics.json")
    chile = metrics["chile2010"]
    blocks = {
        "scores": scores(metrics["cascadia"]["methods"]),
        "chile": "Chile 2010, DART 32412, damped least squares on unit sources around the epicentre: explained "
        f"variance of the first wave ({chile['first_wave_start_min']:.0f} to {chile['first_wave_end_min']:.0f} minutes)"
        f" **{chile['explained_variance_first_wave']:.2f}**, magnitude **{chile['magnitude']:.2f}** (90 % interval of "
        f"the Gaussian posterior: {chile['gaussian_magnitude_interval_90'][0]:.2f} to "
        f"{chile['gaussian_magnitude_interval_90'][1]:.2f}), real waves slower by {100 * chile['stretch']:.1f} %. "
        "One buoy constrains where the slip was only poorly.",
    }
    readme = ROOT / "README.md"
    write_text(readme, fill(readme.read_text(encoding="utf-8"), blocks))
    for name in FIGURES:
        shutil.copy(folder / "figures" / f"{name}.png", ROOT / "docs" / "figures" / f"{name}.png")
    print(blocks["scores"], blocks["chile"], sep="\n\n")


if __name__ == "__main__":
    main()
