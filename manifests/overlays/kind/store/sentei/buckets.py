"""Makes the buckets, keeps versions where nothing may be lost, and sees whether the store refuses a second write."""

import sys

import boto3
from botocore.exceptions import ClientError

LASTING = ("sentei-ledger", "sentei-released")
BUCKETS = ("mlflow", "sentei-data", "sentei-exchange", *LASTING)

s3 = boto3.client("s3")
there = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
for bucket in BUCKETS:
    if bucket not in there:
        s3.create_bucket(Bucket=bucket)
    if bucket in LASTING:
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    print(f"{bucket}: {'was there' if bucket in there else 'made'}")

try:
    for _ in range(2):
        s3.put_object(Bucket="sentei-data", Key=".probe", Body=b"", IfNoneMatch="*")
except ClientError as error:
    if error.response["ResponseMetadata"]["HTTPStatusCode"] != 412:
        raise
else:
    sys.exit("the store writes a key twice though told not to (If-None-Match: *): it cannot keep a ledger of attempts")
