"""Which language a request speaks: that of the page that sends it.

An address may name it (`?lang=en`). A callback or a piece of map data is asked for by a page, whose
own address comes along as the referrer. Else it is the language of the settings.
"""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import flask

from dashboards.settings import LANGUAGES
from dashboards.words import Words


def page_words(default: str) -> Words:
    """The words of the page behind the current request; `default` outside of one."""
    if not flask.has_request_context():
        return Words(default)
    asked = flask.request.args.get("lang", "")
    if asked not in LANGUAGES:
        query = parse_qs(urlsplit(flask.request.referrer or "").query)
        asked = query.get("lang", [""])[0]
    return Words(asked if asked in LANGUAGES else default)


def html_language(words: Words) -> str:
    """The language tag of a page (RFC 5646)."""
    return "zh-CN" if words.language == "zh" else "en"
