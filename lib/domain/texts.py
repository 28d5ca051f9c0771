"""Texts for people, in Russian."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from lib.domain.lines import one_line

BROKEN_OFF = "обработка каждый раз обрывалась"  # a dead letter's reason when its runs all died


def dead_letters_text(keys: Sequence[str], reason: str) -> str:
    """What the person on duty is told when messages were given up."""
    listed = "\n".join(f"• {key}" for key in keys[:10])
    more = f"\n… и ещё {len(keys) - 10}" if len(keys) > 10 else ""
    return (
        f"⚠️ potok: сообщений не обработано — {len(keys)}. Причина: {reason}\n{listed}{more}\n"
        "Посмотреть: potok inbox list --state dead\nВернуть в работу: potok inbox retry --all-dead"
    )


def refused_text(deployment: str) -> str:
    """What the person on duty is told when messages wait for a flow that is not deployed."""
    return (
        f"⛔ potok: сообщения ждут, их некому обработать — {deployment} не развёрнут в Prefect\n"
        "Развернуть снова: potok down, потом potok up"
    )


def denied_text(what: str) -> str:
    """What the person on duty is told when a vendor refuses our credentials."""
    return f"⛔ potok: доступ отклонён — {what}\nПроверьте ключи: potok doctor"


def models_ill_text(aliases: Sequence[str]) -> str:
    """What the person on duty is told when nobody answers for a model any more."""
    return (
        f"⛔ potok: некому отвечать за модели — {', '.join(aliases)}\n"
        "Почему: potok llm models; последний запуск routing в Prefect"
    )


def models_well_text(aliases: Sequence[str]) -> str:
    """What the person on duty is told when somebody answers again."""
    return f"✅ potok: модели снова отвечают — {', '.join(aliases)}"


def retiring_text(leaving: Sequence[tuple[str, str, date]]) -> str:
    """What the person on duty is told when a vendor takes a model away.

    Args:
        leaving: alias, ``provider/model``, and the day.
    """
    listed = "\n".join(f"• {alias}: {model} — {day:%d.%m.%Y}" for alias, model, day in leaving)
    return f"🗓 potok: поставщик отключает модели\n{listed}\nЗаменить: deployments/llm.yaml"


def recordings_failed_text(failed: Sequence[tuple[int, str]]) -> str:
    """What the person on duty is told when nobody will ever know what recordings say.

    Args:
        failed: number and reason of each.
    """
    listed = "\n".join(f"• {number}: {why[:200]}" for number, why in failed[:10])
    more = f"\n… и ещё {len(failed) - 10}" if len(failed) > 10 else ""
    return (
        f"⚠️ potok: записи не распознаны — {len(failed)}\n{listed}{more}\n"
        "Посмотреть: potok transcripts list --state failed\n"
        "Попробовать снова: potok transcripts retry <номер>"
    )


def recordings_wait_text(count: int, why: str) -> str:
    """What the person on duty is told when recordings wait for a speech service that is away."""
    return (
        f"⛔ potok: записи ждут распознавания — {count}. Причина: {why[:200]}\n"
        "Они не потеряны и будут распознаны, как только сервис ответит: potok status"
    )


def ingress_ill_text(failures: Mapping[str, str]) -> str:
    """What the person on duty is told when a host does not answer as it should any more.

    Args:
        failures: what fails, and why.
    """
    listed = "\n".join(f"• {name}: {one_line(why, 300)}" for name, why in [*failures.items()][:10])
    more = f"\n… и ещё {len(failures) - 10}" if len(failures) > 10 else ""
    return (
        f"⛔ potok: внешний вход не в порядке — {len(failures)}\n{listed}{more}\n"
        "Таблица: последний запуск ingress в Prefect"
    )


def ingress_well_text(names: Sequence[str]) -> str:
    """What the person on duty is told when that is over."""
    return f"✅ potok: внешний вход снова в порядке — {', '.join(names)}"


def ingress_restart_text(path: str) -> str:
    """What the person on duty is told when Traefik reads anew only after a restart."""
    return f"🔁 potok: изменились постоянные настройки Traefik ({path}) — его надо перезапустить"
