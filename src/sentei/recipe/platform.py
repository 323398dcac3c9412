"""Where the pipeline runs on a cluster: image, namespace, secrets, and what each step gets."""

import re
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

from sentei.errors import RecipeError
from sentei.recipe.kubernetes_forms import Bytes, Cpu, Duration, Name, Path, Resource, Variable
from sentei.recipe.numbers import Count
from sentei.recipe.section import Section

StepName = Literal[
    "plan",
    "train",
    "score-importance",
    "prune",
    "finetune",
    "evaluate",
    "calibrate",
    "register",
    "fetch-champion",
    "retest",
    "conclude",
]
"""A component; ``evaluate`` is also what the tasks ``test`` and ``test-dense`` run."""


class Accelerator(Section):
    """Devices of one step, as the cluster counts them."""

    type: Resource = Field("nvidia.com/gpu", description="name of the extended resource")
    count: Count = 1


class Toleration(Section):
    """A taint that a step's pod may run in spite of."""

    key: str | None = Field(None, description="every taint if left out, with operator Exists")
    operator: Literal["Equal", "Exists"] = "Equal"
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None

    @model_validator(mode="after")
    def _as_kubernetes_takes_it(self) -> "Toleration":
        if self.operator == "Exists" and self.value is not None:
            raise PydanticCustomError("toleration", "expected no value beside operator Exists")
        if self.operator == "Equal" and self.key is None:
            raise PydanticCustomError("toleration", "expected a key beside operator Equal")
        return self


class Retries(Section):
    """How often a failed task is tried again, and how long between: only that task repeats."""

    count: Annotated[int, Field(ge=0, le=20)] = 2
    wait: Duration = "30s"
    factor: Annotated[int, Field(ge=1, le=10, description="each wait is so many times the last one")] = 2
    at_most: Duration = Field("10m", description="longest wait")


class Step(Section):
    """What the pods of one step get; what is left out is taken from ``every``, then from Kubernetes."""

    cpu: Cpu | None = Field(None, description="cores asked for")
    cpu_limit: Cpu | None = Field(None, description="most cores; as asked for if left out")
    memory: Bytes | None = Field(None, description="memory asked for")
    memory_limit: Bytes | None = Field(None, description="most memory; as asked for if left out")
    accelerator: Accelerator | None = None
    node_selector: dict[str, str] | None = Field(None, description="labels that the node must have")
    tolerations: list[Toleration] | None = None
    timeout: Duration | None = Field(None, description="the pod ends as failed after it")
    retries: Retries | None = None
    shared_memory: Bytes | None = Field(None, description="size of /dev/shm, for several processes of one pod")

    def over(self, fallback: "Step") -> "Step":
        """This step, with what it leaves out taken from another one."""
        asked = {name for name in type(self).model_fields if getattr(self, name) is not None}
        return fallback.model_copy(update={name: getattr(self, name) for name in asked})


class Secrets(Section):
    """Kubernetes Secrets, by name: credentials stand nowhere else."""

    s3: Name | None = Field(None, description="with access_key_id and secret_access_key; none where a role is assumed")
    mlflow: Name | None = Field(None, description="with username and password")
    signing: Name | None = Field(
        None, description="with sentei.key (and password, if it has one), mounted into register and conclude alone"
    )
    pull: Name | None = Field(None, description="registry credentials, to pull the image")


class Scratch(Section):
    """Space of one pod that vanishes with it: /tmp, which is all that a step writes beside its artifacts."""

    size: Bytes = "10Gi"
    storage_class: Name | None = Field(None, description="a volume of that class; the node's own disk if left out")


class Workspace(Section):
    """A volume that outlives pods: a step that was killed continues from its checkpoints."""

    claim: Name = Field(description="an existing PersistentVolumeClaim that several pods can write (ReadWriteMany)")
    at: Path = "/workspace"


class Mount(Section):
    """A further volume, such as one with data."""

    claim: Name
    at: Path


class Security(Section):
    """Who the steps run as; never root."""

    user: Count = 10001
    group: Count = 10001


class Platform(Section):
    """Where and with what the pipeline runs on a cluster; it changes no number of a run."""

    image: str | None = Field(None, description="image of the components, by tag or digest")
    namespace: Name = Field("kubeflow", description="of the runs")
    service_account: Name | None = Field(None, description="of the runs' pods; the server's own if left out")
    parallelism: Count = Field(8, description="variants that are made at once")
    environment: dict[Variable, str] = Field(
        default_factory=dict, description="of every step, such as MLFLOW_TRACKING_URI; never a credential"
    )
    secrets: Secrets = Field(default_factory=Secrets)
    scratch: Scratch = Field(default_factory=Scratch)
    workspace: Workspace | None = None
    mounts: list[Mount] = Field(default_factory=list)
    security: Security = Field(default_factory=Security)
    every: Step = Field(default_factory=Step, description="what every step gets")
    steps: dict[StepName, Step] = Field(default_factory=dict, description="what single steps get instead")

    @field_validator("image")
    @classmethod
    def _pinned(cls, image: str | None) -> str | None:
        return image if image is None else pinned(image)

    @field_validator("environment")
    @classmethod
    def _without_credentials(cls, environment: dict[str, str]) -> dict[str, str]:
        telling = [name for name in environment if re.search("PASSWORD|SECRET|TOKEN|ACCESS_KEY", name.upper())]
        if telling:
            text = "expected no credential in a recipe, received {names}; name a Secret under platform.secrets"
            raise PydanticCustomError("credential", text, {"names": ", ".join(telling)})
        if naming := [name for name, value in environment.items() if re.search(r"//[^/@\s]+:[^/@\s]*@", value)]:
            text = "expected no user and password in a URL, received them in {names}; name a Secret instead"
            raise PydanticCustomError("credential", text, {"names": ", ".join(naming)})
        return environment

    def step(self, name: str) -> Step:
        """What a component's pods get."""
        asked: dict[Any, Step] = self.steps
        return asked.get(name, Step()).over(self.every)

    def instead(self, namespace: str | None = None, secrets: dict[str, str] | None = None) -> "Platform":
        """This platform, in another namespace and with other secrets where they are given.

        Raises:
            RecipeError: A name is none that Kubernetes takes.
        """
        told = self.model_dump()
        told["secrets"] |= secrets or {}
        told["namespace"] = namespace or self.namespace
        try:
            return type(self).model_validate(told)
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
            raise RecipeError(f"platform as the command line has it: {wrong}") from error


def pinned(image: str) -> str:
    """An image's name, if it names one image for good as far as a name can.

    Raises:
        PydanticCustomError: It has no tag or digest, or the tag ``latest``, or is no name of an image.
    """
    if not re.fullmatch(r"[a-z0-9][A-Za-z0-9._/:-]*(@sha256:[0-9a-f]{64})?", image):
        raise PydanticCustomError("image", "expected the name of an image, such as registry.example/sentei:3fa1c09e")
    tag = image.rpartition("/")[2].partition(":")[2]
    if not tag or tag == "latest":
        text = "expected a tag other than latest, or a digest: the cache sees the image's name, never its content"
        raise PydanticCustomError("image", text)
    return image
