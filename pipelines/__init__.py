"""The pipelines, each of which reads from top to bottom as the flow, and the recipes."""
