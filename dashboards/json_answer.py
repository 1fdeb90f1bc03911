"""JSON that belongs to one moment: never kept by a browser or a proxy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import flask


def dump_json(body: Mapping[str, Any]) -> str:
    """A body as short text, Chinese as it is; ValueError for a number that JSON has not."""
    return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def answer_json(body: Mapping[str, Any], status: int = 200) -> flask.Response:
    """A body as an answer that nobody keeps."""
    response = flask.Response(dump_json(body), mimetype="application/json", status=status)
    response.headers["Cache-Control"] = "no-store"
    return response
