"""Independent generator of photons, and the results of the pipeline for them.

Skies, detectors and links that are not as the pipeline assumes: see `benchmarks.realsky.cases`.
"""
