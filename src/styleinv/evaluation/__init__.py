"""FID and FVD with a record of how they were made.

Read in this order: `protocol` (the rules), `sampling` (what is drawn), `stores` and `codec` (what is looked at),
`detectors`, `features` (the streaming passes), `statistics`, `frechet`, `evaluate` (all of it together). `diagnostics`
looks at motion without any detector.
"""
