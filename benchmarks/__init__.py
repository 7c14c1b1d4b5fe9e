"""What the project costs, counted and measured; `python -m benchmarks` runs the suite."""
