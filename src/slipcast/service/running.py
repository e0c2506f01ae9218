"""Start of the service from models, banks and settings."""

from __future__ import annotations

import ctypes
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from slipcast.errors import InputError
from slipcast.greens.bank import GreensBank
from slipcast.inversion.inverter import check_senses
from slipcast.inversion.least_squares import run_min
from slipcast.inversion.methods import method_named
from slipcast.learning.inverters import model_names, open_posterior
from slipcast.realtime.nowcast import Nowcast
from slipcast.regions.region import Region
from slipcast.service.app import create_app
from slipcast.service.poller import Poller
from slipcast.service.settings import Settings, data_folder, load_token

__all__ = ["Serving", "load_nowcasts", "nowcast_by", "one_memory_pool", "run"]

_ANYWHERE = ("0.0.0.0", "::")
_MOST_CONNECTIONS = 1000
_BACKLOG = 512
_HEADER_BYTES = 64 * 1024

_METHOD = "tikhonov"
_NOISE_SD_M = 0.02  # of a real record against a bank's waves
_M_ARENA_MAX = -8  # of mallopt(3)


def one_memory_pool() -> None:
    """Have all threads take memory from one pool, where the C library is GNU's: with one each, a service grows.

    To be called before there are threads.
    """
    with suppress(OSError, AttributeError, TypeError):  # other systems have none of it
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def load_nowcasts(
    regions: Sequence[str],
    models: Sequence[str],
    banks: Sequence[Path],
    method: str | None = None,
    *,
    hold_first: bool = True,
) -> Mapping[str, Nowcast]:
    """Load regions with the method that answers for each.

    Parameters
    ----------
    regions : sequence of str
        Names; none: those of models and banks.
    models : sequence of str
        Trained posteriors: names of the package, or folders.
    banks : sequence of path
        Banks; each names its region. With a model of its region, forecasts are made with it; without one, slip is
        found with it by ``method``.
    method : str, optional
        By default ``"tikhonov"``.
    hold_first : bool, optional
        Hold results against the first magnitude of the event.

    Returns
    -------
    nowcasts : dict of str to Nowcast
        By region.

    Raises
    ------
    InputError
        If nothing is given, a region has neither model nor bank, one is given twice, or one is for DARTs that do not
        sense pressure.
    """
    opened = [GreensBank.open(path) for path in banks]
    by_region = {bank.region.name: bank for bank in opened}
    if len(by_region) < len(opened):
        raise InputError("--bank must be given once a region")
    posteriors = [open_posterior(name) for name in models]
    by_model = {posterior.region: posterior for posterior in posteriors}
    if len(by_model) < len(posteriors):
        raise InputError("--model must be given once a region")
    names = list(regions) or list(dict.fromkeys([*by_model, *by_region]))
    for name in names:
        if name not in by_model and name not in by_region and name in model_names():
            by_model[name] = open_posterior(name)
    nowcasts = {}
    for name in names:
        model, bank = by_model.get(name), by_region.get(name)
        if model is None and bank is None:
            Region.open(name)  # raises if there is none of this name
            raise InputError(f"region {name} needs a bank (--bank), since the package has no model of it")
        if model is not None:
            nowcasts[name] = Nowcast(model, bank, hold_first)
        elif bank is not None:
            nowcasts[name] = replace(nowcast_by(method, bank), hold_first=hold_first)
    if not nowcasts:
        raise InputError("a service needs a region, a model or a bank, got none")
    for nowcast in nowcasts.values():
        check_senses(nowcast.inverter, dict.fromkeys(nowcast.gauges, "pressure"), of="the live network")
    return nowcasts


def nowcast_by(method: str | None, bank: GreensBank) -> Nowcast:
    """Make a nowcast of a method without a model, for all DARTs of a bank and windows up to their shortest run."""
    name = method or _METHOD
    darts = bank.gauge_names("dart")
    noise_sd_m = None if name == "nnls" else _NOISE_SD_M
    return Nowcast(method_named(name, bank, window_min=run_min(bank, darts), gauges=darts, noise_sd_m=noise_sd_m))


@dataclass(frozen=True)
class Serving:
    """Address and settings of a service.

    Attributes
    ----------
    host, port : str, int
        Address; port 0 is any free one.
    settings : Settings
        Database, token, limits.
    token_source : str
        Where the token is from.
    proxy : str or None
        Address of a reverse proxy.
    ndbc_url : str or None
        Where NDBC's files are; None: they are not asked for.
    poll_s : float
        How often they are.
    """

    host: str
    port: int
    settings: Settings
    token_source: str
    proxy: str | None = None
    ndbc_url: str | None = None
    poll_s: float = 60.0

    @classmethod
    def at(
        cls,
        host: str,
        port: int,
        *,
        database: str | None,
        token_file: Path | None,
        private: bool,
        hosts: Sequence[str],
        proxy: str | None,
        ndbc_url: str | None,
        poll_s: float,
    ) -> Serving:
        """Fill in defaults; InputError if there is no token."""
        folder = data_folder()
        token, source = load_token(token_file, folder / "token")
        names = (*Settings.hosts, host, *(name.lower() for name in hosts))
        settings = Settings(
            database=database or f"sqlite:///{folder / 'watch.sqlite'}",
            token=token,
            private=private,
            # asked for at all addresses of a machine, its names are not known unless they are told
            hosts=() if host in _ANYWHERE and not hosts else tuple(dict.fromkeys(names)),
        )
        return cls(host, port, settings, source, proxy, ndbc_url, poll_s)


def run(serving: Serving, nowcasts: Mapping[str, Nowcast], *, ready: Callable[[str], None]) -> None:
    """Run a service until it is stopped.

    Parameters
    ----------
    serving : Serving
        Where and how.
    nowcasts : mapping of str to Nowcast
        By region.
    ready : callable
        Called with the address once it listens.

    Raises
    ------
    InputError
        If the address is taken or not this machine's, or the database cannot be opened.
    """
    import uvicorn

    try:
        family = socket.AF_INET6 if ":" in serving.host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((serving.host, serving.port))
        listener.listen(_BACKLOG)  # from here on a client waits, and is not turned away
    except OSError as error:
        raise InputError(f"cannot listen at {serving.host} port {serving.port}: {error.strerror}") from error
    poller = None if serving.ndbc_url is None else Poller(serving.ndbc_url, every_s=serving.poll_s)
    app = create_app(serving.settings, nowcasts, poller=poller)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=serving.proxy is not None,
        forwarded_allow_ips=serving.proxy,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=3,
        limit_concurrency=_MOST_CONNECTIONS,
        ws="none",
        http="h11",  # the faster parser has no limit on the length of headers
        h11_max_incomplete_event_size=_HEADER_BYTES,
    )
    name = f"[{serving.host}]" if ":" in serving.host else serving.host
    ready(f"http://{name}:{listener.getsockname()[1]}/")
    uvicorn.Server(config).run(sockets=[listener])
