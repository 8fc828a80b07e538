"""Where the trial finds the cluster's parts; the defaults are those of a cluster on this machine's own bridge."""

from pathlib import Path

from pydantic import Field, SecretStr

from sentinel.settings import Settings


class TrialSettings(Settings):
    """What the environment says of the trial cluster; kubectl itself reads KUBECONFIG."""

    trial_address: str = Field(default="10.200.0.1", description="address of this machine, as pods see it",
                               examples=["10.200.0.1"])
    trial_registry: str = Field(default="127.0.0.1:5000/sentinel", description="registry that holds the four images",
                                examples=["127.0.0.1:5000/sentinel"])
    trial_data: tuple[Path, ...] = Field(
        default=(), description="files of real pull requests, as a JSON list; without any, made-up ones are used",
        examples=['["pull-requests.jsonl.gz"]'])
    trial_pull_requests: int = Field(default=1_500, ge=200, description="most pull requests of each repository",
                                     examples=["1500"])
    trial_report: Path = Field(default=Path("build/cluster-report.md"), description="file that the report goes to",
                               examples=["build/cluster-report.md"])
    trial_vault_addr: str = Field(
        default="http://10.200.0.1:8200", description="address of the trial's Vault",
        examples=["http://10.200.0.1:8200"])
    trial_vault_token: SecretStr = Field(default=SecretStr("root"), description="operator's token of the trial's Vault")
    trial_vault_unseal_key: SecretStr | None = Field(
        default=None, description="key that unseals the trial's Vault; without it, nobody seals it")
    trial_s3_endpoint: str = Field(default="http://10.200.0.1:7070", description="address of the trial's S3 server",
                                   examples=["http://10.200.0.1:7070"])
    trial_s3_access_key: SecretStr = Field(default=SecretStr("cluster"), description="access key of the same server")
    trial_s3_secret_key: SecretStr = Field(default=SecretStr("cluster-secret"), description="secret key of the same")
