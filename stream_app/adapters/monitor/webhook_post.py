"""Alerts by HTTP: one POST a record, as JSON.

Decides the request and what counts as taken: any answer 2xx. No redirect is followed, since the
token is for one address. Refuses to know when to try again.
"""

import json
from pathlib import Path
from typing import Final

import httpx

from stream_app import __version__
from stream_app.adapters.drift.alert_codec import alert_record
from stream_app.core.drift.alerts import Alert
from stream_app.errors import RetriableError
from stream_app.monitor_log import alert_text

_AGENT: Final = f"stream-app/{__version__}"


class WebhookPost:
    """See :class:`~stream_app.ports_monitor.Receiver`.

    Args:
        url: Where to; a secret, so it is in no message.
        token_file: Holds a bearer token; read at each attempt, so that a rotated one is taken up.
        timeout_s: For each step of a request: to connect, to send, to wait for the answer.
    """

    def __init__(self, url: str, token_file: Path | None, timeout_s: float) -> None:
        self._url = url
        self._token_file = token_file
        # The proxies of the environment are used, its credentials (.netrc) are not.
        self._client = httpx.Client(
            timeout=timeout_s, follow_redirects=False, headers={"User-Agent": _AGENT}, auth=_NONE
        )

    def post(self, alert: Alert) -> None:
        """See the port."""
        headers = {
            "Content-Type": "application/json",
            # Who gets a record twice knows it by this.
            "Idempotency-Key": alert.key,
            **self._authorization(),
        }
        body = json.dumps({"text": alert_text(alert), **alert_record(alert)}).encode()
        try:
            status = self._client.post(self._url, content=body, headers=headers).status_code
        except httpx.HTTPError as exc:
            # Not `from exc`, whose text may quote the address.
            raise RetriableError(f"the webhook does not answer ({type(exc).__name__})") from None
        if not httpx.codes.is_success(status):
            raise RetriableError(f"the webhook answers {status}; see monitor.webhook_url{_HINT}")

    def close(self) -> None:
        """Let connections go."""
        self._client.close()

    def _authorization(self) -> dict[str, str]:
        path = self._token_file
        if path is None:
            return {}
        try:
            token = path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as exc:
            why = exc.strerror if isinstance(exc, OSError) else "is not plain text"
            raise RetriableError(f"monitor.webhook_token_file {path}: {why}; mend it") from None
        return {"Authorization": f"Bearer {token}"}


_HINT: Final = " and monitor.webhook_token_file"


class _NoAuth(httpx.Auth):
    """Nothing is added to requests."""


_NONE: Final = _NoAuth()
