"""Scenario sets of any size, drawn in blocks by several processes."""

from __future__ import annotations

import os
import re
import uuid
from contextlib import closing
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr

from slipcast.errors import InputError
from slipcast.greens.bank import GreensBank
from slipcast.io.atomic import atomic_path, check_target, put_in_place, read_json, remove, write_error, write_json
from slipcast.io.lock import lock, parts_folder
from slipcast.io.seal import Checksum, checksum
from slipcast.io.zarr import labelled_zarr, seal_zarr
from slipcast.parallel.executor import run_tasks, worker_count
from slipcast.parallel.progress import Progress
from slipcast.parallel.threads import single_threaded
from slipcast.physics.ruptures import RuptureGenerator, RuptureSettings
from slipcast.scenarios.kinematics import KinematicResponse
from slipcast.scenarios.scenario_set import (
    BATCH,
    ScenarioSet,
    assemble,
    check_count,
    draw_ruptures,
    per_scenario,
    scenario_set_id,
    split_codes,
)

__all__ = ["write_scenarios"]

_CHUNK_BYTES = 4e6
# a process takes seconds to begin, as long as some tens of blocks
_BLOCKS_EACH = 32
# blocks that a process has been given: one in work, and enough while this one is busy with its own
_AHEAD = 3
_SET, _DONE, _MARK = "set.zarr", "done", "mark"
_IDENTITY = re.compile("[0-9a-f]{16}")


