"""Who may call: Basic for DACS, OAuth2 client credentials for the DERMS."""

from __future__ import annotations

import base64
import binascii
import secrets
import time
from dataclasses import dataclass, field
from typing import Literal

from drbridge_sandbox.rest.answers import Refused

Scheme = Literal["basic", "oauth2"]


@dataclass
class Doorman:
    """Lets callers in, or answers 401.

    Attributes:
        lifetime: seconds that a token is good for.
    """

    scheme: Scheme
    login: str
    password: str
    scope: str = "drbridge"
    lifetime: float = 3600.0
    _tokens: dict[str, float] = field(default_factory=dict)

    def admit(self, authorization: str | None) -> None:
        """Returns when the header is good.

        Raises:
            Refused: it is missing, wrong or has expired.
        """
        kind, _, value = (authorization or "").partition(" ")
        if self.scheme == "basic":
            if kind.lower() == "basic" and self._is_me(value):
                return
            raise Refused(401, "Name and password are needed", headers={"WWW-Authenticate": 'Basic realm="sandbox"'})
        if kind.lower() == "bearer" and self._tokens.get(value, 0.0) > time.monotonic():
            return
        raise Refused(401, "A token is needed", headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})

    def token(self, authorization: str | None, form: dict[str, str]) -> dict[str, object]:
        """A new token for the client, whose id and secret came as Basic or in the form.

        Raises:
            OAuthError: what OAuth2 calls the reason.
        """
        if form.get("grant_type") != "client_credentials":
            raise OAuthError("unsupported_grant_type")
        kind, _, value = (authorization or "").partition(" ")
        in_form = form.get("client_id") == self.login and form.get("client_secret") == self.password
        if not (in_form or (kind.lower() == "basic" and self._is_me(value))):
            raise OAuthError("invalid_client", 401)
        if form.get("scope", self.scope) != self.scope:
            raise OAuthError("invalid_scope")
        token = secrets.token_urlsafe(24)
        self._tokens[token] = time.monotonic() + self.lifetime
        return {
            "access_token": token, "token_type": "Bearer", "expires_in": int(self.lifetime), "scope": self.scope,
        }  # fmt: skip

    def revoke(self) -> None:
        """Makes every token worthless."""
        self._tokens.clear()

    def _is_me(self, encoded: str) -> bool:
        try:
            given = base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return False
        return secrets.compare_digest(given.encode(), f"{self.login}:{self.password}".encode())


class OAuthError(Exception):
    """A refusal of the token service."""

    def __init__(self, code: str, status: int = 400) -> None:
        super().__init__(code)
        self.code, self.status = code, status
