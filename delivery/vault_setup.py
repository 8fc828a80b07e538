"""Set Vault up for one environment: `python -m delivery.vault_setup --environment staging [--dry-run]`.

Makes what is missing of the KV version 2 engine, the Kubernetes auth method, and a policy and a role per stage, as
vault/ describes them; a second run changes nothing. VAULT_ADDR, VAULT_CACERT and VAULT_NAMESPACE say which Vault, and
an operator's token comes from VAULT_TOKEN or from `vault login`. No secret is read: of what the stages need,
only the names are looked up.
"""

import argparse
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import hvac
import requests
from hvac.exceptions import Forbidden, InvalidPath, VaultError

from sentinel.errors import FixNeededError, PermissionDeniedError, SentinelError, UnavailableError
from sentinel.settings import load_settings
from sentinel.vault_settings import VaultServerSettings

FOLDER = Path(__file__).parents[1] / "vault"
NAME = re.compile("[a-z0-9]([-a-z0-9]*[a-z0-9])?")
IN_CLUSTER = "https://kubernetes.default.svc"
TIMEOUT_SECONDS = (3.0, 10.0)
OUTSIDE = "/var/run/secrets/kubernetes.io/"  # where a Vault in a pod would find the certificates and its own token
TEMPORARY = re.compile("sealed|standby|not active|not initialized")