def write_scenarios(
    bank: GreensBank,
    out: str | os.PathLike,
    *,
    count: int,
    seed: int,
    settings: RuptureSettings | None = None,
    workers: int | None = 1,
    scheduler: str | None = None,
    progress: Progress | None = None,
) -> ScenarioSet:
    """Draw ruptures, compute their records and write them as a scenario set, in bounded memory.

    Parameters
    ----------
    bank : GreensBank
        Of a region on the plate interface.
    out : path
        The set. Until it is whole, what is done is kept in a folder beside it, named ``out`` and ``.parts``; the same
        call resumes with that after a kill.
    count, seed, settings
        As in :meth:`slipcast.scenarios.scenario_set.ScenarioSet.build`, which makes the same scenarios in memory.
    workers : int, optional
        Processes, each with a copy of the bank; None is one per core, fewer where there is little to do. The files do
        not depend on it. With more than one, a script needs ``if __name__ == "__main__":``.
    scheduler : str, optional
        Address of a Dask scheduler, on whose workers scenarios are drawn; written there where the folder is seen, else
        here.
    progress : callable, optional
        Called with scenarios done, their total and an empty note.

    Returns
    -------
    scenarios : ScenarioSet
        Opened; its large arrays are read when used.

    Raises
    ------
    InputError
        If a number is out of range, the set cannot be written, another process writes it, no scheduler answers, or
        workers cannot start.

    Warns
    -----
    SlipcastWarning
        If a process is killed; the others do its blocks.
    """
    check_count(count, seed)
    wanted = worker_count(workers)
    if workers is None:
        wanted = min(wanted, -(-count // (_BLOCKS_EACH * BATCH)))
    check_target(out, folder=True)
    settings = settings or RuptureSettings()
    with lock(parts_folder(out)) as parts:
        identity = scenario_set_id(bank, seed, count, settings)
        work = _Work(parts / identity, bank.dataset, settings, seed, count)
        try:
            _begin(work, bank, identity)
            _write_missing(work, wanted, scheduler, progress)
            _finish(work, Path(out))
            for path in parts.iterdir():
                if _IDENTITY.fullmatch(path.name):
                    remove(path)
        except OSError as error:
            raise write_error(Path(out), error) from error
    return ScenarioSet.open(out)


@dataclass(frozen=True)
class _Work:
    """Scenarios to be written into a folder, block by block; any process can write any of them.

    A block is a batch of scenarios and a chunk of every array, so no two blocks share a file. One that is done has a
    file with the size and the checksum of each of its chunks. By its mark, another machine tells whether the folder
    that it sees there is this one.
    """

    folder: Path
    responses: xr.Dataset
    settings: RuptureSettings
    seed: int
    count: int
    mark: str = ""

    @cached_property
    def _bank(self) -> GreensBank:
        return GreensBank(self.responses)

    @cached_property
    def _generator(self) -> RuptureGenerator:
        return RuptureGenerator(self._bank.subfaults, self.settings)

    @cached_property
    def _response(self) -> KinematicResponse:
        return KinematicResponse.of(self._bank)

    def __reduce__(self):
        """Return what is sent to another process: not what was made of it here."""
        return _Work, tuple(getattr(self, each.name) for each in fields(self))

    def marked(self) -> _Work:
        """Return the same, to be sent to another machine, with a mark that is in the folder, too."""
        marked = replace(self, mark=uuid.uuid4().hex)
        (self.folder / _MARK).write_text(marked.mark, encoding="ascii")
        return marked

    def is_here(self) -> bool:
        """Whether the marked folder is visible and writable from this machine."""
        try:
            return (self.folder / _MARK).read_text(encoding="ascii") == self.mark and os.access(self.store, os.W_OK)
        except OSError:
            return False

    @property
    def store(self) -> Path:
        """The set as far as it is done."""
        return self.folder / _SET

    @cached_property
    def _arrays(self) -> dict[str, Any]:
        """What there is of every scenario."""
        return {name: array for name, array in _long_arrays(self.store).items() if name != "split"}

    @property
    def n_blocks(self) -> int:
        return -(-self.count // BATCH)

    def numbers(self, block: int) -> range:
        """Return the numbers of the scenarios of a block."""
        return range(block * BATCH, min((block + 1) * BATCH, self.count))

    def write(self, block: int) -> int:
        """Draw and write a block; return its number of scenarios."""
        return self.put(block, self.draw(block))

    def draw(self, block: int) -> dict[str, np.ndarray]:
        """Draw a block of scenarios."""
        # on one thread: the other cores have blocks of their own
        with single_threaded(blas_alone=True):
            drawn = draw_ruptures(self._response, self._generator, self.seed, self.numbers(block))
            return {name: variable.to_numpy() for name, variable in per_scenario(self._bank, *drawn).items()}

    def put(self, block: int, drawn: dict[str, np.ndarray]) -> int:
        """Write a block of drawn scenarios."""
        numbers = self.numbers(block)
        for name, array in self._arrays.items():
            array[numbers.start : numbers.stop] = drawn[name]
        write_json(self._note(block), self._checksums(block))
        return len(numbers)

    def is_whole(self, block: int) -> bool:
        """Whether a block is complete on the disk."""
        try:
            return read_json(self._note(block)) == self._checksums(block)
        except (InputError, OSError):
            return False

    def _note(self, block: int) -> Path:
        return self.folder / _DONE / f"{block}.json"

    def _checksums(self, block: int) -> dict[str, Checksum]:
        """Return the size and the CRC-32 of every chunk of a block; one of fill values alone has no file."""
        found = {}
        for name, array in self._arrays.items():
            for index in product(*(range(number) for number in array.cdata_shape[1:])):
                chunk = self.store / name / ".".join(str(i) for i in (block, *index))
                if chunk.is_file():
                    found[f"{name}/{chunk.name}"] = checksum(chunk.read_bytes())
        return found


def _long_arrays(store: Path) -> dict[str, Any]:
    """Open the arrays of a set that have a row for every scenario."""
    arrays = dict(zarr.open_group(store, mode="r+", zarr_format=2, use_consolidated=False).arrays())
    dims: dict[str, Any] = {name: array.attrs["_ARRAY_DIMENSIONS"] for name, array in arrays.items()}
    return {name: arrays[name] for name in sorted(arrays) if "scenario" in dims[name]}


def _begin(work: _Work, bank: GreensBank, identity: str) -> None:
    """Make the set without its scenarios, unless it is there."""
    if work.store.is_dir():
        return
    remove(work.folder)
    # all labels and attributes come from a set of one scenario, which is then made longer
    numbers = range(1)
    first = assemble(
        bank,
        *draw_ruptures(work._response, work._generator, work.seed, numbers),
        work.seed,
        work.settings,
    ).assign_attrs(id=identity)
    gauges = max(1, min(first.sizes["gauge"], int(_CHUNK_BYTES / (4 * BATCH * first.sizes["time"]))))
    chunks = {"scenario": BATCH, "gauge": gauges}
    long = [str(name) for name, variable in first.variables.items() if "scenario" in variable.dims]
    encoding: dict[str, dict[str, Any]] = {
        name: {"chunks": tuple(chunks.get(str(dim), first.sizes[dim]) for dim in first[name].dims)} for name in long
    }
    encoding["split"] = {"chunks": (work.count,)}
    with atomic_path(work.store) as temporary:
        labelled_zarr(first, temporary, "scenarios", encoding=encoding)
        for name, array in _long_arrays(temporary).items():
            array.resize((work.count, *array.shape[1:]))
            if name == "split":
                array[:] = split_codes(work.count, work.seed)


def _write_missing(work: _Work, workers: int, scheduler: str | None, progress: Progress | None) -> None:
    """Write the blocks that are not there."""
    missing = [block for block in range(work.n_blocks) if not work.is_whole(block)]
    done = work.count - sum(len(work.numbers(block)) for block in missing)
    if progress and done:
        progress(done, work.count, "")
    here = scheduler is None
    shared = work if here else work.marked()
    writing = run_tasks(
        _write if here else _write_or_draw,
        ((shared, block) for block in missing),
        kind="processes",
        workers=workers,
        scheduler=scheduler,
        ahead=_AHEAD,
        take_part=True,
    )
    with closing(writing):
        for block, drawn in writing:
            done += drawn if isinstance(drawn, int) else work.put(block, drawn)
            if progress:
                progress(done, work.count, "")


def _write(work: _Work, block: int) -> int:
    """Write a block, and return how many scenarios it has."""
    return work.write(block)


def _write_or_draw(work: _Work, block: int) -> int | dict[str, np.ndarray]:
    """Write a block where its folder is seen, and return how many scenarios it has; return what was drawn elsewhere."""
    return work.write(block) if work.is_here() else work.draw(block)


def _finish(work: _Work, out: Path) -> None:
    """Put a set whose blocks are all there in its place."""
    for path in work.store.rglob("*.partial"):  # chunks that a process which was killed left half-written
        remove(path)
    zarr.consolidate_metadata(work.store, zarr_format=2)
    known: dict[str, Checksum] = {}
    for block in range(work.n_blocks):
        known |= read_json(work._note(block))
    seal_zarr(work.store, known)
    put_in_place(work.store, out)
