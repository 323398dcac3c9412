"""One function per stage of the pipeline: folders in, folders out; each imports what it uses, and no more."""
