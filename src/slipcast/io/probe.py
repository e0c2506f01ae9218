"""Trial reading of a netCDF file in a process of its own, since damage can bring the netCDF library down.

Run as a script, without importing the package: so it begins fast.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

__all__ = ["bears_reading", "unreadable_rows"]

_MEMORY_BYTES = 4 << 30
# a byte of a compressed file cannot tell of more than this
_MOST_PER_BYTE = 1100
_LARGE_BYTES, _LARGE_COUNT = 64 << 20, 1 << 20
_SECONDS, _BYTES_PER_S = 60.0, 20e6


def bears_reading(path: Path, *, whole: bool = True) -> bool:
    """Tell whether the netCDF library reads a file without an error, a crash, or an end of time or memory.

    Parameters
    ----------
    path : path
        A file that may be damaged.
    whole : bool, optional
        Whether variables of over a million values are read, too; else their first value.

    Returns
    -------
    bears : bool
        True also where no other process can be started.
    """
    return not sys.executable or _run_apart(path, "whole" if whole else "begin") is not None


def unreadable_rows(path: Path, variable: str, labels: str) -> list[str]:
    """Find the rows of a variable of a damaged file that cannot be read, though their labels can.

    Parameters
    ----------
    path : path
        A file.
    variable, labels : str
        Names of a variable, and of that which names its rows.

    Returns
    -------
    rows : list of str
        Empty if the damage is elsewhere, or brings the library down.
    """
    found = _run_apart(path, "rows", variable, labels) if sys.executable and path.is_file() else None
    return json.loads(found) if found else []


def _run_apart(path: Path, *arguments: str) -> str | None:
    """Return what this file says as a script; None where it ends in an error, a crash or not in time."""
    command = [sys.executable, "-P", str(Path(__file__)), str(path.absolute()), *arguments]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}
    timeout_s = _patience_s(path.stat().st_size)
    try:
        done = subprocess.run(
            command,
            env=environment,
            timeout=timeout_s,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return None
    return done.stdout.decode("ascii") if done.returncode == 0 else None


def _patience_s(file_bytes: int) -> float:
    """Return for how long a file may be read, s."""
    return _SECONDS + file_bytes / _BYTES_PER_S


def _bound_process(file_bytes: int) -> None:
    """Bound memory and time of this process, and leave no core, where the system can: who waits may be gone."""
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES + 8 * file_bytes,) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (int(_patience_s(file_bytes)) + 1,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _read(path: str, whole: bool) -> None:
    """Read attributes and numbers of a file; what fails raises, or ends the process."""
    import netCDF4

    most = max(_LARGE_BYTES, _MOST_PER_BYTE * os.stat(path).st_size)
    with netCDF4.Dataset(path) as file:
        file.set_auto_mask(False)
        for name in file.ncattrs():
            file.getncattr(name)
        for variable in file.variables.values():
            for name in variable.ncattrs():
                variable.getncattr(name)
            variable.filters()
            variable.chunking()
            count = 1
            for size in variable.shape:
                count *= size
            if not whole and count > _LARGE_COUNT:
                variable[(0,) * variable.ndim]
                continue
            if count * (8 if variable.dtype is str else variable.dtype.itemsize) > most:
                raise MemoryError(variable.name)
            variable[...]


def _unreadable(path: str, variable: str, labels: str) -> list[str]:
    """Return the labels of rows that cannot be read."""
    import netCDF4

    lost = []
    with netCDF4.Dataset(path) as file:
        for index, label in enumerate([str(each) for each in file[labels][:]]):
            try:
                file[variable][index]
            except (OSError, RuntimeError):
                lost.append(label)
    return lost


def _main(path: str, what: str, *names: str) -> None:
    """Do what is asked for, in the process of its own."""
    _bound_process(os.stat(path).st_size)
    if what == "rows":
        sys.stdout.write(json.dumps(_unreadable(path, *names)))
    else:
        _read(path, what == "whole")


if __name__ == "__main__":
    _main(*sys.argv[1:])
