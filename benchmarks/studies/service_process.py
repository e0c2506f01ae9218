"""A service in a process of its own, for the scripts that try it hard; loopback alone."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path

TOKEN = secrets.token_urlsafe(24)
HEADERS = {"authorization": f"Bearer {TOKEN}"}
READY_S = 120.0


class Service:
    """``slipcast serve`` on a free port.

    Parameters
    ----------
    folder : path
        For the token, the log, and the database unless another is given.
    database : str, optional
        URL.
    more : str
        Other options of the command.
    """

    def __init__(self, folder: Path, database: str | None = None, *more: str):
        token = folder / "token"
        if not token.exists():
            token.touch(0o600)
            token.write_text(TOKEN)
        self.database = database or f"sqlite:///{folder / 'watch.sqlite'}"
        command = [sys.executable, "-m", "slipcast", "serve", "--port", "0", "--token-file", str(token)]
        self.log = folder / "log"
        with open(self.log, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [*command, "--database", self.database, *more],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )
        line = self.process.stdout.readline() if self.process.stdout else ""
        if " at " not in line:
            raise RuntimeError(f"the service did not start: {self.log.read_text(encoding='utf-8')[-500:]}")
        self.address = line.rsplit(" at ", 1)[1].strip().rstrip("/")

    @property
    def memory_mb(self) -> float:
        """Resident memory, MB."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        return float("nan")

    @property
    def cpu_s(self) -> float:
        """Processor time used so far, s."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self) -> None:
        """End it at once, as a power cut of the process would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """End it in order."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
