"""The environment that the processes of the stack are started with."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

if TYPE_CHECKING:
    from deployments.settings import Settings

# Of the person's own shell: another profile, colours in logs, and no bytecode, which doubles the
# time that the Prefect server takes to start.
NOT_INHERITED = (
    "PREFECT_PROFILE",
    "PREFECT_PROFILES_PATH",
    "FORCE_COLOR",
    "CLICOLOR_FORCE",
    "PYTHONDONTWRITEBYTECODE",
)

PREFECT = {
    "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "false",  # one request less in every run
    "PREFECT_WORKER_QUERY_SECONDS": "5",  # runs of the inbox need no polling; this is for the rest
    "PREFECT_LOGGING_EXTRA_LOGGERS": "lib,blocks,flows,potok",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",  # the worker's own lines have no run
    "PREFECT_LOGGING_COLORS": "false",
    "PREFECT_CLI_COLORS": "false",
    "PREFECT_CLI_PROMPT": "false",
    "PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED": "false",  # both are of one lock
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    # Events are written many at once: one by one they took a fifth of the server's time.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL": "1",
    "DO_NOT_TRACK": "1",
    "NO_COLOR": "1",
    "PYTHONUNBUFFERED": "1",
}


# By the path of Prefect's logging.yml. Plain lines: rich takes 0.3 ms for each.
LOGGING = {
    "PREFECT_LOGGING_ROOT_HANDLERS": "debug",
    "PREFECT_LOGGING_HANDLERS_DEBUG_FORMATTER": "standard",
}


def environment(settings: Settings) -> dict[str, str]:
    """This process's environment with every variable of ``Settings`` and Prefect's made certain."""
    from deployments.settings import variable_of

    env = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    for field in type(settings).model_fields:
        value = getattr(settings, field)
        if value is not None:
            env[variable_of(field)] = _text(value)
    env |= PREFECT | LOGGING
    env["DATABASE_URL"] = settings.database_url
    env["PREFECT_API_URL"] = settings.prefect_api_url
    env["PREFECT_HOME"] = str(settings.home / "prefect")
    # An outgoing proxy of the machine must not see the talk of our own processes.
    around = [part for part in env.get("NO_PROXY", env.get("no_proxy", "")).split(",") if part]
    env["NO_PROXY"] = env["no_proxy"] = ",".join(dict.fromkeys([*around, "127.0.0.1", "localhost"]))
    return env


def server_environment(settings: Settings) -> dict[str, str]:
    """``environment`` for the Prefect server, which alone is given its database."""
    env = environment(settings)
    env["PREFECT_API_DATABASE_CONNECTION_URL"] = settings.prefect_database_url
    if settings.prefect_auth is not None:
        env["PREFECT_SERVER_API_AUTH_STRING"] = settings.prefect_auth
    return env


def _text(value: Any) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return str(value).lower() if isinstance(value, bool) else str(value)
