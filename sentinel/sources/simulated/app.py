"""A GitHub App installed at the simulated GitHub: it gives tokens to whoever signs with the App's key."""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any


class SimulatedApp:
    """The App, its one installation, and the tokens that it gave."""

    def __init__(self, app_id: str, installation_id: str, public_key: str,
                 now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Trust what the private key to `public_key`, PEM text, has signed; `now` is GitHub's clock."""
        self.tokens: dict[str, datetime] = {}  # when each ends
        self._app_id, self._installation_id, self._public_key, self._now = app_id, installation_id, public_key, now

    def give_token(self, path: str, signed: str) -> tuple[dict[str, Any], int]:
        """Answer a request for a token: JSON and a status."""
        if not self._is_signed(signed):
            return {"message": "A JSON web token could not be decoded", "status": "401"}, 401
        if path != f"/app/installations/{self._installation_id}/access_tokens":
            return {"message": "Not Found", "status": "404"}, 404
        token, ends_at = f"ghs_{secrets.token_hex(20)}", self._now() + timedelta(hours=1)
        self.tokens[token] = ends_at
        return {"token": token, "expires_at": ends_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "permissions": {"pull_requests": "read", "contents": "read", "metadata": "read"}}, 201

    def knows(self, token: str) -> bool:
        """Tell whether a token still lets in."""
        return self._now() < self.tokens.get(token, datetime.min.replace(tzinfo=UTC))

    def _is_signed(self, signed: str) -> bool:
        """Check signature and issuer, and times by our own clock: at most ten minutes of life."""
        import jwt
        try:
            claims = jwt.decode(signed, self._public_key, algorithms=["RS256"], issuer=self._app_id,
                                options={"verify_exp": False, "verify_iat": False})
        except jwt.PyJWTError:
            return False
        now = self._now().timestamp()
        return claims["iat"] <= now < claims["exp"] <= now + 600
