"""Where Vault is, as whom to log in, and which secret to read; paths may be written as the API or the CLI has them."""

from pathlib import Path
from typing import Self

from pydantic import AliasChoices, Field, field_validator, model_validator

from sentinel.settings import Settings

SERVICE_ACCOUNT_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
_FORBIDDEN = frozenset(" \t\r\n?#%*+\\")


class VaultServerSettings(Settings):
    """Where Vault is, and what makes its answers believable."""

    vault_addr: str = Field(
        validation_alias=AliasChoices("vault_addr", "VAULT_ADDR"), pattern=r"^https?://[^@?#\s]+$",
        description="address of the Vault server that holds all secrets", examples=["https://vault.example.com:8200"],
    )
    vault_allow_http: bool = Field(
        default=False, description="talk to Vault without TLS, on a trial cluster only", examples=["true"],
    )
    vault_cacert: Path | None = Field(
        default=None, validation_alias=AliasChoices("vault_cacert", "VAULT_CACERT"),
        description="certificates that Vault's own is checked against; without, those of certifi",
        examples=["/etc/vault/ca.pem"],
    )
    vault_namespace: str | None = Field(
        default=None, validation_alias=AliasChoices("vault_namespace", "VAULT_NAMESPACE"),
        description="namespace inside Vault, where it has some", examples=["platform/sentinel"],
    )

    @field_validator("vault_cacert")
    @classmethod
    def _certificates_are_there(cls, path: Path | None) -> Path | None:
        if path is not None and not path.exists():
            raise ValueError(f"there is no file {path}")
        return path

    @model_validator(mode="after")
    def _is_encrypted(self) -> Self:
        if self.vault_addr.startswith("http://") and not self.vault_allow_http:
            raise ValueError("VAULT_ADDR: secrets would travel unencrypted over http://, expected https://; "
                             "on a trial cluster set SENTINEL_VAULT_ALLOW_HTTP=true")
        return self


class VaultSettings(VaultServerSettings):
    """What logging in and reading one secret need beside."""

    vault_path_auth: str = Field(
        default="auth/kubernetes/login", validation_alias=AliasChoices("vault_path_auth", "VAULT_PATH_AUTH"),
        description="where Vault's Kubernetes auth method is mounted", examples=["auth/kubernetes/login"],
    )
    vault_role: str = Field(
        validation_alias=AliasChoices("vault_role", "VAULT_ROLE"), pattern=r"^[\w.-]+$",
        description="role of this stage in that auth method", examples=["sentinel-production-data-fetch"],
    )
    vault_secret_path: str = Field(
        validation_alias=AliasChoices("vault_secret_path", "VAULT_SECRET_PATH"),
        description="secret of this stage in a KV version 2 engine",
        examples=["secret/data/sentinel/production/data-fetch"],
    )
    vault_token_path: Path = Field(
        default=SERVICE_ACCOUNT_TOKEN, validation_alias=AliasChoices("vault_token_path", "VAULT_TOKEN_PATH"),
        description="file with the service account's token, read anew at each login",
        examples=["/var/run/secrets/vault/token"],
    )
    vault_budget_seconds: float = Field(
        default=30.0, gt=0, description="how long logging in and reading may take, further tries included",
        examples=["30"],
    )

    @field_validator("vault_path_auth")
    @classmethod
    def _auth_is_usable(cls, path: str) -> str:
        auth_mount(path)
        return path

    @field_validator("vault_secret_path")
    @classmethod
    def _secret_is_usable(cls, path: str) -> str:
        secret_place(path)
        return path


def auth_mount(path: str) -> str:
    """Return the mount of `auth/MOUNT/login`, `auth/MOUNT` or `MOUNT`; raises ValueError for anything else."""
    parts = _parts(path, "auth/kubernetes/login")
    if parts[0] == "auth":
        parts = parts[1:]
    if len(parts) > 1 and parts[-1] == "login":
        parts = parts[:-1]
    if not parts:
        raise ValueError(f"seen {path!r}, which names no mount; expected auth/kubernetes/login")
    return "/".join(parts)


def secret_place(path: str) -> tuple[str, str]:
    """Return mount and path of `MOUNT/data/PATH` or `MOUNT/PATH`; raises ValueError for anything else.

    A mount of several segments can only be told from the path by the `data` between them.
    """
    parts = _parts(path, "secret/data/sentinel/production/data-fetch")
    cut = parts.index("data") if "data" in parts else 1
    mount, rest = parts[:cut], parts[cut + ("data" in parts):]
    if not mount or not rest or parts[1] == "metadata":
        raise ValueError(f"seen {path!r}, which names no secret; expected secret/data/sentinel/production/data-fetch "
                         "or secret/sentinel/production/data-fetch")
    return "/".join(mount), "/".join(rest)


def _parts(path: str, example: str) -> list[str]:
    parts = path.strip("/").split("/")
    if not all(parts) or {".", ".."} & set(parts) or _FORBIDDEN & set(path) or parts[0] == "v1":
        raise ValueError(f"seen {path!r}, expected a path such as {example}, without v1/")
    return parts
