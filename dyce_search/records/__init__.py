"""What was recorded: exits, costs and predictions of the samples, and the files that hold them.

One file a file format; may import the basement (errors, arrays, files, threads, provenance, fingerprints).
"""
