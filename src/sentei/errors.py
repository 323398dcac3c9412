"""Everything that can go wrong, told apart by who can act.

    SenteiError
    ├── RecipeError        the request: whoever wrote the recipe or typed the command      exit code 2
    ├── ArtifactError      the files: missing, altered or half-written artifacts           exit code 3
    ├── ModelError         the network: cannot be built, traced, exported or trusted       exit code 4
    ├── DataError          the data: cannot be found, read, split or verified              exit code 5
    ├── CertificateError   the certificate: it does not say what the evidence says         exit code 6
    ├── ServiceError       a service: S3, MLflow or Kubeflow did not do what was asked     exit code 7
    └── LedgerError        the ledger of attempts: altered, contradicted or not kept safe  exit code 8

A message says what was expected, what arrived, where, and what to do next. "No variant can be certified" is not
here: it is a result, with reasons, like any other.
"""


class SenteiError(Exception):
    """Something that a person can act on; the class says who."""

    exit_code = 1


class RecipeError(SenteiError):
    """The request is wrong: the author of the recipe or of the command can act."""

    exit_code = 2


class ArtifactError(SenteiError):
    """A file is missing, altered or half-written: whoever keeps the artifacts can act."""

    exit_code = 3


class ModelError(SenteiError):
    """The network cannot be built, traced, exported or trusted: its author can act."""

    exit_code = 4


class DataError(SenteiError):
    """The data cannot be found, read, split or verified: their owner can act."""

    exit_code = 5


class CertificateError(SenteiError):
    """The certificate does not say what the evidence says: do not use the model."""

    exit_code = 6


class ServiceError(SenteiError):
    """S3, MLflow or Kubeflow did not do what was asked: the platform's operator can act."""

    exit_code = 7


class LedgerError(SenteiError):
    """The ledger of attempts was altered, is contradicted, or cannot be kept safe here: whoever keeps it can act."""

    exit_code = 8
