"""A server without a network: answers in a row, given to a client's session."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import requests
from requests.adapters import BaseAdapter


class Answers(BaseAdapter):
    """Gives one (status, headers, body) after another, and the last one again."""

    def __init__(self, *answers: tuple[int, dict[str, str], bytes]) -> None:
        super().__init__()
        self._answers: Iterator[tuple[int, dict[str, str], bytes]] = iter(answers)
        self.requests: list[str] = []

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Return the next answer."""
        self.requests.append(f"{request.method} {request.url}")
        status, headers, body = next(self._answers)
        response = requests.Response()
        response.status_code, response.url, response.request = status, str(request.url), request
        response.headers.update(headers)
        response.raw = io.BytesIO(body)
        return response

    def close(self) -> None:
        """Nothing is open."""
