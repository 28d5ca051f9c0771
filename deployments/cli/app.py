"""The command ``potok``. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import asyncio
import json
import os
from importlib import import_module
from typing import TYPE_CHECKING, Annotated

import typer

from deployments.cli.streams import PotokGroup

if TYPE_CHECKING:
    from deployments.settings import Settings

# Modules with an `app: typer.Typer`, by the name of their group of commands.
GROUPS: dict[str, str] = {
    "calls": "deployments.cli.calls",
    "bitrix": "deployments.cli.bitrix",
    "inbox": "deployments.cli.inbox",
    "leads": "deployments.cli.leads",
    "llm": "deployments.cli.llm",
    "mcp": "deployments.cli.mcp",
    "ocr": "deployments.cli.ocr",
    "sandbox": "deployments.cli.sandbox",
    "score": "deployments.cli.score",
    "speech": "deployments.cli.speech",
    "transcripts": "deployments.cli.transcripts",
}
# Modules with a function of the command's own name.
COMMANDS: dict[str, str] = {"demo": "deployments.cli.demo"}

app = typer.Typer(
    help="Potok: a small company's data flows.",
    no_args_is_help=True,
    add_completion=False,
    cls=PotokGroup,
    rich_markup_mode=None,  # rich's help would take longer than most commands
    pretty_exceptions_enable=False,
)

Sandbox = Annotated[bool, typer.Option("--sandbox", help="Talk to the sandbox, not to vendors.")]
Json = Annotated[bool, typer.Option("--json", help="For a program to read.")]


def settings_for(sandbox: bool = False) -> Settings:
    """The settings of this command; ``--sandbox`` counts over the environment."""
    from deployments.settings import read_settings

    return read_settings(POTOK_SANDBOX=True) if sandbox else read_settings()


def _print_version(wanted: bool) -> None:
    if not wanted:
        return
    from importlib.metadata import version

    commit = import_module("deployments.version").version()
    typer.echo(f"potok {version('potok')} ({commit})")
    raise typer.Exit


@app.callback()
def potok(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print it and the commit.", callback=_print_version),
    ] = False,
) -> None:
    """Potok: a small company's data flows."""


@app.command()
def up(
    sandbox: Sandbox = False,
    detach: Annotated[bool, typer.Option("--detach", help="Return when it is ready.")] = False,
) -> None:
    """Start the stack and stay until Ctrl-C."""
    from deployments.cli import home
    from deployments.cli import up as cli_up
    from deployments.cli.show import err, plain_errors
    from deployments.settings import unknown_variables

    with plain_errors():
        settings = settings_for(sandbox)
        for line in unknown_variables():
            err.print(line, style="yellow", soft_wrap=True)
        home.check(settings.home)
        if detach:
            cli_up.detach(settings, ["--sandbox"] if sandbox else [])
        else:
            asyncio.run(cli_up.stay_up(settings))


@app.command()
def down() -> None:
    """Stop the stack, or what a killed one left behind."""
    from deployments.cli import down as cli_down
    from deployments.cli.show import out, plain_errors, waiting

    with plain_errors():
        with waiting("stopping"):
            words = cli_down.bring_down(settings_for())
        out.print(words)


@app.command()
def status(as_json: Json = False) -> None:
    """Show what runs; exit code 1 unless everything is ready."""
    from dataclasses import asdict

    from deployments.cli import status as cli_status
    from deployments.cli.show import err, out, plain_errors

    with plain_errors():
        rows = cli_status.rows(settings_for())
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in rows]))
    elif rows:
        out.print(cli_status.table(rows))
        if (trouble := cli_status.trouble_with_models()) is not None:
            err.print(trouble, style="yellow", markup=False, soft_wrap=True)
    else:
        out.print("not running: `potok up` starts it")
    raise typer.Exit(0 if rows and all(row.is_ready for row in rows) else 1)


@app.command()
def doctor() -> None:
    """Show what is configured, what answers, what is missing; exit code 1: something is broken."""
    from deployments.cli import doctor as cli_doctor
    from deployments.cli.running import find_running
    from deployments.cli.show import out, plain_errors, waiting

    with plain_errors():
        settings = find_running().settings
        with waiting("looking"):
            findings = asyncio.run(cli_doctor.examine(settings))
    out.print(f"vendors: {'the sandbox stands in' if settings.is_sandbox else 'real'}")
    out.print(cli_doctor.table(findings))
    raise typer.Exit(1 if any(found.state == cli_doctor.BROKEN for found in findings) else 0)


@app.command()
def init() -> None:
    """Write the credential blocks from the environment and .env; set the bot's webhook."""
    from deployments.cli.doctor import undelivered
    from deployments.cli.running import find_running
    from deployments.cli.show import err, out, plain_errors, waiting
    from deployments.stack.program import http_ready
    from lib.errors import Unavailable

    with plain_errors():
        settings = find_running().settings
        if not asyncio.run(http_ready(f"{settings.prefect_api_url}/health")()):
            raise Unavailable(f"Prefect does not answer at {settings.prefect_api_url}: `potok up`")
        os.environ.update(settings.child_env())  # Prefect reads it when it is imported
        with waiting("writing blocks"):
            provision = import_module("deployments.provision")
            written = asyncio.run(provision.write_blocks(settings))
            hook = asyncio.run(provision.register_webhook(settings))
        for name in written:
            out.print(f"written {name}")
        if hook:
            out.print(f"Telegram delivers to {hook}")
        elif lacking := undelivered(settings):
            err.print(lacking, style="yellow", soft_wrap=True)


for _name, _module in GROUPS.items():
    app.add_typer(import_module(_module).app, name=_name)
for _name, _module in COMMANDS.items():
    app.command(_name)(getattr(import_module(_module), _name))


if __name__ == "__main__":
    app()
