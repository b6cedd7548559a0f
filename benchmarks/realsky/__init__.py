"""A generator of photons that knows nothing of the pipeline, and what the pipeline makes of them.

Skies, detectors and links that are not as the pipeline assumes: see `benchmarks.realsky.cases`.
"""
