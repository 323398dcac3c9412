"""Objects on S3 -> verified files and folders on disk, and release bundles back again.

``address`` reads URIs, ``store`` moves single objects, ``cache`` fetches data sets once, ``bundle`` moves sealed
artifacts whole, ``shelf`` keeps the records of a ledger, and ``failures`` says in our words what the service answered.
The endpoint, the region and the credentials come from the environment as boto3 reads them (``AWS_ENDPOINT_URL``,
``AWS_DEFAULT_REGION``, a profile, a role).
"""
