"""The service account's token that Kubernetes puts into a pod, and what it says about itself."""

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from sentinel.errors import FixNeededError

MOST_BYTES = 65_536
NOTHING_KNOWN = "an unknown service account"


@dataclass(frozen=True, slots=True)
class ServiceAccountToken:
    """The token, and its claims as it states them: not verified here, only told to whoever has to mend a login."""

    value: SecretStr
    subject: str  # "system:serviceaccount:NAMESPACE:NAME"
    audiences: tuple[str, ...]
    expires_at: datetime | None

    @property
    def is_expired(self) -> bool:
        """Tell whether its time is over by this machine's clock."""
        return self.expires_at is not None and self.expires_at <= datetime.now(UTC)


def read_service_account_token(path: Path) -> ServiceAccountToken:
    """Read the file; raises FixNeededError where there is no token in it."""
    expected = (f"cannot read the service account's token at {path}: {{seen}}; expected the file of a projected "
                "volume; mount one with the audience of Vault's role, and name its file in VAULT_TOKEN_PATH")
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES).strip()
        text = content.decode("ascii")
    except OSError as error:
        raise FixNeededError(expected.format(seen=(error.strerror or type(error).__name__).lower())) from error
    except UnicodeDecodeError:
        raise FixNeededError(expected.format(seen="not text")) from None
    if not text or any(character.isspace() for character in text):
        raise FixNeededError(expected.format(seen="more than one word" if text else "an empty file"))
    return _to_token(text)


def _to_token(text: str) -> ServiceAccountToken:
    claims = _claims(text)
    audiences = claims.get("aud", ())
    expires = claims.get("exp")
    return ServiceAccountToken(
        SecretStr(text), str(claims.get("sub", NOTHING_KNOWN)),
        tuple(map(str, [audiences] if isinstance(audiences, str) else audiences)),
        datetime.fromtimestamp(expires, UTC) if isinstance(expires, int | float) else None,
    )


def _claims(text: str) -> dict[str, Any]:
    """Return the middle part of a JSON web token; nothing where it is none."""
    middle = text.split(".")[1] if text.count(".") == 2 else ""
    try:
        claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    except (ValueError, binascii.Error):
        return {}
    return claims if isinstance(claims, dict) else {}
