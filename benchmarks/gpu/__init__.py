"""The GPU tier: first that everything is right on a GPU, then how fast it is; `python -m benchmarks.gpu`."""
