"""Languages by the names that Whisper has for them, and their codes.

Source: openai/whisper ``tokenizer.py`` (LANGUAGES and TO_LANGUAGE_CODE), read 2026-11-26; codes are
ISO 639-1, but for Hawaiian and Cantonese, which have none, and Javanese, which Whisper calls jw.
"""

from __future__ import annotations

import re

_CODE = re.compile(r"[a-z]{2,3}")
_NAMES = """
af afrikaans, am amharic, ar arabic, as assamese, az azerbaijani, ba bashkir, be belarusian,
bg bulgarian, bn bengali, bo tibetan, br breton, bs bosnian, ca catalan, ca valencian, cs czech,
cy welsh, da danish, de german, el greek, en english, es castilian, es spanish, et estonian,
eu basque, fa persian, fi finnish, fo faroese, fr french, gl galician, gu gujarati, ha hausa,
haw hawaiian, he hebrew, hi hindi, hr croatian, ht haitian, ht haitian creole, hu hungarian,
hy armenian, id indonesian, is icelandic, it italian, ja japanese, jw javanese, ka georgian,
kk kazakh, km khmer, kn kannada, ko korean, la latin, lb letzeburgesch, lb luxembourgish,
ln lingala, lo lao, lt lithuanian, lv latvian, mg malagasy, mi maori, mk macedonian, ml malayalam,
mn mongolian, mr marathi, ms malay, mt maltese, my burmese, my myanmar, ne nepali, nl dutch,
nl flemish, nn nynorsk, no norwegian, oc occitan, pa panjabi, pa punjabi, pl polish, ps pashto,
ps pushto, pt portuguese, ro moldavian, ro moldovan, ro romanian, ru russian, sa sanskrit,
sd sindhi, si sinhala, si sinhalese, sk slovak, sl slovenian, sn shona, so somali, sq albanian,
sr serbian, su sundanese, sv swedish, sw swahili, ta tamil, te telugu, tg tajik, th thai,
tk turkmen, tl tagalog, tr turkish, tt tatar, uk ukrainian, ur urdu, uz uzbek, vi vietnamese,
yi yiddish, yo yoruba, yue cantonese, zh chinese, zh mandarin
"""
_PAIRS = (each.split(maxsplit=1) for each in _NAMES.split(","))
_CODES = {name.strip(): code for code, name in _PAIRS}


def language_code(said: str) -> str | None:
    """The code of a language that is named or coded: ``Russian``, ``ru``, ``ru-RU``.

    Returns:
        None: it is neither a name that is known nor a code.
    """
    word = " ".join(said.lower().split())
    code = word.replace("_", "-").partition("-")[0]
    return _CODES.get(word) or (code if _CODE.fullmatch(code) else None)
