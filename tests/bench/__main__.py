"""Figures of this machine: ``python -m tests.bench [NAME…] [--runs 5] [--quick]``.

Nothing here fails on a clock: it prints, and a session of all measures writes RESULTS.md.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
import time
import traceback
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from deployments.settings import Settings, variable_of
from tests.bench.environment import environment, is_busy
from tests.bench.figures import Sample, short
from tests.bench.house import House, free_ports, new_home
from tests.bench.measures import MEASURES, Measure, Options
from tests.bench.report import RESULTS, markdown, table, text_table
from tests.bench.usage import cpu_lines, cpu_s


class Session:
    """Measures one after the other, each on the stack that it wants.

    Args:
        home: POTOK_HOME of the stack.
        options: how much is done.
        shows_cpu: print the CPU time of each process for every run.
    """

    def __init__(self, home: Path, options: Options, *, shows_cpu: bool) -> None:
        self.samples: dict[str, list[Sample]] = {}
        self.failures: dict[str, str] = {}
        self._home = home
        self._ports = free_ports()
        self._house: House | None = None
        self._options = options
        self._shows_cpu = shows_cpu

    async def take(self, measures: list[Measure], runs: int) -> None:
        """Take the measures; one that fails is told, and the others go on."""
        async with AsyncExitStack() as up:
            for measure in measures:
                try:
                    runs_of_it = 1 if measure.is_taken_once else runs
                    for number in range(1, runs_of_it + 1):
                        house = await self._house_for(measure, up)
                        _show(f"\n{measure.name}, run {number} of {runs_of_it}")
                        await self._one(measure, house)
                except Exception as exc:  # noqa: BLE001 — told at the end, and by the exit code
                    traceback.print_exc()
                    self.failures[measure.name] = f"{type(exc).__name__}: {exc}"

    async def _house_for(self, measure: Measure, up: AsyncExitStack) -> House:
        house = self._house
        if house is None or measure.wants_fresh or house.limit != measure.limit:
            self._house = None
            await up.aclose()
            house = House(self._home, self._ports, measure.limit)
            self._house = await up.enter_async_context(house)
        return house

    async def _one(self, measure: Measure, house: House) -> None:
        take = measure.load()
        before, began = cpu_s(house.stack), time.monotonic()
        sample = await take(house, self._options)
        if self._shows_cpu:
            lines = cpu_lines(before, cpu_s(house.stack), time.monotonic() - began)
            sample.notes += ["CPU time:", *lines]
        self.samples.setdefault(measure.name, []).append(sample)
        for line in sample.notes:
            _show(f"  {line}")
        for key, value in sample.figures.items():
            _show(f"  {key} = {short(value)}")


def arguments() -> argparse.Namespace:
    """The command line."""
    names = [measure.name for measure in MEASURES]
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}; or all")
    parser.add_argument("--runs", type=int, default=5, help="of each measure")
    parser.add_argument("--quick", action="store_true", help="less of everything")
    parser.add_argument("--cpu", action="store_true", help="CPU time of each process")
    parser.add_argument("--home", type=Path, help="a POTOK_HOME to keep and use again")
    parser.add_argument("--out", type=Path, help="where to write; all measures: RESULTS.md")
    given = parser.parse_args()
    if unknown := set(given.names) - set(names):
        parser.error(f"no measure {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    return given


def main() -> int:
    """Measure, print, write; 1 when a measure did not end."""
    given = arguments()
    _forget_environment()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    home = given.home or new_home()
    home.mkdir(parents=True, exist_ok=True, mode=0o711)
    facts = environment(home) | {"runs": f"{given.runs}{', quick' if given.quick else ''}"}
    for name, value in facts.items():
        _show(f"{name}: {value}")
    if is_busy():
        _show("this machine has other work: its figures say little")
    options = Options(given.quick, lambda line: _show(f"  {line}"))
    session = Session(home, options, shows_cpu=given.cpu)
    wanted = [measure for measure in MEASURES if not given.names or measure.name in given.names]
    try:
        asyncio.run(session.take(wanted, given.runs))
    finally:
        if given.home is None:
            shutil.rmtree(home, ignore_errors=True)
    _tell(session, facts, given.out or (None if given.names or given.quick else RESULTS))
    return 1 if session.failures else 0


def _tell(session: Session, facts: Mapping[str, str], out: Path | None) -> None:
    _show("\n" + text_table(table(session.samples)))
    for name, why in session.failures.items():
        _show(f"{name} did not end: {why}")
    if out is not None:
        out.write_text(markdown(facts, session.samples, session.failures))
        _show(f"\nwritten to {out.name}")


def _forget_environment() -> None:
    """Keep the variables and the .env of whoever measures out of it."""
    variables = {variable_of(field) for field in Settings.model_fields}
    for name in list(os.environ):
        if name.upper() in variables or name.startswith(("POTOK_", "PREFECT_")):
            del os.environ[name]
    Settings.model_config["env_file"] = None


def _show(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
