"""Training on more than one device: how many processes, where, and for how long."""

from typing import Annotated

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from sentei.recipe.numbers import Count
from sentei.recipe.section import Section


class Distributed(Section):
    """How many processes train one network together; each takes its part of every batch.

    On one node they run in the step's own pod under torchrun; on several, as a Kubeflow Trainer TrainJob.
    """

    nodes: Count = Field(1, description="pods; more than one needs Kubeflow Trainer and SENTEI_EXCHANGE")
    gpus_per_node: Annotated[int, Field(ge=0)] = Field(
        0, description="one process for each, over nccl; 0 = processes on the CPU, over gloo"
    )
    processes_per_node: Count | None = Field(None, description="on the CPU, where gpus_per_node is 0; default 1")
    time_limit_minutes: Count = Field(1440, description="the training ends with an error after this time")

    @model_validator(mode="after")
    def _one_process_for_each_gpu(self) -> "Distributed":
        if self.gpus_per_node and self.processes_per_node:
            text = "expected no processes_per_node beside gpus_per_node: each GPU has one process"
            raise PydanticCustomError("distributed", text)
        return self

    @property
    def n_per_node(self) -> int:
        """Processes on each node."""
        return self.gpus_per_node or self.processes_per_node or 1

    @property
    def n_processes(self) -> int:
        """Processes on all nodes together."""
        return self.nodes * self.n_per_node
