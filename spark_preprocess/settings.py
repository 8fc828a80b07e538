"""The settings of this stage."""

from pydantic import AliasChoices, Field

from sentinel.settings import MongoSettings, ObjectStoreSettings


class SparkPreprocessSettings(MongoSettings, ObjectStoreSettings):
    """Where to read, where to write, and how much Spark may take."""

    spark_master: str = Field(
        default="local[*]", validation_alias=AliasChoices("spark_master", "SPARK_MASTER"),
        description="where Spark runs",
        examples=["local[*]", "spark://spark-master:7077", "k8s://https://kubernetes.default.svc"],
    )
    spark_driver_memory: str = Field(
        default="1g", pattern=r"^[0-9]+[mg]$", description="heap of the driver's Java, which in local[*] does all work",
        examples=["1g"],
    )
    spark_configuration: dict[str, str] = Field(
        default={}, description="further Spark properties, as JSON; they win over ours",
        examples=['{"spark.executor.instances": "4"}'],
    )
    pull_requests_per_partition: int = Field(
        default=2_000, ge=1, description="how many pull requests one task reads from MongoDB", examples=["2000"],
    )
    max_rejected_share: float = Field(
        default=0.05, ge=0, le=1, description="share of unusable documents above which the run stops with 65",
        examples=["0.05"],
    )
    kept_runs: int = Field(
        default=5, ge=1, description="how many runs of features and histories are kept; of older ones, the "
        "latest of each feature fingerprint stays for 30 days",
        examples=["5"],
    )
