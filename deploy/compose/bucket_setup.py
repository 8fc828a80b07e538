"""Make the bucket of compose.yaml: `python bucket_setup.py ENDPOINT BUCKET`; credentials from AWS_*."""

import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

TIMEOUTS = Config(connect_timeout=3, read_timeout=20, s3={"addressing_style": "path"})


def main(endpoint: str, bucket: str) -> None:
    """Make the bucket where it is not there."""
    client = boto3.client("s3", endpoint_url=endpoint, config=TIMEOUTS)
    try:
        client.head_bucket(Bucket=bucket)
        print(f"bucket {bucket} is there already")
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("404", "NoSuchBucket", "NotFound"):
            raise
        client.create_bucket(Bucket=bucket)
        print(f"made bucket {bucket}")


if __name__ == "__main__":
    main(*sys.argv[1:])
