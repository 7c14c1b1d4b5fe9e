"""DIGAN (Yu et al., ICLR 2022): videos as functions of pixel coordinates and time."""
