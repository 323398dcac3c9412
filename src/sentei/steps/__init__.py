"""One function per stage of the pipeline: folders in, folders out."""
