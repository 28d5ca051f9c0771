"""Numbers of Russian companies and banks, and what proves that they were read right.

Source: приказ ФНС № ЕД-7-14/559@ (ИНН), № ЯК-7-6/25@ of 2015 (КПП), Минфин № 165н (ОГРН),
Положение Банка России № 732-П and Порядок расчёта контрольного ключа of 1997 (БИК, счёт),
read 2026-11-26.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_INN_10 = (2, 4, 10, 3, 5, 9, 4, 6, 8)
_INN_11 = (7, *_INN_10)
_INN_12 = (3, *_INN_11)
_KEY = (7, 1, 3)


def is_company_inn(digits: str) -> bool:
    """Whether these are the 10 digits of a company's tax number."""
    return _is_number(digits, 10) and _inn_digit(digits, _INN_10) == int(digits[9])


def is_person_inn(digits: str) -> bool:
    """Whether these are the 12 digits of a person's tax number."""
    return (
        _is_number(digits, 12)
        and _inn_digit(digits, _INN_11) == int(digits[10])
        and _inn_digit(digits, _INN_12) == int(digits[11])
    )


def is_inn(digits: str) -> bool:
    """Whether these are the digits of a tax number, by its check digits."""
    return is_company_inn(digits) or is_person_inn(digits)


def is_kpp(text: str) -> bool:
    """Whether this has the shape of a КПП; it has no check digit."""
    return re.fullmatch(r"[0-9]{4}[0-9A-Z]{2}[0-9]{3}", text) is not None and text[:2] != "00"


def is_ogrn(digits: str) -> bool:
    """Whether these are the digits of an ОГРН (13) or ОГРНИП (15), by the check digit."""
    for length, modulus in ((13, 11), (15, 13)):
        if _is_number(digits, length):
            return int(digits[:-1]) % modulus % 10 == int(digits[-1])
    return False


def is_bik(digits: str) -> bool:
    """Whether this has the shape of a Russian bank's БИК; it has no check digit."""
    return _is_number(digits, 9) and digits[:2] in ("00", "01", "02", "04")


def is_account(digits: str, bik: str) -> bool:
    """Whether the key of an account fits its bank: a settlement account, or the bank's own.

    Args:
        digits: 20 of them.
        bik: of the bank: 9 digits.
    """
    if not (_is_number(digits, 20) and is_bik(bik)):
        return False
    # The bank's account at the Bank of Russia is checked with that one's number.
    prefix = f"0{bik[4:6]}" if digits.startswith("30101") else bik[6:]
    if bik[6:] in ("000", "001", "002"):  # an account at the Bank of Russia itself
        prefix = f"0{bik[4:6]}"
    weighed = (int(digit) * _KEY[place % 3] for place, digit in enumerate(prefix + digits))
    return sum(weighed) % 10 == 0


def _is_number(text: str, length: int) -> bool:
    return re.fullmatch(rf"[0-9]{{{length}}}", text) is not None and text.strip("0") != ""


def _inn_digit(digits: str, weights: Sequence[int]) -> int:
    total = sum(weight * int(digit) for weight, digit in zip(weights, digits, strict=False))
    return total % 11 % 10
