"""What `dvc repro` does, on as many processors and machines as Dask has: `python -m stages.reproduce`."""
