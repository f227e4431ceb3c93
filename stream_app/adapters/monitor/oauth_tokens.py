"""Tokens for the monitor's client, by the client credentials grant (RFC 6749, section 4.4).

Decides when a new one is fetched: when the last one ends soon. librdkafka does this itself for the
other clients; aiokafka asks whoever uses it.
"""

import asyncio
import ssl
import time
from typing import Final

import httpx
from aiokafka.abc import AbstractTokenProvider

from stream_app.adapters.kafka.config import oauth_client_secret
from stream_app.errors import RetriableError
from stream_app.settings import KafkaSettings

_LEFT_S: Final = 30.0
"""Of a token's life, from which on a new one is fetched; at most a fifth of it."""


class OAuthTokens(AbstractTokenProvider):  # type: ignore[misc]  # the library is not typed here
    """See aiokafka: asked for a token whenever a connection is made.

    Args:
        kafka: The settings; the secret is read anew for each token if it is in a file.
    """

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._token = ""
        self._until_s = 0.0
        cafile = None if kafka.oauth_ca_file is None else str(kafka.oauth_ca_file)
        self._context = ssl.create_default_context(cafile=cafile)

    async def token(self) -> str:
        """A token that is good for a while.

        Raises:
            RetriableError: none came; the message quotes no secret.
        """
        if time.monotonic() >= self._until_s:
            await asyncio.to_thread(self._fetch)
        return self._token

    def _fetch(self) -> None:
        kafka = self._kafka
        asked = {"grant_type": "client_credentials"}
        if kafka.oauth_scope:
            asked["scope"] = kafka.oauth_scope
        try:
            answer = httpx.post(
                kafka.oauth_token_url,
                data=asked,
                auth=(kafka.oauth_client_id, oauth_client_secret(kafka)),
                timeout=kafka.request_timeout_s,
                verify=self._context,
            )
            answer.raise_for_status()
            told = answer.json()
            token, life_s = str(told["access_token"]), float(told.get("expires_in", 0.0))
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as exc:
            why = type(exc).__name__
            if isinstance(exc, httpx.HTTPStatusError):
                why = f"status {exc.response.status_code}"
            raise RetriableError(
                f"kafka.oauth_token_url gives no token ({why}); check kafka.oauth_client_id, its "
                "secret and kafka.oauth_scope"
            ) from None
        self._token = token
        self._until_s = time.monotonic() + life_s - min(_LEFT_S, 0.2 * life_s)
