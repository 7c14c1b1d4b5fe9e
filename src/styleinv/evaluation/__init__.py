"""Scores of videos, with a record of how they were made.

Read in this order: `protocol` (the rules), `metrics` (what is looked at and compared), `sampling` (what is drawn),
`stores` and `codec` (where videos come from), `detectors`, `features` (the streaming passes), `summaries`, `frechet`,
`score` (all of it together), `comparison`. `diagnostics` looks at motion without any detector.
"""