@dataclass(frozen=True, slots=True)
class StageAccess:
    """What one stage has in Vault: a policy and a role of the same name, for one secret."""

    name: str  # "sentinel-staging-data-fetch"
    policy: str
    role: Mapping[str, Any]
    secret_path: str  # "sentinel/staging/data-fetch"
    required: frozenset[str]
    optional: frozenset[str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Set up or print; return the exit code."""
    given = _parse(arguments)
    accesses = read_accesses(given.environment, given.namespace, given.secret_mount)
    try:
        lines = print_plan(accesses, given.auth_mount) if given.dry_run else _set_up(given, accesses)
        for line in lines:
            print(line)
    except SentinelError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def read_accesses(environment: str, namespace: str, mount: str) -> list[StageAccess]:
    """Read vault/ and fill in the names."""
    described = tomllib.loads((FOLDER / "roles.toml").read_text())
    template = Template((FOLDER / "policy.hcl").read_text())
    return [_to_access(environment, namespace, template.substitute(mount=mount, environment=environment, stage=stage),
                       stage, described["stages"][stage], described["every_role"]) for stage in described["stages"]]


def print_plan(accesses: Sequence[StageAccess], auth_mount: str) -> Iterator[str]:
    """Yield what would be written, without asking Vault."""
    for access in accesses:
        yield f"# policy {access.name}\n{access.policy}"
        yield f"# auth/{auth_mount}/role/{access.name}"
        yield "\n".join(f"{name} = {value!r}" for name, value in access.role.items()) + "\n"


def set_up(client: hvac.Client, accesses: Sequence[StageAccess], secret_mount: str, auth_mount: str,
           cluster: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for everything, whether it was made, changed or kept.

    `cluster` is how Vault asks Kubernetes about a token; an empty one leaves a configuration that is there as it is.
    """
    yield _enable_secrets(client, secret_mount)
    yield _enable_logins(client, auth_mount)
    yield _configure_logins(client, auth_mount, cluster)
    for access in accesses:
        yield _write_policy(client, access)
        yield _write_role(client, access, auth_mount)
    for access in accesses:
        yield _look_for_keys(client, access, secret_mount)


def _to_access(environment: str, namespace: str, policy: str, stage: str, described: Mapping[str, Any],
               every_role: Mapping[str, Any]) -> StageAccess:
    name = f"sentinel-{environment}-{stage}"
    role = {"bound_service_account_names": [described["service_account"]],
            "bound_service_account_namespaces": [namespace], "token_policies": [name], **every_role}
    return StageAccess(name, policy, role, f"sentinel/{environment}/{stage}",
                       frozenset(described["required"]), frozenset(described["optional"]))


def _set_up(given: argparse.Namespace, accesses: Sequence[StageAccess]) -> Iterator[str]:
    settings = load_settings(VaultServerSettings)
    cluster = {"kubernetes_host": given.kubernetes_host} if given.kubernetes_host else {}
    if given.kubernetes_ca:
        cluster["kubernetes_ca_cert"] = given.kubernetes_ca.read_text()
    with _told(settings.vault_addr):
        client = hvac.Client(settings.vault_addr, timeout=TIMEOUT_SECONDS, namespace=settings.vault_namespace,
                             verify=str(settings.vault_cacert) if settings.vault_cacert else True)
        if not client.token:
            raise FixNeededError("no token of an operator: set VAULT_TOKEN, or log in with `vault login`")
        yield from set_up(client, accesses, given.secret_mount, given.auth_mount, cluster)


def _enable_secrets(client: hvac.Client, mount: str) -> str:
    found = client.sys.list_mounted_secrets_engines()["data"].get(f"{mount}/")
    if found is None:
        client.sys.enable_secrets_engine("kv", path=mount, options={"version": "2"})
        return f"made    KV version 2 at {mount}"
    version = (found.get("options") or {}).get("version")
    if (found["type"], version) != ("kv", "2"):
        raise FixNeededError(f"the engine at {mount} is {found['type']} of version {version}, expected kv of version "
                             "2; name another place with --secret-mount")
    return f"kept    KV version 2 at {mount}"


def _enable_logins(client: hvac.Client, mount: str) -> str:
    found = client.sys.list_auth_methods()["data"].get(f"{mount}/")
    if found is None:
        client.sys.enable_auth_method("kubernetes", path=mount)
        return f"made    Kubernetes auth method at auth/{mount}"
    if found["type"] != "kubernetes":
        raise FixNeededError(f"the auth method at {mount} is {found['type']}, expected kubernetes; name another place "
                             "with --auth-mount")
    return f"kept    Kubernetes auth method at auth/{mount}"


def _configure_logins(client: hvac.Client, mount: str, cluster: Mapping[str, str]) -> str:
    try:
        found = client.auth.kubernetes.read_config(mount)
    except InvalidPath:
        found = None
    wanted = cluster or ({} if found else {"kubernetes_host": IN_CLUSTER})
    if found is not None and _holds(found, wanted):
        return f"kept    its cluster, {found['kubernetes_host']}"
    client.auth.kubernetes.configure(**wanted, mount_point=mount)
    return f"{'made   ' if found is None else 'changed'} its cluster, {wanted['kubernetes_host']}"


def _write_policy(client: hvac.Client, access: StageAccess) -> str:
    try:
        found = client.sys.read_policy(access.name)["data"]["rules"]
    except InvalidPath:
        found = None
    if found is not None and found.strip() == access.policy.strip():
        return f"kept    policy {access.name}"
    client.sys.create_or_update_policy(access.name, access.policy)
    return f"{'made   ' if found is None else 'changed'} policy {access.name}"


def _write_role(client: hvac.Client, access: StageAccess, mount: str) -> str:
    try:
        found = client.auth.kubernetes.read_role(access.name, mount)
    except InvalidPath:
        found = None
    if found is not None and _holds(found, access.role):
        return f"kept    role {access.name}"
    client.write_data(f"auth/{mount}/role/{access.name}", data=dict(access.role))
    return f"{'made   ' if found is None else 'changed'} role {access.name}"


def _look_for_keys(client: hvac.Client, access: StageAccess, mount: str) -> str:
    """Compare the names of what is stored with what the stage reads; values stay in Vault."""
    try:
        keys = frozenset(client.adapter.get(f"/v1/{mount}/subkeys/{access.secret_path}")["data"]["subkeys"])
    except InvalidPath:
        keys = frozenset()
    except Forbidden:
        return f"unseen  {mount}/{access.secret_path}: this token may not look at the names of its keys"
    missing, unknown = access.required - keys, keys - access.required - access.optional
    told = [f"has {', '.join(sorted(keys)) or 'no key'}"]
    if missing:
        told.append(f"needs {', '.join(sorted(missing))}")
    if access.optional - keys:
        told.append(f"may have {', '.join(sorted(access.optional - keys))}")
    if unknown:
        told.append(f"{', '.join(sorted(unknown))} will not be read")
    return f"{'MISSING' if missing else 'seen   '} {mount}/{access.secret_path}: {'; '.join(told)}"


def _holds(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(found.get(name) == value for name, value in wanted.items())


@contextmanager
def _told(address: str) -> Iterator[None]:
    """Translate what hvac and requests raise; their texts name paths, never tokens."""
    cannot = f"cannot set up Vault at {address}"
    try:
        yield
    except Forbidden as error:
        raise PermissionDeniedError(f"{cannot}: {error}; expected a token that may manage mounts, policies and roles; "
                                    "log in as such an operator") from error
    except VaultError as error:
        if TEMPORARY.search(str(error)):
            raise UnavailableError(f"{cannot}: {error}; unseal it or bring it up, then run this again") from error
        if OUTSIDE in str(error):
            raise FixNeededError(
                f"{cannot}: it runs outside of the cluster and was not told where that is: {error}; write "
                "auth/kubernetes/config with a reviewer's token, as docs/runbook.md says under *Install from nothing*, "
                "then run this again") from error
        raise FixNeededError(f"{cannot}: {error}; correct the command's options") from error
    except requests.RequestException as error:
        raise UnavailableError(f"{cannot}: {type(error).__name__}; check that it runs, VAULT_ADDR and VAULT_CACERT, "
                               "then run this again") from error


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m delivery.vault_setup", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environment", required=True, type=_name, help="staging, production, or one of your own")
    parser.add_argument("--namespace", default="sentinel", type=_name, help="Kubernetes namespace (sentinel)")
    parser.add_argument("--secret-mount", default="secret", help="mount of the KV engine (secret)")
    parser.add_argument("--auth-mount", default="kubernetes", help="mount of the auth method (kubernetes)")
    parser.add_argument("--kubernetes-host", help=f"API server as Vault sees it ({IN_CLUSTER}, if none is configured)")
    parser.add_argument("--kubernetes-ca", type=Path, help="file with the certificates of that API server")
    parser.add_argument("--dry-run", action="store_true", help="print policies and roles, ask and change nothing")
    return parser.parse_args(arguments)


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"seen {text!r}, expected small letters, digits and hyphens")
    return text


if __name__ == "__main__":
    sys.exit(main())
