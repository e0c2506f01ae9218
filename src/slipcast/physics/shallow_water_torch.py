"""The steps of the long-wave solver on a GPU, by PyTorch: the same scheme, several gauges in one run.

The whole grid takes every step. On a CUDA device the steps of an interval are recorded once and replayed as one graph,
so that the many small kernels cost no launches. Elsewhere the compiled solver is faster; this one runs there for tests.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from slipcast.errors import InputError
from slipcast.physics.dissipation import CoastLoss, FrictionLoss
from slipcast.physics.projection import Projection
from slipcast.physics.shallow_water import GaugeStencil, LongWaves
from slipcast.physics.uplift_map import UpliftMap

__all__ = ["TorchLongWaves", "device_named", "responses"]

_SNAPSHOTS = 60  # waves are projected onto subfaults this many samples at a time


def device_named(name: str) -> torch.device:
    """Return a device; InputError where there is none of the name.

    Parameters
    ----------
    name : {"cpu", "cuda", "cuda:0", ...}
        As PyTorch names it.
    """
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(f"device must be cpu or cuda, got {name!r}") from error
    if device.type not in ("cpu", "cuda"):
        raise InputError(f"device must be cpu or cuda, got {name!r}")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(f"device {name} is not there: PyTorch finds {torch.cuda.device_count()} CUDA devices")
    return device


class TorchLongWaves:
    """Long waves of several starts at a time, on a device.

    Parameters
    ----------
    waves : LongWaves
        The grid, its sea floor and its type of numbers.
    device : torch.device
        Where the steps are taken.
    """

    def __init__(self, waves: LongWaves, device: torch.device):
        self.waves = waves
        self.device = device

    def propagate(self, sea_level_m: np.ndarray, *, interval_s: float, count: int) -> Iterator[torch.Tensor]:
        """Follow waves from initial sea levels at rest.

        Parameters
        ----------
        sea_level_m : array, shape (n_starts, shape of the grid)
            Initial sea levels, m; on land they are ignored.
        interval_s : float
            Time between the states given, s.
        count : int
            Number of intervals.

        Yields
        ------
        sea_level_m : tensor, shape (n_starts, shape of the grid)
            At 0, 1, ..., count intervals; the next step overwrites it.
        """
        waves = self.waves
        per_interval = waves.steps_per(interval_s)
        factors, damping = waves._factors(interval_s / per_interval)
        losses = waves._losses(interval_s / per_interval)
        m_factor, n_factor, eta_m, eta_n = (self._tensor(values) for values in factors)
        eta = self._tensor(np.where(waves.wet, sea_level_m, 0.0).astype(waves.dtype))
        starting = self._tensor(waves._starting(eta.cpu().numpy(), losses))
        starts, rows, columns = eta.shape
        m = torch.zeros((starts, rows, columns + 1), dtype=eta.dtype, device=self.device)
        n = torch.zeros((starts, rows + 1, columns), dtype=eta.dtype, device=self.device)
        m[..., 1:-1] = m_factor[:, 1:-1] * (starting[..., 1:] - starting[..., :-1]) / 2
        n[:, 1:-1] = n_factor[1:-1] * (starting[:, 1:] - starting[:, :-1]) / 2
        margins = self._margins((eta, m, n), damping)
        rubbed, beside_land = self._rubbed(m, n, losses.friction), self._beside_land(eta, losses.coast)
        east_west, south_north = torch.empty_like(eta[..., 1:]), torch.empty_like(eta[:, 1:])
        out = torch.empty_like(eta)
        m_inner, n_inner = m[..., 1:-1], n[:, 1:-1]
        m_factor, n_factor = m_factor[:, 1:-1].contiguous(), n_factor[1:-1].contiguous()
        eta_m, eta_n = eta_m[:, None], eta_n[:, None]

        def interval() -> None:
            for _ in range(per_interval):
                torch.sub(eta[..., 1:], eta[..., :-1], out=east_west)
                m_inner.addcmul_(m_factor, east_west, value=-1)
                torch.sub(eta[:, 1:], eta[:, :-1], out=south_north)
                n_inner.addcmul_(n_factor, south_north, value=-1)
                for flat, at, before, _ in beside_land:
                    flat.index_copy_(1, at, flat.index_select(1, at).mul_(before))
                torch.sub(m[..., 1:], m[..., :-1], out=out)
                eta.addcmul_(eta_m, out, value=-1)
                torch.sub(n[:, 1:], n[:, :-1], out=out)
                eta.addcmul_(eta_n, out, value=-1)
                for flat, at, _, after in beside_land:
                    flat.index_copy_(1, at, flat.index_select(1, at).mul_(after))
                for strip, left in margins:
                    strip.mul_(left)
                for flat, at, left in rubbed:
                    flat.index_copy_(1, at, flat.index_select(1, at).mul_(left))

        advance = self._recorded(interval, (eta, m, n)) if self.device.type == "cuda" else interval
        yield eta
        for k in range(count):
            advance()
            left = waves.left_after((k + 1) * interval_s)
            yield eta if left == 1 else eta * left

    def _rubbed(self, m: torch.Tensor, n: torch.Tensor, friction: FrictionLoss) -> list[tuple]:
        """Pair the transports that friction damps with what a step leaves of them."""
        pairs = []
        for field, left in ((m, friction.west), (n, friction.south)):
            rows, columns = np.nonzero(left < 1)
            if rows.size:
                at = torch.from_numpy(rows * field.shape[2] + columns).to(self.device)
                pairs.append((field.view(field.shape[0], -1), at, self._tensor(left[rows, columns])))
        return pairs

    def _beside_land(self, eta: torch.Tensor, coast: CoastLoss) -> list[tuple]:
        """Pair the cells beside land with the factors of their sea level before and after the flow of a step."""
        if not coast.columns.size:
            return []
        at = torch.from_numpy(coast.rows * eta.shape[2] + coast.columns).to(self.device)
        return [(eta.view(eta.shape[0], -1), at, self._tensor(coast.before), self._tensor(coast.after))]

    def _margins(self, fields: Sequence[torch.Tensor], damping: Sequence[np.ndarray]) -> list[tuple]:
        """Pair the strips of the fields that a step damps with what it leaves of them."""
        eta, m, n = fields
        damp_row, damp_column, damp_m, damp_n = damping
        width = self.waves._margin_cells
        strips: list[tuple] = []
        if width:
            n_rows = np.append(damp_n[:-1], 1.0).astype(damp_n.dtype)  # as the compiled kernel, which damps by cells
            for field, by_row, by_column in (
                (eta, damp_row, damp_column),
                (m, damp_row, damp_m),
                (n, n_rows, damp_column),
            ):
                for axis, left in ((1, by_row), (2, by_column)):
                    for part in (slice(0, width + 1), slice(left.size - width - 1, left.size)):
                        index = (slice(None), part) if axis == 1 else (slice(None), slice(None), part)
                        shape = (-1, 1) if axis == 1 else (-1,)
                        strips.append((field[index], self._tensor(left[part]).reshape(shape)))
        return strips

    def _recorded(self, interval, fields: Sequence[torch.Tensor]):
        """Record the steps of an interval as a CUDA graph; the fields are left as they were."""
        kept = [field.clone() for field in fields]
        stream = torch.cuda.Stream(self.device)
        stream.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(stream):  # once before it is recorded, as CUDA wants it
            interval()
        torch.cuda.current_stream(self.device).wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            interval()
        for field, values in zip(fields, kept, strict=True):
            field.copy_(values)
        return graph.replay

    def gauge_sensitivities(
        self, gauges: Sequence[GaugeStencil], *, interval_s: float, count: int, box
    ) -> Iterator[torch.Tensor]:
        """Compute the responses of gauges to a unit in every cell of a box (one reciprocal run for all).

        Parameters
        ----------
        gauges : sequence of GaugeStencil
            From :meth:`LongWaves.stencil`.
        interval_s, count, box
            As in :meth:`LongWaves.gauge_sensitivity`.

        Yields
        ------
        sensitivity : tensor, shape (n_gauges, shape of the box)
            Sea level at each gauge, m, at 0, 1, ... intervals after 1 m in that cell alone; zero on land.
        """
        units, ratios = zip(*(self.waves.gauge_unit(gauge) for gauge in gauges), strict=True)
        ratio = self._tensor(np.stack(ratios)[:, box.slices[0], np.newaxis].astype(self.waves.dtype))
        for eta in self.propagate(np.stack(units), interval_s=interval_s, count=count):
            yield eta[:, *box.slices] * ratio

    def _tensor(self, values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.device)


class _UpliftOnDevice:
    """The transpose of an uplift map on a device."""

    def __init__(self, uplift: UpliftMap, dtype: torch.dtype, device: torch.device):
        def put(values: np.ndarray) -> torch.Tensor:
            return torch.from_numpy(np.ascontiguousarray(values)).to(device=device, dtype=dtype)

        self.n_subfaults = uplift.n_subfaults
        self.wet = put(uplift.wet)
        self.levels = [
            (
                [(patch.nodes, patch.subfaults, put(patch.uplift)) for patch in level.patches],
                None if level.interpolation is None else (put(level.interpolation[0].T), put(level.interpolation[1])),
            )
            for level in uplift.levels
        ]

    def adjoint(self, fields: torch.Tensor) -> torch.Tensor:
        """As :meth:`UpliftMap.adjoint`."""
        fields = fields * self.wet
        out = torch.zeros((len(fields), self.n_subfaults), dtype=fields.dtype, device=fields.device)
        for patches, restriction in self.levels:
            for nodes, subfaults, uplift in patches:
                out[:, subfaults] += fields[:, *nodes].reshape(len(fields), -1) @ uplift
            if restriction is not None:
                fields = restriction[0] @ fields @ restriction[1]
        return out


def responses(
    projection: Projection,
    gauges: Sequence[GaugeStencil],
    *,
    interval_s: float,
    count: int,
    device: torch.device,
) -> np.ndarray:
    """Compute sea level at gauges per metre of slip on each subfault, by one reciprocal run for all of them.

    Parameters
    ----------
    projection : Projection
        The grid and the uplift by subfaults.
    gauges : sequence of GaugeStencil
        From :meth:`LongWaves.stencil`.
    interval_s : float
        Sampling interval, s.
    count : int
        Number of intervals.
    device : torch.device
        Of :func:`device_named`.

    Returns
    -------
    responses : array, shape (n_gauges, count + 1, n_subfaults)
        m per m, float32, from time zero.
    """
    waves = TorchLongWaves(projection.waves, device)
    states = waves.gauge_sensitivities(gauges, interval_s=interval_s, count=count, box=projection.box)
    out = np.empty((len(gauges), count + 1, projection.uplift.n_subfaults), np.float32)
    uplift: _UpliftOnDevice | None = None
    held: list[torch.Tensor] = []
    for k, state in enumerate(states):
        uplift = uplift or _UpliftOnDevice(projection.uplift, state.dtype, device)
        if projection.smooth:  # by Fourier transforms on the host
            smoothed = np.stack([projection.smooth(each) for each in state.cpu().numpy()])
            state = torch.from_numpy(smoothed).to(device)
        held.append(state)
        if len(held) == _SNAPSHOTS or k == count:
            first = k + 1 - len(held)
            for number in range(len(gauges)):  # a gauge at a time, for the memory of the device
                fields = torch.stack([each[number] for each in held])
                out[number, first : k + 1] = uplift.adjoint(fields).cpu().numpy()
            held.clear()
    return out
